import { TaskpipeError } from '../core/base/errors.ts';
import { duration, flag, path, text, value, values } from '../core/options/declare.ts';
import { InvalidValue, type OptionValues } from '../core/options/option.ts';
import { PATIENCE } from '../core/redis/redis-client.ts';
import type { QueueSettings } from './index.ts';

/** Options for the connection, for every command that uses queues. */
export const connectionOptions = {
  queue: text('url of the queues: redis://HOST:PORT/DB, rediss:// with TLS, or redis+sentinel://', {
    placeholder: 'URL',
  }),
  name: values('name of the queue; may be repeated', 'NAME', toName),
  passwordFile: path(
    'read the password of Redis from this file; default: TASK_REDIS_PASSWORD, or in the url',
  ),
  volatile: flag('accept a Redis that loses its data when it stops, or evicts it when it is full'),
  patience: duration('time that Redis may be unavailable before the command fails', {
    default: PATIENCE,
    defaultText: '1m',
  }),
};

/** Options that give the url in parts, mostly from a file: `--config server.json`. */
export const serverOptions = {
  backend: value(
    'kind of server, redis, instead of a url, for example in a --config file',
    'redis',
    toBackend,
  ),
  ip: text('host, instead of a url', { placeholder: 'HOST' }),
  port: value('port, instead of a url', 'PORT', toPort),
};

function toName(typed: string): string {
  if (!/^[^\p{Cc}:{}#]{1,100}$/u.test(typed))
    throw new InvalidValue('must be a name of at most 100 characters, without : # { }');
  return typed;
}

function toBackend(typed: string): string {
  if (typed !== 'redis') throw new InvalidValue('must be redis');
  return typed;
}

function toPort(typed: string): number {
  const port = Number(typed);
  if (!/^\d{1,5}$/.test(typed) || port < 1 || port > 65_535)
    throw new InvalidValue('must be a port, 1 to 65535');
  return port;
}

/** Returns the url that the options give; undefined if they give none. */
export function urlOf(
  options: Partial<OptionValues<typeof connectionOptions & typeof serverOptions>>,
): string | undefined {
  const { queue, ip, port } = options;
  if (queue !== undefined && queue !== '') return queue;
  if (ip === undefined && port === undefined) return undefined;
  const host = ip ?? '127.0.0.1';
  return `redis://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port ?? 6379}/0`;
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

/** Returns the settings that the options give. */
export function settingsOf(
  { volatile: mayForget, patience, passwordFile }: OptionValues<typeof connectionOptions>,
  { env, warn, stopping, aborting }: Pick<QueueSettings, 'env' | 'warn' | 'stopping' | 'aborting'>,
): QueueSettings {
  return { env, warn, stopping, aborting, volatile: mayForget, patience, passwordFile };
}
