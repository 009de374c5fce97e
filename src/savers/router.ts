import { TaskpipeError } from '../core/base/errors.ts';
import { IdSet } from '../core/ids/index.ts';
import { parseTask } from '../core/record/ndjson.ts';
import { type Run, runOf, stateOf, type Task, withRun } from '../core/record/task.ts';
import { Committer } from './committer.ts';
import { type Destination, MISFITS, type Misfit } from './contract.ts';
import type { Rest } from './file/rest-file.ts';
import { RefusedRecords } from './refused-records.ts';

/** Counts of what happened to the records that arrived. */
export interface SaveSummary {
  /** Records that arrived. */
  read: number;
  /** Rows handed over to the output and not refused. */
  saved: number;
  /** Records skipped because their uuid already has a row. */
  present: number;
  /** Tasks that this run left in the rest file. */
  rest: number;
  /** Records of tasks that failed. */
  failed: number;
  /** Records of unfinished tasks: `PENDING`. */
  pending: number;
  /** Tasks that this run left in the rest file as `PENDING`. */
  unfinished: number;
  /** Records that did not fit the output. */
  misfits: number;
  /** Misfits that would fit if columns were added. */
  lacking: number;
  /** Reason the first misfit did not fit. */
  reason: string | undefined;
  /** Path of the rest file. */
  readonly restFile: string;
}

export interface RouterOptions {
  readonly all?: boolean | undefined;
  readonly widen?: boolean | undefined;
  readonly flush?: number | undefined;
  readonly flushInterval?: number | undefined;
  readonly sync?: 'batch' | 'none' | undefined;
  readonly tee?: ((lines: string) => Promise<void>) | undefined;
  readonly stopped?: AbortSignal | undefined;
}

/** Router of records to the output or to the rest file, which skips those that are already saved. */
export class Router {
  readonly summary: SaveSummary;
  /** Error that ended `--tee`. Records that arrived before it are still saved. */
  teeFailure: { readonly error: unknown } | undefined;
  readonly #destination: Destination;
  readonly #options: RouterOptions;
  readonly #committer: Committer;
  /** Uuids of tasks that this run left in the rest file. */
  readonly #left = new IdSet();
  /** True if an existing row was checked against its record. */
  #isOwn = false;
  /** Uuids in `#left` whose record is `PENDING`. */
  readonly #unfinished = new IdSet();
  #onFailure: (error: unknown) => void = () => {};
  #onTeeFailure: () => void = () => {};

  constructor(destination: Destination, rest: Rest, options: RouterOptions) {
    const { flush, flushInterval, sync = 'batch', tee } = options;
    this.summary = {
      read: 0,
      saved: 0,
      present: 0,
      rest: 0,
      failed: 0,
      pending: 0,
      unfinished: 0,
      misfits: 0,
      lacking: 0,
      reason: undefined,
      restFile: rest.path,
    };
    this.#destination = destination;
    this.#options = options;
    this.#committer = new Committer({
      destination,
      flush,
      flushInterval,
      addRest: (lines) => rest.add(lines, sync === 'batch'),
      tee: tee === undefined ? undefined : (lines) => this.#tee(tee, lines),
      onRefused: (line, why) => this.#leaveRefused(line, why),
      onFailure: (error) => this.#onFailure(error),
    });
  }

  /**
   * Takes tasks until the input or `--tee` ends, and commits them all.
   * @throws the error of a failed commit
   */
  async takeAll(tasks: AsyncIterable<readonly Task[]>): Promise<void> {
    const iterator = tasks[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#nextOf(iterator);
        if (next.done) break;
        await this.#takeBatch(next.value);
        await this.#committer.room();
        // If the run was stopped, the input ends without further action, and all records read from it are saved.
        if (this.teeFailure !== undefined && this.#options.stopped?.aborted !== true) break;
      }
    } finally {
      // Not awaited: the iterator may be waiting for input.
      iterator.return?.().catch(() => {});
    }
    await this.#committer.drain();
  }

  /** Takes the records of a batch. @throws {RefusedRecords} if the output cannot hold them */
  async #takeBatch(records: readonly Task[]): Promise<void> {
    let i = 0;
    try {
      for (const record of records) {
        const task = withoutMisfit(record);
        if (!this.#take(task)) {
          await this.#widenFor(records.slice(i).map(withoutMisfit));
          this.#retake(task);
        }
        i++;
      }
    } catch (error) {
      const isRefusal = error instanceof TaskpipeError && ['USAGE', 'DATA'].includes(error.code);
      throw isRefusal ? new RefusedRecords(error.code, error.message, records.slice(i)) : error;
    }
  }

  /** Commits all taken tasks. @throws the error of a failed commit */
  drain(): Promise<void> {
    return this.#committer.drain();
  }

  /** Stops further commits. */
  stop(): void {
    this.#committer.stop();
  }

  /**
   * Returns the next tasks. While it waits, a failed commit makes it throw, and a failed tee ends the tasks.
   */
  #nextOf(iterator: AsyncIterator<readonly Task[]>): Promise<IteratorResult<readonly Task[]>> {
    return new Promise((resolve, reject) => {
      this.#onFailure = reject;
      // Not assigned directly: V8 places a function literal that is assigned to a property in the old
      // generation, and with it all that it refers to, so each batch would live until a major collection.
      const end = (): void => resolve({ done: true, value: undefined });
      this.#onTeeFailure = end;
      iterator.next().then(resolve, reject);
    });
  }

  /** Takes a task. Returns false if columns must be added for it first. */
  #take(task: Task): boolean {
    const { summary } = this;
    summary.read++;
    if (!isSuccess(task)) {
      const isPending = stateOf(task) === 'PENDING';
      if (isPending) summary.pending++;
      else summary.failed++;
      if (!this.#isRow(task)) {
        if (this.#destination.saved.has(task.uuid)) this.#passOver(task);
        else this.#leave(task.uuid, task.line, isPending);
        return true;
      }
    }
    if (this.#destination.saved.add(task.uuid) || this.#destination.replaces)
      return this.#save(task, this.#options.widen === true);
    this.#passOver(task);
    return true;
  }

  #isRow(task: Task): boolean {
    // A PENDING task is unfinished: with a row, it would never run again.
    return isSuccess(task) || (this.#options.all === true && stateOf(task) !== 'PENDING');
  }

  /**
   * Makes a row of a task whose uuid is already in `saved`. Returns false if it needs more columns and may
   * get them.
   */
  #save(task: Task, mayWiden: boolean): boolean {
    const { written } = task;
    const isWritten = written !== undefined && this.#destination.takes?.(task) === true;
    const row = isWritten ? '' : this.#destination.encode(task);
    if (typeof row !== 'string') {
      this.#destination.saved.delete(task.uuid);
      if (mayWiden && row.columns.length > 0) return false;
      this.summary.misfits++;
      this.summary.reason ??= row.message;
      if (row.columns.length > 0) this.summary.lacking++;
      this.#leave(task.uuid, withMisfit(task, row));
      return true;
    }
    if (isWritten) this.#committer.addWritten(written, task);
    else this.#committer.addRow(row, task);
    this.summary.saved++;
    if (this.#left.size > 0 && this.#left.delete(task.uuid)) this.summary.rest--;
    if (this.#unfinished.size > 0 && this.#unfinished.delete(task.uuid)) this.summary.unfinished--;
    return true;
  }

  /** Adds the columns that any of the tasks needs. All at once, since each addition rewrites the whole output. */
  async #widenFor(tasks: readonly Task[]): Promise<void> {
    const columns = new Set<string>();
    for (const task of tasks) {
      if (!this.#isRow(task) || this.#destination.saved.has(task.uuid)) continue;
      for (const name of this.#destination.missingColumns(task)) columns.add(name);
    }
    await this.#committer.drain();
    await this.#destination.widen([...columns]);
  }

  #retake(task: Task): void {
    this.#destination.saved.add(task.uuid);
    this.#save(task, false);
  }

  #passOver(task: Task): void {
    if (!this.#isOwn && stateOf(task) !== undefined) {
      this.#destination.mustHoldResult?.(task);
      this.#isOwn = true;
    }
    this.summary.present++;
    this.#committer.addPresent(task, this.#destination.isUnmarked(task.uuid));
  }

  #leave(uuid: string, line: string, isPending = false): void {
    const { summary } = this;
    this.#committer.addRest(line);
    if (this.#left.add(uuid)) summary.rest++;
    if (isPending) {
      if (this.#unfinished.add(uuid)) summary.unfinished++;
    } else if (this.#unfinished.size > 0 && this.#unfinished.delete(uuid)) summary.unfinished--;
  }

  /** Counts a record that the destination refused. Returns its line for the rest file. */
  #leaveRefused(line: string, why: Misfit): string {
    const task = parseTask(line) as Task;
    const { summary } = this;
    this.#destination.saved.delete(task.uuid);
    summary.saved--;
    summary.misfits++;
    summary.reason ??= why.message;
    if (this.#left.add(task.uuid)) summary.rest++;
    return withMisfit(task, why);
  }

  async #tee(tee: (lines: string) => Promise<void>, lines: string): Promise<void> {
    if (this.teeFailure !== undefined) return;
    try {
      await tee(lines);
    } catch (error) {
      this.teeFailure = { error };
      // If the reader has left, the input ends too, and all records read from it are saved.
      if (!(error instanceof TaskpipeError && error.code === 'PIPE')) this.#onTeeFailure();
    }
  }
}

/** Returns true if the task succeeded, or has no state. */
function isSuccess(task: Task): boolean {
  const state = stateOf(task);
  return state === undefined || state === 'SUCCESS';
}

/**
 * Returns the record of a task that has no row: a failure that keeps its result, ready for `task-load`. A task that has
 * failed before keeps its own error: `withoutMisfit` would make it a success.
 */
function withMisfit(task: Task, error: Misfit): string {
  if (!isSuccess(task)) return task.line;
  const never = { as: 'result', attempts: 0, at: new Date().toISOString(), ms: 0 };
  const { as, attempts, at, ms } = runOf(task.fields) ?? never;
  const why = { code: error.code, message: error.message };
  return withRun(task, { state: 'FAILURE', as, attempts, at, ms, error: why }).line;
}

/**
 * Makes a record that did not fit an earlier output a success again: its task need not run again to be saved.
 */
function withoutMisfit(task: Task): Task {
  if (stateOf(task) !== 'FAILURE') return task;
  const found: Partial<Run> = runOf(task.fields) ?? {};
  const code = found.error?.code; // the error in a record may be any value, even null
  if (code === undefined || !MISFITS.includes(code)) return task;
  const { error: _, ...run } = found;
  // A task that never ran had no run before.
  return withRun(task, run.attempts === 0 ? undefined : { ...(run as Run), state: 'SUCCESS' });
}
