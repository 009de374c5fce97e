import type { Destination, Misfit } from './contract.ts';

/** A commit begins at so many records, where nothing else is said, */
export const FLUSH = 1000;
/** or when a record has waited so long, in milliseconds. */
export const FLUSH_INTERVAL = 1000;

/** When a batch is committed, and where its parts go. */
export interface CommitOptions {
  readonly destination: Pick<Destination, 'commit' | 'marks' | 'refuses'>;
  /** A commit begins when so many records have gathered, */
  readonly flush: number;
  /** or when the first of them has waited so long, in milliseconds; or at 4 MB. */
  readonly flushInterval: number;
  /** Makes records of the rest file safe. */
  readonly addRest: (lines: string) => Promise<void>;
  /** Is given the records, with newlines, once they are safe. */
  readonly tee: ((lines: string) => Promise<void>) | undefined;
  /** Called with a record that the destination has refused. Returns its line for the rest file. */
  readonly onRefused?: (line: string, why: Misfit) => string;
  /** Is called once, where a commit fails: nothing more will be committed. */
  readonly onFailure: (error: unknown) => void;
}

/** What gathers while the batch before it is committed. */
interface Gathering {
  /** Rows that are still to be encoded. */
  text: string;
  /** Those that are, which takes less memory than text, and so many bytes of it. */
  rows: Buffer;
  bytes: number;
  /** Number of rows. */
  rowCount: number;
  uuids: string[];
  /** Where the rows of the uuids end in all bytes; from `encoded` on, in `text`. */
  ends: number[];
  encoded: number;
  /** The records of the rows, if some may be refused, and those that were. */
  lines: string[];
  refused: Map<number, Misfit>;
  rest: string;
  tee: string;
  records: number;
  /** All that it holds, in characters. */
  size: number;
}

/** A commit begins at so many characters. */
const FULL = 4 * 1024 * 1024;
/** Limit on what gathers while one runs; beyond it, adding waits. */
const MOST_SIZE = 8 * 1024 * 1024;
const MOST_RECORDS = 20_000;

function gathering(rows: Buffer): Gathering {
  return {
    text: '',
    rows,
    bytes: 0,
    rowCount: 0,
    uuids: [],
    ends: [],
    encoded: 0,
    lines: [],
    refused: new Map(),
    rest: '',
    tee: '',
    records: 0,
    size: 0,
  };
}

/** Encodes the rows that are still text, and tells where they end in bytes. */
function encode(batch: Gathering): void {
  const { text, ends, bytes: from } = batch;
  const length = Buffer.byteLength(text);
  const isAscii = length === text.length;
  if (from + length > batch.rows.length) {
    const rows = Buffer.allocUnsafeSlow(2 * (from + length));
    batch.rows.copy(rows, 0, 0, from);
    batch.rows = rows;
  }
  batch.rows.write(text, from, isAscii ? 'latin1' : 'utf8');
  let [read, place] = [0, from];
  for (let i = batch.encoded; i < ends.length; i++) {
    const end = ends[i] as number;
    if (end < 0) continue;
    place = isAscii ? from + end : place + Buffer.byteLength(text.slice(read, end));
    read = end;
    ends[i] = place;
  }
  batch.bytes += length;
  batch.text = '';
  batch.encoded = ends.length;
}

/**
 * Commits in groups: while one batch is being synced the next gathers, so that the rate does not hang on how long a
 * sync takes. One commit runs at a time, in the order in which records came.
 */
export class Committer {
  readonly #options: CommitOptions;
  #gathering = gathering(Buffer.alloc(0));
  /** What the rows of the batch before were in: the next are put there. */
  #spare: Buffer = Buffer.alloc(0);
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isDue = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: CommitOptions) {
    this.#options = options;
  }

  /** Adds a record with its row. */
  addRow(row: string, uuid: string, line: string): void {
    const batch = this.#gathering;
    batch.text += row;
    batch.rowCount++;
    if (this.#options.destination.marks) {
      batch.uuids.push(uuid);
      batch.ends.push(batch.text.length);
    }
    if (this.#options.destination.refuses) {
      batch.lines.push(line);
      batch.size += line.length;
    }
    this.#add(row.length, line);
  }

  /** Adds a record that has its row already. @param toMark whether it is still to be marked as finished */
  addPresent(uuid: string, toMark: boolean, line: string): void {
    if (!toMark && this.#options.tee === undefined) return;
    if (toMark) {
      this.#gathering.uuids.push(uuid);
      this.#gathering.ends.push(-1);
    }
    this.#add(uuid.length, line);
  }

  /** Adds a record for the rest file. */
  addRest(line: string): void {
    this.#gathering.rest += `${line}\n`;
    this.#add(line.length, line);
  }

  #add(size: number, line: string): void {
    const batch = this.#gathering;
    batch.records++;
    batch.size += size;
    if (this.#options.tee !== undefined) {
      batch.tee += `${line}\n`;
      batch.size += line.length;
    }
    if (batch.records >= this.#options.flush || batch.size >= FULL) this.#begin();
    else this.#wait();
  }

  /** Resolves when more may be added. @throws what a commit threw */
  async room(): Promise<void> {
    encode(this.#gathering);
    while (this.#failure === undefined && this.#isOverfull()) {
      this.#begin();
      await this.#running;
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #isOverfull(): boolean {
    return this.#gathering.size > MOST_SIZE || this.#gathering.records > MOST_RECORDS;
  }

  /** Commits all that was added. @throws what a commit threw */
  async drain(): Promise<void> {
    while (this.#failure === undefined && (this.#running !== undefined || this.#gathering.size > 0)) {
      this.#begin();
      await this.#running;
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Commits nothing more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#failure ??= { error: undefined };
  }

  #wait(): void {
    this.#timer ??= setTimeout(() => {
      this.#isDue = true;
      this.#begin();
    }, this.#options.flushInterval);
  }

  #begin(): void {
    if (this.#running !== undefined || this.#failure !== undefined || this.#gathering.size === 0) return;
    const batch = this.#gathering;
    encode(batch);
    this.#gathering = gathering(this.#spare);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isDue = false;
    this.#running = this.#commit(batch).then(
      () => this.#next(),
      (error) => this.#fail(error),
    );
  }

  async #commit(batch: Gathering): Promise<void> {
    const { destination, addRest, tee } = this.#options;
    const rows = batch.rows.subarray(0, batch.bytes);
    if (rows.length > 0 || batch.uuids.length > 0) await destination.commit({ ...batch, rows });
    if (batch.refused.size > 0) this.#leaveRefused(batch);
    // Never that of the batch before, which the rows that gather now are in.
    this.#spare = batch.rows.length <= MOST_SIZE ? batch.rows : Buffer.alloc(0);
    if (batch.rest !== '') await addRest(batch.rest);
    if (batch.tee !== '') await tee?.(batch.tee);
  }

  /** Moves the records of refused rows to the rest file, also in what is passed on. */
  #leaveRefused(batch: Gathering): void {
    for (const [index, why] of batch.refused) {
      const line = batch.lines[index] as string;
      const left = this.#options.onRefused?.(line, why) ?? line;
      batch.rest += `${left}\n`;
      batch.tee = `\n${batch.tee}`.replace(`\n${line}\n`, () => `\n${left}\n`).slice(1);
    }
  }

  #next(): void {
    this.#running = undefined;
    const { records, size } = this.#gathering;
    if (this.#isDue || records >= this.#options.flush || size >= FULL) this.#begin();
  }

  #fail(error: unknown): void {
    this.#running = undefined;
    this.#failure = { error };
    clearTimeout(this.#timer);
    this.#options.onFailure(error);
  }
}
