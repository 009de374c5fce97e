import type { Task } from '../core/record/task.ts';
import type { WrittenRow } from '../core/simd/written-block.ts';
import type { BatchLimits, Destination, Misfit } from './contract.ts';
import { encode, type Gathering, gathering } from './gathering.ts';

/** Default number of records that starts a commit. */
export const FLUSH = 1000;
/** Default time that a record waits until a commit starts, in milliseconds. */
export const FLUSH_INTERVAL = 1000;

/** Record that is committed. */
type Committed = Pick<Task, 'uuid' | 'line'>;

/** Limits of a batch, and the targets of its parts. */
export interface CommitOptions {
  readonly destination: Pick<Destination, 'commit' | 'writesLedger' | 'refuses' | 'limits'>;
  /** Number of gathered records that starts a commit. Default: that of the destination. */
  readonly flush?: number | undefined;
  /** Time that the first record waits until a commit starts, in milliseconds. Default: that of the destination. */
  readonly flushInterval?: number | undefined;
  /** Writes records to the rest file, durably if the run syncs. */
  readonly addRest: (lines: string) => Promise<void>;
  /** Called with the records, with newlines, once they are in the output or the rest file. */
  readonly tee: ((lines: string) => Promise<void>) | undefined;
  /** Called with a record that the destination refused. Returns its line for the rest file. */
  readonly onRefused?: (line: string, why: Misfit) => string;
  /** Called once, if a commit fails. Nothing is committed after that. */
  readonly onFailure: (error: unknown) => void;
}

/** Default limits of a destination. While a batch exceeds the last two, `room` waits. */
const LIMITS: BatchLimits = {
  records: FLUSH,
  interval: FLUSH_INTERVAL,
  size: 4 * 1024 * 1024,
  mostSize: 8 * 1024 * 1024,
  mostRecords: 20_000,
};

/**
 * Committer of records in batches. The next batch gathers while the previous one is synced, so slow syncs do not
 * limit the rate. Commits run one at a time, in the order of arrival.
 */
export class Committer {
  readonly #options: CommitOptions;
  readonly #limits: BatchLimits;
  #gathering = gathering(Buffer.alloc(0));
  /** Row buffer of the last committed batch, reused for a later batch. */
  #spare: Buffer = Buffer.alloc(0);
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isDue = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: CommitOptions) {
    const limits = options.destination.limits ?? LIMITS;
    const { flush: records = limits.records, flushInterval: interval = limits.interval } = options;
    this.#options = options;
    this.#limits = { ...limits, records, interval };
  }

  /** Adds a record with its row. */
  addRow(row: string, task: Committed): void {
    const batch = this.#gathering;
    if (batch.run !== undefined) encode(batch);
    batch.text += row;
    batch.rowCount++;
    if (this.#options.destination.writesLedger) {
      batch.uuids.push(task.uuid);
      batch.ends.push(batch.text.length);
    }
    if (this.#options.destination.refuses) {
      batch.lines.push(task.line);
      batch.size += task.line.length;
    }
    this.#add(row.length, task);
  }

  /** Adds a record whose row is written already. The destination must not refuse rows. */
  addWritten({ block, line }: WrittenRow, task: Committed): void {
    const batch = this.#gathering;
    const [from, before] = [block.rowStart(line), block.rowEnd(line)];
    if (batch.text !== '' || batch.run?.rows !== block.rows || batch.run.before !== from) {
      encode(batch);
      batch.run = { rows: block.rows, from, before };
    }
    batch.run.before = before;
    batch.rowCount++;
    if (this.#options.destination.writesLedger) {
      batch.uuids.push(task.uuid);
      batch.ends.push(batch.bytes + before - batch.run.from);
      batch.encoded = batch.ends.length;
    }
    this.#add(before - from, task);
  }

  /** Adds a record that already has a row. @param toMark true if it must still be marked as finished */
  addPresent(task: Committed, toMark: boolean): void {
    if (!toMark && this.#options.tee === undefined) return;
    if (toMark) {
      this.#gathering.uuids.push(task.uuid);
      this.#gathering.ends.push(-1);
    }
    this.#gathering.hasPresent = true;
    this.#add(task.uuid.length, task);
  }

  /** Adds a record for the rest file. */
  addRest(line: string): void {
    this.#gathering.rest += `${line}\n`;
    this.#add(line.length, { line });
  }

  #add(size: number, record: Pick<Committed, 'line'>): void {
    const batch = this.#gathering;
    batch.records++;
    batch.size += size;
    if (this.#options.tee !== undefined) {
      batch.tee += `${record.line}\n`;
      batch.size += record.line.length;
    }
    if (this.#isFull(batch)) this.#begin();
    else this.#wait();
  }

  #isFull({ records, size }: Gathering): boolean {
    return records >= this.#limits.records || size >= this.#limits.size;
  }

  /** Resolves when more records may be added. @throws the error of a failed commit */
  async room(): Promise<void> {
    encode(this.#gathering);
    while (this.#failure === undefined && this.#isOverfull()) {
      this.#begin();
      await this.#running;
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #isOverfull(): boolean {
    const { size, records } = this.#gathering;
    return size > this.#limits.mostSize || records > this.#limits.mostRecords;
  }

  /** Commits all added records. @throws the error of a failed commit */
  async drain(): Promise<void> {
    while (this.#failure === undefined && (this.#running !== undefined || this.#gathering.size > 0)) {
      this.#begin();
      await this.#running;
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Stops further commits. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#failure ??= { error: undefined };
  }

  #wait(): void {
    this.#timer ??= setTimeout(() => {
      this.#isDue = true;
      this.#begin();
    }, this.#limits.interval);
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
    // An existing row may be missing in the ledger until the first commit, and `tee` means that the row is safe.
    if (rows.length > 0 || batch.uuids.length > 0 || batch.hasPresent)
      await destination.commit({ ...batch, rows });
    if (batch.refused.size > 0) this.#leaveRefused(batch);
    // The gathering batch uses the previous spare; this buffer is free now.
    this.#spare = batch.rows.length <= this.#limits.mostSize ? batch.rows : Buffer.alloc(0);
    if (batch.rest !== '') await addRest(batch.rest);
    if (batch.tee !== '') await tee?.(batch.tee);
  }

  /** Adds the records of refused rows to the rest file, and replaces them in the text for `tee`. */
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
    if (this.#isDue || this.#isFull(this.#gathering)) this.#begin();
  }

  #fail(error: unknown): void {
    this.#running = undefined;
    this.#failure = { error };
    clearTimeout(this.#timer);
    this.#options.onFailure(error);
  }
}
