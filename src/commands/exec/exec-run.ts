import { TaskpipeError } from '../../core/base/errors.ts';
import { number, textOf } from '../../core/base/format.ts';
import type { Total } from '../../core/base/progress.ts';
import type { Io } from '../../core/options/command.ts';
import { optionsOf } from '../../core/options/library-options.ts';
import { readTasks } from '../../core/record/ndjson.ts';
import { withPassword } from '../../core/redis/redis-address.ts';
import { steadyPath } from '../../core/storage/linked-path.ts';
import { filePath } from '../../core/storage/path-conflicts.ts';
import { flushed, NO_TASKS } from '../../core/text/rejects.ts';
import { executorFor } from '../../executors/index.ts';
import { finishedIn } from '../../ledgers/index.ts';
import type { Queues } from '../../queues/index.ts';
import { durationWords } from '../../reports/index.ts';
import { NO_BATCH } from '../../stages/exec/batch/batch-rules.ts';
import type { StageHandle } from '../../stages/exec/cancels.ts';
import { childQueue } from '../../stages/exec/child-queue.ts';
import { exec } from '../../stages/exec/exec.ts';
import {
  checkExecOptions,
  type ExecOptions,
  execOptions,
  OWN_EXEC_OPTIONS,
} from '../../stages/exec/exec-options.ts';
import { laneBy } from '../../stages/exec/limits/index.ts';
import { BatchByWatch } from './batch-by-watch.ts';
import type { Files } from './exec-files.ts';
import { openExecLimits, withShared } from './exec-limits.ts';
import { progressOf, type Reporting } from './exec-report.ts';
import { offerRescue, outputFilter, WatchedInput } from './exec-rescue.ts';
import type { ExecValues } from './options.ts';

/** Files and connections of a run, opened before its work. */
export interface Opened extends Omit<Files, 'close'> {
  readonly queues: Queues | undefined;
  readonly reporting: Reporting;
  readonly total: Total | undefined;
  /** Closes all of it; a further call waits for the first. */
  close(): Promise<void>;
}

/** Runs the stage to its end. Returns the exit code. */
export async function runStage(values: ExecValues, io: Io, opened: Opened): Promise<0 | 1> {
  const { env, print, info, version, stopping, aborting } = io;
  const { timeout, revert, logDir, ledger, dryRun, ...rest } = values;
  const { rejects, events, unfinished, spool, queues, total, reporting, close } = opened;
  const ledgerPlace = filePath(ledger) === undefined ? () => ledger : steadyPath(ledger as string);
  const waiting = { patience: values.patience, stopping, aborting };
  const notify = events?.notify;
  const measures = values.report !== undefined;
  const setting = { timeout, revert, logDir, env, print, info, notify, version, stopping, measures };
  const limits = openExecLimits({
    ...values,
    stopping,
    info,
    events: events?.room,
    running: () => tasks.calls,
  });
  const lane = values.lane === undefined ? undefined : laneBy(values.lane);
  const queue = queues === undefined ? undefined : childQueue(queues.all);
  const given = {
    ...rest,
    ...(values.batch === undefined && NO_BATCH),
    ...{ revert, notify, room: limits.room, stopping, drains: true, aborting, limits: limits.costs },
    paused: limits.paused,
    lane,
    control:
      io.onCancel === undefined
        ? undefined
        : (stage: StageHandle) => io.onCancel?.((uuid) => stage.cancel(uuid)),
    dryRun: dryRun ? print : undefined,
    unfinished: unfinished?.add,
    children: {
      ...{ spool, queue },
      finished:
        ledger === undefined
          ? undefined
          : () => finishedIn(withPassword(ledgerPlace() as string, env), io.warn, waiting),
    },
  };
  const execution = optionsOf<ExecOptions>(given, execOptions, OWN_EXEC_OPTIONS);
  checkExecOptions(execution); // before programs or threads start: an error here need not stop them
  await io.guarded;
  const made = await executorFor({ ...values }, setting);
  const executor =
    queues === undefined || !values.shared
      ? made
      : withShared(made, { ...values, queues, lane, limits: limits.costs, stopping });
  const watched = new WatchedInput();
  const chunks = io.stdin(stopping);
  const input = readTasks(io.rescue === undefined ? chunks : watched.watch(chunks), {
    source: 'stdin',
    reject: rejects.reject,
    truncated: AbortSignal.any([stopping, io.truncated]),
    maxLine: values.maxLine,
  });
  const by = values.batch === undefined ? undefined : values.batchBy;
  const batchBy = by === undefined ? undefined : new BatchByWatch(by);
  const records = flushed(input, rejects);
  const tasks = exec(executor, execution)(batchBy?.over(records) ?? records);
  let written = 0;
  const shown = outputFilter(io);
  offerRescue(io, { tasks, input: watched, unfinished: values.unfinished, written: () => written });
  io.progress(() => ({ ...progressOf(tasks), notes: limits.notes }), total);
  stopping.addEventListener('abort', () => noteStop(io, tasks.running, values.grace), { once: true });
  try {
    try {
      for await (const batch of tasks) {
        const writing = io.write(textOf(shown(batch)));
        written += batch.length;
        await writing;
        await events?.check();
      }
      await queue?.close();
    } finally {
      limits.close();
      await close();
    }
  } catch (error) {
    await reporting.broken(tasks.report(), rejects.count);
    noteLost(io, tasks.counts.pending, error);
    throw error;
  }
  await reporting.ended(tasks.report(), rejects.count);
  if (batchBy?.note !== undefined) info(batchBy.note);
  if (rejects.count > 0 && progressOf(tasks).through === 0) info(NO_TASKS);
  const { failed, passed, isReached, isOverBudget } = tasks.counts;
  return !isReached && (isOverBudget || failed + passed + rejects.count > 0) ? 1 : 0;
}

/** Notes, after the first signal, the work that still runs and the effect of a second signal. */
function noteStop({ info, signal }: Io, running: number, grace: number): void {
  if (signal === undefined || running === 0 || grace === 0) return;
  const again = signal === 'SIGINT' ? 'Ctrl-C again ends at once' : 'a second signal ends at once';
  info(`stopping: ${number(running)} running, up to ${durationWords(grace).replace('.0 ', ' ')}; ${again}`);
}

/**
 * Notes, the number of tasks without a record, after a signal that also ended the reader, such as a jq in the
 * same pipe.
 */
function noteLost({ info, signal }: Io, pending: number, error: unknown): void {
  if (signal === undefined || !(error instanceof TaskpipeError) || error.code !== 'PIPE') return;
  info(
    `stopped: the reader of the output took no more, so ${number(pending)} unfinished tasks have no record; run the pipeline again to continue`,
  );
}
