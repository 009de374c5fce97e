/*
 * task-exec: its options, and the stage that they run. Owns the files beside the output, the queue of found tasks, and the
 * report. Must not know how a kind of work runs a task: that is an executor.
 */
import { TaskpipeError } from '../../core/base/errors.ts';
import { number, textOf } from '../../core/base/format.ts';
import { quoted } from '../../core/base/terminal-text.ts';
import { type Command, defineCommand, type Io } from '../../core/options/command.ts';
import { flag, path, value } from '../../core/options/declare.ts';
import { optionsOf } from '../../core/options/library-options.ts';
import { InvalidValue } from '../../core/options/option.ts';
import { scrubbed } from '../../core/options/secrets.ts';
import { nearest } from '../../core/options/suggest.ts';
import { readTasks } from '../../core/record/ndjson.ts';
import { withPassword } from '../../core/redis/redis-address.ts';
import { steadyPath } from '../../core/storage/linked-path.ts';
import { filePath } from '../../core/storage/path-conflicts.ts';
import { flushed, NO_TASKS } from '../../core/text/rejects.ts';
import { commandOptions } from '../../executors/command/options.ts';
import { drawOption, flowOptions } from '../../executors/flow/options.ts';
import { httpOptions } from '../../executors/http/options.ts';
import { callsUserCode, executorFor, KINDS_OF, kindHelp, kindOptions } from '../../executors/index.ts';
import { moduleOptions } from '../../executors/module/options.ts';
import { processOptions } from '../../executors/program/options.ts';
import { workerOptions } from '../../executors/worker/options.ts';
import { finishedIn } from '../../ledgers/index.ts';
import { connectionOptions } from '../../queues/options.ts';
import { durationWords, REPORT_RULE, reportFormatOf } from '../../reports/index.ts';
import { checkBatch, NO_BATCH } from '../../stages/exec/batch/batch-rules.ts';
import type { StageHandle } from '../../stages/exec/cancels.ts';
import { childQueue } from '../../stages/exec/child-queue.ts';
import { exec } from '../../stages/exec/exec.ts';
import { type ExecOptions, execOptions, OWN_EXEC_OPTIONS } from '../../stages/exec/exec-options.ts';
import { laneBy, limitOptions } from '../../stages/exec/limits/index.ts';
import { totalOf, totalOption } from '../../stages/load/total.ts';
import { checkFiles, openFiles } from './exec-files.ts';
import { openExecLimits, withShared } from './exec-limits.ts';
import { closing, openShared } from './exec-queue.ts';
import { openReporting, progressOf } from './exec-report.ts';
import { offerRescue, outputFilter, WatchedInput } from './exec-rescue.ts';
import { timeoutOption } from './exec-timeout.ts';

const { jobs, keepOrder, as, ...others } = execOptions; // so that --timeout has its place in help

const options = {
  ...(kindOptions as Record<string, ReturnType<typeof flag>>),
  ...{ jobs, keepOrder, as },
  timeout: timeoutOption,
  ...others,
  ...limitOptions,
  shared: flag('with --queue: --host-rate and --quota count all machines together'),
  events: path('write a line for each change of state of a task, flow or atom to this file, as NDJSON'),
  report: value(
    'write a report of the run to this file: .json for data, .html for a page with plots',
    'FILE',
    toReport,
  ),
  total: totalOption,
  rejects: path('keep invalid input, as NDJSON with its place and the reason'),
  ...httpOptions,
  ...processOptions,
  ...commandOptions,
  ...workerOptions,
  ...moduleOptions,
  ...flowOptions,
  draw: drawOption,
  ...connectionOptions,
} as const;

export const command: Command = defineCommand({
  name: 'task-exec',
  summary: 'Runs the tasks that it reads, and writes each with its result and its outcome.',
  usage: 'KIND [options]',
  about:
    'KIND is one of --http, --command, --worker, --module and --flow. A task that fails is a record like any other, ' +
    'with run.state FAILURE (REVERTED if a flow was undone) and run.error; a record that arrives as a failure passes ' +
    'untouched.',
  options,
  kinds: Object.keys(kindOptions),
  kindsOf: KINDS_OF,
  kindHelp,
  variables: {
    'http_proxy, https_proxy, no_proxy':
      'Proxy for --http, and hosts that are reached without it; also in capitals.',
    DISABLE_STREAM_HANDLER: 'If set, the log lines of a --module are not shown on stderr.',
    TASK_UUID: 'Set for a --command: the uuid of its task.',
    TASK_BATCH_SIZE: 'Set for a --command with --batch, in place of TASK_UUID: the number of its tasks.',
    TASK_NUMBER: 'Set for a --command: the number of its task in this run, from 1.',
    TASK_SLOT: 'Set for a --command and a --worker: its lane, from 1 to --jobs.',
    TASK_WORKER_NUMBER: 'Set for a --worker: its number, from 1.',
  },
  groups: {
    'Options of --http, and of ctx.fetch in modules:': Object.keys(httpOptions),
    'Options of --command and --worker:': Object.keys(processOptions),
    'Options of --command:': Object.keys(commandOptions),
    'Options of --worker:': Object.keys(workerOptions),
    'Options of --module:': Object.keys(moduleOptions),
    'Options of --flow:': [...Object.keys(flowOptions), 'draw'],
    'Options of a queue, for tasks that a module adds and for --shared:': Object.keys(connectionOptions),
  },
  examples: [
    ['task-load a.csv | task-exec --http | task-save out.csv', 'fetch the url of every row'],
    [
      "task-exec --http --url 'https://api.example.com/items/{id}' -j 50 --host-rate 20/s",
      'make the url, go gently',
    ],
    ["task-exec --http --header @token.txt --expect-json 'ok == `true`'", 'only an ok is a success'],
    ['task-exec --http --body-dir pages --as page', 'bodies as files, the result under "page"'],
    ['task-exec --http --dry-run --print-curl', 'see what would be sent'],
    ['task-exec --http --report run.html', 'a page that shows how the run went'],
    ["task-exec --command 'gzip -kf {file}' -j 4", 'run a program for each task'],
    ['task-exec --command \'curl -s "$TASK_url" | wc -c\' --shell', 'values as variables, for a shell'],
    [
      'task-exec --worker \'jq -c --unbuffered "{uuid, result: (.n|tonumber*2)}"\' -j 2',
      'two programs that get tasks and answer, a line each',
    ],
    ['task-exec --module work.mjs -j 20 --log-dir logs', 'call a function of yours'],
    [
      'task-exec --flow signup.js --flow-log signup.log',
      'run a flow for each task, and go on with it after a crash',
    ],
    ['task-exec --flow signup.js --draw dot | dot -Tsvg > signup.svg', 'draw a flow'],
  ],
  runsUserCode: (values) => callsUserCode({ ...values }),
  async run(values, operands, io) {
    if (operands.length > 0) {
      const [first] = operands;
      const kind = nearest(first as string, Object.keys(kindOptions));
      const hint = kind === undefined ? '' : `; did you mean --${kind}?`;
      throw new TaskpipeError(
        'USAGE',
        values.header.length > 0
          ? 'task-exec takes no FILE; a --header that has a space in it goes between quotes'
          : `task-exec reads tasks from its standard input and takes no FILE; got ${quoted(scrubbed(first as string))}${hint}`,
      );
    }
    const { flow } = { ...values } as { readonly flow?: string };
    if (flow !== undefined && values.draw !== undefined) {
      await io.guarded;
      const { drawFlow } = await import('../../executors/flow/index.ts');
      await io.write(await drawFlow(flow, values.draw));
      return 0;
    }
    checkFiles({ ...values });
    checkBatch({ ...values }, io.typed);
    const total = await totalOf(values.total);
    const { env, print, info, version, stopping, aborting } = io;
    const { timeout, revert, logDir, ledger, dryRun, ...rest } = values;
    const ledgerPlace = filePath(ledger) === undefined ? () => ledger : steadyPath(ledger as string);
    const reporting = openReporting({ ...values, path: values.report }, io, options);
    // Opened before the executor, which may start programs or threads that an error here would have to end.
    const { rejects, events, unfinished, spool, close } = await openFiles(values, io.warn);
    const queues = await openShared(values, io).catch(closing(close));
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
    await io.guarded;
    const made = await executorFor({ ...values }, setting).catch(closing(close));
    const lane = values.lane === undefined ? undefined : laneBy(values.lane);
    const executor =
      queues === undefined || !values.shared
        ? made
        : withShared(made, { ...values, queues, lane, limits: limits.costs, stopping });
    const queue = queues === undefined ? undefined : childQueue(queues.all);
    const watched = new WatchedInput();
    const chunks = io.stdin(stopping);
    const input = readTasks(io.rescue === undefined ? chunks : watched.watch(chunks), {
      source: 'stdin',
      reject: rejects.reject,
      truncated: AbortSignal.any([stopping, io.truncated]),
      maxLine: values.maxLine,
    });
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
    const tasks = exec(
      executor,
      optionsOf<ExecOptions>(given, execOptions, OWN_EXEC_OPTIONS),
    )(flushed(input, rejects));
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
        await queues?.close();
      }
    } catch (error) {
      await reporting.broken(tasks.report(), rejects.count);
      noteLost(io, tasks.counts.pending, error);
      throw error;
    }
    await reporting.ended(tasks.report(), rejects.count);
    if (rejects.count > 0 && progressOf(tasks).through === 0) info(NO_TASKS);
    const { failed, passed, isReached, isOverBudget } = tasks.counts;
    return !isReached && (isOverBudget || failed + passed + rejects.count > 0) ? 1 : 0;
  },
});

/** Notes, after the first signal, what still runs and what a second signal does. */
function noteStop({ info, signal }: Io, running: number, grace: number): void {
  if (signal === undefined || running === 0 || grace === 0) return;
  const again = signal === 'SIGINT' ? 'Ctrl-C again ends at once' : 'a second signal ends at once';
  info(`stopping: ${number(running)} running, up to ${durationWords(grace).replace('.0 ', ' ')}; ${again}`);
}

/** Notes, after a signal that also ended the reader, such as a jq in the same pipe, how many tasks have no record. */
function noteLost({ info, signal }: Io, pending: number, error: unknown): void {
  if (signal === undefined || !(error instanceof TaskpipeError) || error.code !== 'PIPE') return;
  info(
    `stopped: the reader of the output took no more, so ${number(pending)} unfinished tasks have no record; run the pipeline again to continue`,
  );
}

function toReport(typed: string): string {
  if (reportFormatOf(typed) === undefined) throw new InvalidValue(REPORT_RULE);
  return typed;
}
