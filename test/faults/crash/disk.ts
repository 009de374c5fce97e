import type { Call } from './trace.ts';

/** Contents of a folder by file name. */
export type Files = ReadonlyMap<string, Buffer>;

/** Files that a crash can leave. */
export interface State {
  readonly files: Files;
  /** Description of the crash for a message. */
  readonly words: string;
}

/** File contents as processes see them (`live`), and as they are on the disk for certain (`safe`). */
interface Content {
  live: Buffer;
  safe: Buffer;
  /** Offset of the first byte that may differ between `live` and `safe`; undefined if both are equal. */
  from: number | undefined;
}

/** Change of the folder that may not be on the disk yet. */
type Naming = { readonly name: string; readonly content: Content | undefined; readonly from?: string };

/** Size of a sector in bytes. Disks write whole sectors, so a hole in written data begins and ends at one. */
const SECTOR = 512;
/**
 * Number of unsynced folder changes of which any combination may be missing. Of more, only the last ones may
 * be.
 */
const FREE = 3;

/** Model of a folder on a disk. It receives the calls of a program in order. */
export class Disk {
  readonly #live = new Map<string, Content>();
  #safe = new Map<string, Content>();
  #namings: Naming[] = [];

  /** Returns the files as any process sees them. */
  get files(): Files {
    return new Map([...this.#live].map(([name, { live }]) => [name, live]));
  }

  /** Marks all current contents as safe. */
  settle(): void {
    for (const content of this.#live.values()) settle(content);
    this.#sync();
  }

  apply(call: Call): void {
    if (call.kind === 'tee') return;
    if (call.kind === 'sync folder') {
      this.#sync();
      return;
    }
    const content = this.#live.get(call.name) ?? { live: EMPTY, safe: EMPTY, from: undefined };
    if (call.kind === 'write') change(content, write(content.live, call), call.at ?? content.live.length);
    else if (call.kind === 'truncate') change(content, content.live.subarray(0, call.size), call.size);
    else if (call.kind === 'sync') settle(content);
    else if (call.kind === 'unlink') this.#name({ name: call.name, content: undefined });
    else if (call.kind === 'rename') {
      this.#name({ name: call.to, content, from: call.name });
    } else {
      if (!this.#live.has(call.name)) this.#name({ name: call.name, content });
      if (call.truncates && content.live.length > 0) change(content, EMPTY, 0);
    }
  }

  #name(naming: Naming): void {
    this.#namings.push(naming);
    rename(this.#live, naming);
  }

  #sync(): void {
    this.#safe = new Map(this.#live);
    this.#namings = [];
  }

  /**
   * Yields the states that the death of the process can leave before or during a call.
   * @param step distance in bytes between two ends of a partial write
   */
  *death(call: Call | undefined, step: number): Generator<State> {
    yield { files: this.files, words: 'killed' };
    if (call?.kind !== 'write') return;
    const { live } = this.#live.get(call.name) as Content;
    for (let end = 1; end < call.bytes.length; end += step) {
      const files = new Map(this.files);
      files.set(call.name, write(live, { ...call, bytes: call.bytes.subarray(0, end) }));
      yield { files, words: `killed after ${end} bytes` };
    }
  }

  /**
   * Yields the states that a power loss can leave now: any part of the unsynced data of one file, with all or
   * none of that of the others.
   * @param step distance in bytes between two cuts of unsynced data
   */
  *powerLoss(step: number): Generator<State> {
    for (const { names, words } of this.#namingsLeft()) {
      const unsafe = [...names].filter(([, { from }]) => from !== undefined);
      for (const others of ['safe', 'live'] as const) {
        const files = new Map([...names].map(([name, content]) => [name, content[others]]));
        if (unsafe.length === 0) yield { files, words: `power loss, ${words}` };
        for (const [name, content] of unsafe) {
          for (const left of leftOf(content, step)) {
            yield {
              files: new Map(files).set(name, left.bytes),
              words: `power loss, ${words}, ${name}: ${left.words}`,
            };
          }
        }
      }
    }
  }

  *#namingsLeft(): Generator<{ names: ReadonlyMap<string, Content>; words: string }> {
    const namings = this.#namings;
    const choices =
      namings.length > FREE
        ? namings.map((_, i) => 2 ** i - 1).concat(2 ** namings.length - 1)
        : Array.from({ length: 2 ** namings.length }, (_, i) => i);
    for (const choice of choices) {
      const names = new Map(this.#safe);
      const kept = namings.filter((_, i) => Math.floor(choice / 2 ** i) % 2 === 1);
      if (!kept.every((naming) => rename(names, naming))) continue;
      const lost = namings.filter((naming) => !kept.includes(naming)).map(({ name }) => name);
      yield { names, words: lost.length === 0 ? 'all names' : `without the new name of ${lost.join(', ')}` };
    }
  }
}

const EMPTY = Buffer.alloc(0);

/** Returns false if there is no such file to rename. */
function rename(names: Map<string, Content>, { name, content, from }: Naming): boolean {
  if (from !== undefined && !names.delete(from)) return false;
  if (content === undefined) names.delete(name);
  else names.set(name, content);
  return true;
}

function change(content: Content, live: Buffer, from: number): void {
  content.live = live;
  content.from = Math.min(from, content.from ?? from);
}

function settle(content: Content): void {
  content.safe = content.live;
  content.from = undefined;
}

function write(
  before: Buffer,
  { bytes, at = before.length }: { bytes: Buffer; at: number | undefined },
): Buffer {
  const after = Buffer.alloc(Math.max(before.length, at + bytes.length));
  before.copy(after);
  bytes.copy(after, at);
  return after;
}

/**
 * Yields the contents of a file that a power loss can leave: the safe contents; a prefix of the new ones, with or
 * without zeros after it; a hole.
 */
function* leftOf(
  { live, safe, from = 0 }: Content,
  step: number,
): Generator<{ bytes: Buffer; words: string }> {
  yield { bytes: safe, words: 'as it was' };
  const zeros = (start: number, end: number): Buffer => {
    const bytes = Buffer.from(live);
    return bytes.fill(0, start, end);
  };
  for (let end = from; end < live.length; end += step) {
    yield { bytes: live.subarray(0, end), words: `cut at byte ${end}` };
    yield { bytes: zeros(end, live.length), words: `zeros from byte ${end}` };
  }
  for (let end = SECTOR * Math.ceil((from + 1) / SECTOR); end < live.length; end += SECTOR) {
    for (let start = end - SECTOR; start > from - SECTOR; start -= SECTOR) {
      const first = Math.max(start, from);
      yield { bytes: zeros(first, end), words: `zeros from byte ${first} to ${end}` };
    }
  }
  yield { bytes: live, words: 'all of it' };
}
