/*
 * task-exec: its options, and the stage that they run. Owns the files beside the output, the queue of found tasks, and the
 * report. Must not know how a kind of work runs a task: that is an executor.
 */
import { TaskpipeError } from '../../core/base/errors.ts';
import { quoted } from '../../core/base/terminal-text.ts';
import { type Command, defineCommand } from '../../core/options/command.ts';
import { scrubbed } from '../../core/options/secrets.ts';
import { nearest } from '../../core/options/suggest.ts';
import { commandOptions } from '../../executors/command/options.ts';
import { flowOptions } from '../../executors/flow/options.ts';
import { httpOptions } from '../../executors/http/options.ts';
import { callsUserCode, KINDS_OF, kindHelp, kindOptions } from '../../executors/index.ts';
import { moduleOptions } from '../../executors/module/options.ts';
import { processOptions } from '../../executors/program/options.ts';
import { workerOptions } from '../../executors/worker/options.ts';
import { connectionOptions } from '../../queues/options.ts';
import { checkBatch } from '../../stages/exec/batch/batch-rules.ts';
import { totalOf } from '../../stages/load/total.ts';
import { checkFiles, openFiles } from './exec-files.ts';
import { closing, openShared } from './exec-queue.ts';
import { openReporting } from './exec-report.ts';
import { runStage } from './exec-run.ts';
import { execCommandOptions as options } from './options.ts';

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
    TASK_SLOT: 'Set for a --command and a --worker: its slot, from 1 to --jobs.',
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
    const reporting = openReporting({ ...values, path: values.report }, io, options);
    const files = await openFiles(values, io.warn);
    const queues = await openShared(values, io).catch(closing(files.close));
    let closed: Promise<void> | undefined;
    const close = (): Promise<void> => {
      closed ??= files.close().finally(() => queues?.close());
      return closed;
    };
    try {
      return await runStage(values, io, { ...files, queues, total, reporting, close });
    } finally {
      await close();
    }
  },
});
