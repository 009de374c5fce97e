import { readFileSync } from 'node:fs';
import { ioError, TaskpipeError } from '../core/base/errors.ts';
import { type Command, defineCommand, type Io } from '../core/options/command.ts';
import { count, duration, flag, list, path, size, text, value } from '../core/options/declare.ts';
import { InvalidValue, type Option } from '../core/options/option.ts';
import { milliseconds } from '../core/options/units.ts';
import { app } from '../serve/index.ts';
import { DEFAULTS } from '../serve/options.ts';

const options = {
  store: path('database of the tasks and their results', { defaultText: 'tasks.db' }),
  exec: text(
    'command that runs the tasks, such as "task-exec --module work.mjs -j 4"; default: write them to stdout',
    {
      placeholder: 'CMD',
    },
  ),
  shell: flag('run the command of --exec with sh'),
  port: value('port to listen on; 0: any free port', 'PORT', toPort, { default: 8080 }),
  host: text('address to listen on; any but the loopback address needs --token', {
    default: '127.0.0.1',
    placeholder: 'ADDRESS',
  }),
  token: text('token that requests need as Authorization: Bearer TOKEN; @FILE reads it from a file', {
    placeholder: '@FILE',
  }),
  allowHost: list('further host names of the service', { placeholder: 'NAME,…' }),
  allowOrigin: list('further sites whose pages may send requests, such as https://example.com', {
    placeholder: 'ORIGIN,…',
  }),
  idFields: list('make the id from these members of the data: the same data is the same task'),
  rerunAfter: age('run the same task again if it ended longer ago than this (--id-fields)'),
  rerunFailed: value('run the same task again if it failed or was cancelled (--id-fields)', 'yes|no', toYes, {
    default: true,
    defaultText: 'yes',
    choices: ['yes', 'no'],
  }),
  keep: age('delete tasks that ended longer ago than this, with their results and logs, such as 30d'),
  timeout: duration('time limit of a task, retries included', {
    default: DEFAULTS.timeout as number,
    defaultText: '4h',
    min: 1,
  }),
  onDone: text('run this command for each task that has ended, with its record on stdin', {
    placeholder: 'CMD',
  }),
  grace: duration('time that running tasks have to finish after a stop', {
    defaultText: 'that of --exec, else 10s',
  }),
  logDir: path('folder of the logs of tasks, for GET PATH/log: what a --module logs, and why tasks failed', {
    placeholder: 'DIR',
  }),
  maxBody: size('maximum size of a body; a batch may have 16 times that', {
    default: DEFAULTS.maxBody as number,
    defaultText: '1MB',
  }),
  backlog: count('maximum number of unfinished tasks; further ones are answered with 429', {
    default: DEFAULTS.backlog as number,
  }),
  maxConnections: count('maximum number of connections', { default: DEFAULTS.maxConnections as number }),
  window: count('number of tasks that --exec gets ahead', { default: DEFAULTS.window as number }),
  requestTimeout: duration('time limit for receiving a request', {
    default: DEFAULTS.requestTimeout as number,
    defaultText: '10s',
    min: 1,
  }),
} as const;

export const command: Command = defineCommand({
  name: 'task-serve',
  summary:
    'Puts work behind a url: submit a task, get an id, ask how it went. Nothing that was accepted is lost.',
  usage: 'PATH [options]',
  about: `POST PATH {"data": {…}} keeps a task and answers its id; GET PATH?task_id=… tells how it is. The members of the data are the attributes of the task. There are also PATH/batch, /tasks, /log, /history, /cancel, /rerun, /events, /docs and /openapi.json; /, a page to watch on; /healthz and /metrics.

Without --exec, the tasks go to the standard output, and what GET tells is written by task-save --all at the end of the pipe, to the same database.

The first SIGINT or SIGTERM takes no more requests and lets the work finish what runs; the second ends it.`,
  options,
  examples: [
    [
      "task-serve /api --exec 'task-exec --module work.mjs -j 4'",
      'a function behind http://127.0.0.1:8080/api',
    ],
    [
      'curl -d \'{"data": {"n": 1}}\' -H content-type:application/json http://127.0.0.1:8080/api',
      'submit a task',
    ],
    ["curl 'http://127.0.0.1:8080/api?task_id=…'", 'ask how it went'],
    ['task-serve /api --store t.db | task-exec --http | task-save t.db --all', 'the work in the pipe'],
    ["task-serve /api --exec 'task-exec --http' --host 0.0.0.0 --token @secret.txt", 'for other machines'],
    [
      "task-serve /api --exec './work.sh | jq -c .' --shell --id-fields url --rerun-after 1d",
      'a pipeline; the same url is the same task, once a day',
    ],
  ],
  isFilter: ({ exec }) => exec === undefined,
  async run(values, operands, io) {
    const [endpoint, ...others] = operands;
    if (endpoint === undefined || others.length > 0)
      throw new TaskpipeError(
        'USAGE',
        `give one path, as in task-serve /api; got ${operands.length === 0 ? 'none' : operands.join(' ')}`,
      );
    const { host, port, store = 'tasks.db' } = values;
    const token = values.token === undefined ? undefined : tokenOf(values.token);
    if (token === undefined && !/^(127\.\d+\.\d+\.\d+|::1|localhost)$/.test(host))
      throw new TaskpipeError(
        'USAGE',
        `--host ${host} can be reached from outside: say --token @FILE too (or TASK_TOKEN), or listen on 127.0.0.1`,
      );
    if (values.rerunAfter !== undefined && values.idFields === undefined)
      throw new TaskpipeError('USAGE', '--rerun-after needs --id-fields, which identify the task');
    const allowHost = [...(values.allowHost ?? []), ...(token === undefined ? [host] : [])];
    const { stopping, aborting, warn, env: environment, write: give } = io;
    let broken: TaskpipeError | undefined;
    const breaking = new AbortController();
    const onBroken = ({
      message,
      exit,
    }: {
      readonly message: string;
      readonly exit: number | null;
    }): void => {
      const code = exit === 2 ? 'USAGE' : exit === 65 ? 'DATA' : 'IO';
      broken = new TaskpipeError(code, `--exec cannot start: ${message} (its message is above)`);
      breaking.abort();
    };
    const service = app(endpoint, {
      ...values,
      ...{ store, token, allowHost, environment, stopping, aborting, warn, give, onBroken },
    });
    await listen(service, host, port);
    io.begun();
    io.info(`http://${at(host)}:${portOf(service) ?? port}${endpoint}`);
    await ended(io, breaking.signal);
    await service.close();
    if (broken !== undefined) throw broken;
    return 0;
  },
});

type Server = ReturnType<typeof app>;

async function listen(service: Server, host: string, port: number): Promise<void> {
  try {
    await service.listen({ host, port });
  } catch (error) {
    await service.close().catch(() => {});
    throw ioError('cannot listen on', `${host}:${port}`, error);
  }
}

function portOf(service: Server): number | undefined {
  const address = service.server.address();
  return typeof address === 'object' ? address?.port : undefined;
}

function at(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** Declares an option whose value is an age of at least a second. */
function age(description: string): Option<number | undefined> {
  return value(description, 'DURATION', toAge, { defaultText: 'never' });
}

function toAge(typed: string): number {
  const age = milliseconds(typed);
  if (age !== undefined && age >= 1000 && age <= 36_500 * 86_400_000) return age;
  throw new InvalidValue('must be a duration of at least 1s, such as 12h or 30d');
}

function toYes(typed: string): boolean {
  if (typed === 'yes' || typed === 'no') return typed === 'yes';
  throw new InvalidValue('must be yes or no');
}

/** Resolves when the service must stop: at a signal, because the reader of the output left, or without a stage. */
function ended({ stopping, aborting }: Io, breaking: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const signal = AbortSignal.any([stopping, aborting, breaking]);
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve());
  });
}

function tokenOf(typed: string): string {
  if (!typed.startsWith('@')) return checked(typed);
  try {
    return checked(readFileSync(typed.slice(1), 'utf8').trim());
  } catch (error) {
    throw ioError('cannot read --token', typed.slice(1), error);
  }
}

function checked(token: string): string {
  if (/^[\x21-\x7e]{16,}$/.test(token)) return token;
  throw new TaskpipeError('USAGE', '--token must have at least 16 characters, without white space');
}

function toPort(typed: string): number {
  const port = Number(typed);
  if (!/^\d+$/.test(typed) || port > 65_535) throw new InvalidValue('must be a port from 0 to 65535');
  return port;
}
