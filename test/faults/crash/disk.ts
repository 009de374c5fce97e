import type { Call } from './trace.ts';

/** The files of a folder, by name. */
export type Files = ReadonlyMap<string, Buffer>;

/** What a crash can leave. */
export interface State {
  readonly files: Files;
  /** For a person: how it came about. */
  readonly words: string;
}

/** A file: what any process sees, and what the disk has for sure. */
interface Content {
  live: Buffer;
  safe: Buffer;
  /** Where the bytes begin that only `live` has for sure, or undefined where both are the same. */
  from: number | undefined;
}

/** A change of the folder that the disk may not have yet. */
type Naming = { readonly name: string; readonly content: Content | undefined; readonly from?: string };

/** Disks write whole sectors: what is missing in the midst of what was written begins and ends with one. */
const SECTOR = 512;
/** Of so many changes of a folder, any may be missing; of more, the last ones. */
const FREE = 3;

/** A folder on a disk, which is told of calls in order. */
export class Disk {
  readonly #live = new Map<string, Content>();
  #safe = new Map<string, Content>();
  #namings: Naming[] = [];

  /** What any process sees. */
  get files(): Files {
    return new Map([...this.#live].map(([name, { live }]) => [name, live]));
  }

  /** Takes what is here for safe. */
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
   * What the death of the process can leave before or in a call.
   * @param step of a write, every such byte is where it may end
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
   * What a power loss can leave now: of what was not synced, any part of one file, with all or nothing of the others.
   * @param step of what was written, every such byte is where it may end, or give way to zeros
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

/** Returns false where there is nothing to be renamed. */
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

/** What can be left of a file: nothing that is not safe; a beginning, with or without zeros behind it; a hole. */
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
