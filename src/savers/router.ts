import { TaskpipeError } from '../core/base/errors.ts';
import { IdSet } from '../core/ids/id-set.ts';
import { parseTask } from '../core/record/ndjson.ts';
import { type Run, runOf, stateOf, type Task, withRun } from '../core/record/task.ts';
import { Committer, FLUSH, FLUSH_INTERVAL } from './committer.ts';
import { type Destination, MISFITS, type Misfit } from './contract.ts';
import type { Rest } from './file/rest-file.ts';

/** What was done with the records that came. */
export interface SaveSummary {
  /** Records that came. */
  read: number;
  /** Rows that were written. */
  saved: number;
  /** Records whose uuid has a row already. */
  present: number;
  /** Records that this run left in the rest file. */
  rest: number;
  /** Records of tasks that failed. */
  failed: number;
  /** Records of tasks that did not come to an end: `PENDING`. */
  pending: number;
  /** Tasks that this run left in the rest file as `PENDING`. */
  unfinished: number;
  /** Records that did not fit into the output. */
  misfits: number;
  /** Those of the misfits that would fit into more columns. */
  lacking: number;
  /** Why the first of the misfits did not fit. */
  reason: string | undefined;
  /** The path of the rest file. */
  readonly restFile: string;
}

/** What decides where a record goes. */
export interface RouterOptions {
  readonly all?: boolean | undefined;
  readonly widen?: boolean | undefined;
  readonly flush?: number | undefined;
  readonly flushInterval?: number | undefined;
  readonly sync?: 'batch' | 'none' | undefined;
  readonly tee?: ((lines: string) => Promise<void>) | undefined;
  readonly stopped?: AbortSignal | undefined;
}

/** Takes records, and gives each to where it belongs: the output, the rest file, or nowhere, as it is saved already. */
export class Router {
  readonly summary: SaveSummary;
  /** Why records can no longer be given on. What came until then is saved all the same. */
  teeFailure: { readonly error: unknown } | undefined;
  readonly #destination: Destination;
  readonly #options: RouterOptions;
  readonly #committer: Committer;
  /** The uuids that are in the rest file by this run. */
  readonly #left = new IdSet();
  /** Whether a row that was there before was compared with its record. */
  #isOwn = false;
  /** Those of them that are `PENDING`. */
  readonly #unfinished = new IdSet();
  #onFailure: (error: unknown) => void = () => {};
  #onTeeFailure: () => void = () => {};

  constructor(destination: Destination, rest: Rest, options: RouterOptions) {
    const { flush = FLUSH, flushInterval = FLUSH_INTERVAL, sync = 'batch', tee } = options;
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

  /** Takes tasks until they end, and commits them all. @throws what a commit threw */
  async takeAll(tasks: AsyncIterable<readonly Task[]>): Promise<void> {
    const iterator = tasks[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#nextOf(iterator);
        if (next.done) break;
        let i = 0;
        for (const record of next.value) {
          const task = withoutMisfit(record);
          if (!this.#take(task)) {
            await this.#widenFor(next.value.slice(i).map(withoutMisfit));
            this.#retake(task);
          }
          i++;
        }
        await this.#committer.room();
        // Where the run was stopped the input ends by itself, and what was read of it is saved.
        if (this.teeFailure !== undefined && this.#options.stopped?.aborted !== true) break;
      }
    } finally {
      // Not awaited: it may be in the middle of waiting for more.
      iterator.return?.().catch(() => {});
    }
    await this.#committer.drain();
  }

  /** Commits all that was taken. @throws what a commit threw */
  drain(): Promise<void> {
    return this.#committer.drain();
  }

  /** Commits nothing more. */
  stop(): void {
    this.#committer.stop();
  }

  /** The next tasks. While nothing comes, it throws where a commit fails, and gives none where the tee does. */
  #nextOf(iterator: AsyncIterator<readonly Task[]>): Promise<IteratorResult<readonly Task[]>> {
    return new Promise((resolve, reject) => {
      this.#onFailure = reject;
      this.#onTeeFailure = () => resolve({ done: true, value: undefined });
      iterator.next().then(resolve, reject);
    });
  }

  /** Takes a task. Returns false where columns are to be added for it first. */
  #take(task: Task): boolean {
    const { summary } = this;
    summary.read++;
    if (!isGood(task)) {
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
    // PENDING has not come to an end: as a row, it would never be done.
    return isGood(task) || (this.#options.all === true && stateOf(task) !== 'PENDING');
  }

  /** Makes a row of a task whose uuid was put into `saved`. Returns false where it could have one with more columns. */
  #save(task: Task, mayWiden: boolean): boolean {
    const row = this.#destination.encode(task);
    if (typeof row !== 'string') {
      this.#destination.saved.delete(task.uuid);
      if (mayWiden && row.columns.length > 0) return false;
      this.summary.misfits++;
      this.summary.reason ??= row.message;
      if (row.columns.length > 0) this.summary.lacking++;
      this.#leave(task.uuid, withMisfit(task, row));
      return true;
    }
    this.#committer.addRow(row, task.uuid, task.line);
    this.summary.saved++;
    if (this.#left.size > 0 && this.#left.delete(task.uuid)) this.summary.rest--;
    if (this.#unfinished.size > 0 && this.#unfinished.delete(task.uuid)) this.summary.unfinished--;
    return true;
  }

  /** Adds columns for the first of some tasks, and for the others too: each time, the whole output is written anew. */
  async #widenFor(tasks: readonly Task[]): Promise<void> {
    const columns = new Set<string>();
    for (const task of tasks) {
      if (!this.#isRow(task) || this.#destination.saved.has(task.uuid)) continue;
      for (const name of this.#destination.lackedBy(task)) columns.add(name);
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
    this.#committer.addPresent(task.uuid, this.#destination.isUnmarked(task.uuid), task.line);
  }

  #leave(uuid: string, line: string, isPending = false): void {
    const { summary } = this;
    this.#committer.addRest(line);
    if (this.#left.add(uuid)) summary.rest++;
    if (isPending) {
      if (this.#unfinished.add(uuid)) summary.unfinished++;
    } else if (this.#unfinished.size > 0 && this.#unfinished.delete(uuid)) summary.unfinished--;
  }

  /** Counts a record that the destination has refused. Returns its line for the rest file. */
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
      // A reader that left ends the input, too, and what was read of it is saved.
      if (!(error instanceof TaskpipeError && error.code === 'PIPE')) this.#onTeeFailure();
    }
  }
}

/** Tells whether the task succeeded, or has no state. */
function isGood(task: Task): boolean {
  const state = stateOf(task);
  return state === undefined || state === 'SUCCESS';
}

/** The record of a task that has no row: a failure with the result that it has, ready for `task-load`. */
function withMisfit(task: Task, error: Misfit): string {
  const never = { as: 'result', attempts: 0, at: new Date().toISOString(), ms: 0 };
  const { as, attempts, at, ms } = runOf(task.fields) ?? never;
  const why = { code: error.code, message: error.message };
  return withRun(task, { state: 'FAILURE', as, attempts, at, ms, error: why }).line;
}

/** A record that did not fit an earlier output: its task succeeded, and need not run again to be saved. */
function withoutMisfit(task: Task): Task {
  if (stateOf(task) !== 'FAILURE') return task;
  const found: Partial<Run> = runOf(task.fields) ?? {};
  const code = found.error?.code; // a record may say anything of its error, also null
  if (code === undefined || !MISFITS.includes(code)) return task;
  const { error: _, ...run } = found;
  // One that was never worked on had no run before.
  return withRun(task, run.attempts === 0 ? undefined : { ...(run as Run), state: 'SUCCESS' });
}
