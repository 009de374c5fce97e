import { TaskpipeError } from '../core/base/errors.ts';
import { count, flag, path, text, value, values } from '../core/options/declare.ts';
import { InvalidValue, type OptionValues } from '../core/options/option.ts';
import { CONCEALED } from '../core/options/secrets.ts';
import { patience } from '../core/options/server-patience.ts';
import { PASSWORD_VARIABLE } from '../core/redis/redis-address.ts';
import type { QueueSettings } from './index.ts';

/** Options for the connection, for every command that uses queues. */
export const connectionOptions = {
  queue: text(
    'url of the queues: redis://HOST:PORT/DB, rediss:// with TLS, redis+sentinel://, postgres://HOST/DATABASE, or nats://HOST:PORT',
    {
      placeholder: 'URL',
    },
  ),
  name: values('name of the queue; may be repeated', 'NAME', toName),
  passwordFile: path(
    'read the password of the server from this file; default: TASK_REDIS_PASSWORD, TASK_NATS_PASSWORD, or PGPASSWORD and PGPASSFILE',
  ),
  volatile: flag('accept a server that loses its data when it stops, or evicts it when it is full'),
  patience,
};

/** File with these options, which is read if no queue is given. */
export const SERVER_FILE = './server.json';

/** Options for the parts of the url, mostly from a file: `--config server.json`. */
export const serverOptions = {
  backend: value(
    'kind of server, redis, instead of a url, for example in a --config file',
    'redis',
    toBackend,
  ),
  ip: text('host, instead of a url', { placeholder: 'HOST' }),
  port: value('port, instead of a url', 'PORT', toPort),
  db: count('number of the database, instead of a url', { min: 0, default: 0 }),
  password: text('password of Redis, for a --config file: other users can read a command line', {
    env: PASSWORD_VARIABLE,
    redact: () => CONCEALED,
  }),
};

function toName(typed: string): string {
  if (!/^[^\p{Cc}:{}#]{1,100}$/u.test(typed))
    throw new InvalidValue('must be a name of at most 100 characters, without : # { }');
  return typed;
}

/** Reasons why other backends of chihuo and achihuo are not available, and what to do. */
const OTHER_BACKENDS: Readonly<Record<string, string>> = {
  lodis:
    'lodis does not run the scripts by which tasks move in one step; start Redis 6.2 or Valkey, and give backend=redis with its ip and port',
  memory:
    'a queue in the memory of one process is a pipe, which needs no task-queue: task-load a.csv | task-exec --module work.mjs | task-save out.csv, where ctx.add() of the module adds tasks; for several processes, start Redis 6.2 or Valkey, and give backend=redis with its ip and port',
};

function toBackend(typed: string): string {
  if (typed === 'redis') return typed;
  const reason = Object.hasOwn(OTHER_BACKENDS, typed) ? `: ${OTHER_BACKENDS[typed]}` : '';
  throw new InvalidValue(`must be redis${reason}`);
}

function toPort(typed: string): number {
  const port = Number(typed);
  if (!/^\d{1,5}$/.test(typed) || port < 1 || port > 65_535)
    throw new InvalidValue('must be a port, 1 to 65535');
  return port;
}

/**
 * Returns the url from the options; undefined if they have none.
 * @throws {TaskpipeError} `USAGE` if only the kind of the server is given
 */
export function urlOf(
  options: Partial<OptionValues<typeof connectionOptions & typeof serverOptions>>,
): string | undefined {
  const { queue, backend, ip, port, db = 0 } = options;
  if (queue !== undefined && queue !== '') return queue;
  if (ip === undefined && backend !== undefined)
    throw new TaskpipeError(
      'USAGE',
      'backend=redis needs the host of the server: add "ip" to the --config file, as in {"backend": "redis", "ip": "127.0.0.1", "port": 6379}, or --ip HOST',
    );
  if (ip === undefined && port === undefined) return undefined;
  const host = ip ?? '127.0.0.1';
  return `redis://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port ?? 6379}/${db}`;
}

/** Checks the names of queues. @throws {TaskpipeError} `USAGE` if there is none, or one is given twice */
export function namesOf(names: readonly string[]): readonly string[] {
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined)
    throw new TaskpipeError('USAGE', `--name must name each queue once; got ${JSON.stringify(twice)} twice`);
  if (names.length === 0)
    throw new TaskpipeError('USAGE', 'name the queue with --name, as in --name crawl (or TASK_NAME=crawl)');
  return names;
}

/** Returns the settings from the options. */
export function settingsOf(
  {
    volatile: mayForget,
    patience,
    passwordFile,
    password,
  }: OptionValues<typeof connectionOptions> & { readonly password?: string | undefined },
  { env, warn, stopping, aborting }: Pick<QueueSettings, 'env' | 'warn' | 'stopping' | 'aborting'>,
): QueueSettings {
  const secrets = password ? { ...env, [PASSWORD_VARIABLE]: password } : env;
  return { env: secrets, warn, stopping, aborting, volatile: mayForget, patience, passwordFile };
}
