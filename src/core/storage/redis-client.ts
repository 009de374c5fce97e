import { readFileSync } from 'node:fs';
import type { Redis, RedisOptions } from 'ioredis';
import { ioError, messageOf, TaskpipeError } from '../base/errors.ts';
import type { RedisAddress } from './redis-address.ts';

export interface RedisSettings {
  /** How long it may be away before that is an error, in milliseconds. Default one minute. */
  readonly patience?: number | undefined;
  /** A line on stderr. */
  readonly say?: ((message: string) => void) | undefined;
  /** It is waited for no longer where it is away. */
  readonly leaving?: AbortSignal | undefined;
}

/** A connection, which comes back by itself as long as patience lasts. */
export interface RedisLink {
  readonly client: Redis;
  readonly address: RedisAddress;
  /** How often it came back. What was under way then was sent again, and may have been done twice. */
  readonly returns: number;
  /**
   * Does something, and does it again where the connection was lost on the way: it may then be done twice.
   * @throws {TaskpipeError} `IO`, with what went wrong in words
   */
  run<T>(work: () => Promise<T>): Promise<T>;
  /** What went wrong, in words: of a command, or of the connection. */
  fault(error: unknown): TaskpipeError;
  close(): void;
}

/** The default of `--patience`, in milliseconds. */
export const PATIENCE = 60_000;

/** No time makes these better. */
const HOPELESS = /WRONGPASS|NOAUTH|NOPERM|invalid password|certificate|self.signed|wrong version number/i;

/**
 * Connects, and sees to it that the server can be trusted with tasks.
 * @throws {TaskpipeError} `IO` if there is no server, it refuses the login, is a read-only copy or too old; `USAGE` if
 *   it may forget and `address.volatile` is not set
 */
export async function connectRedis(address: RedisAddress, settings: RedisSettings = {}): Promise<RedisLink> {
  const link = await open(address, settings);
  try {
    checkServer(await link.client.info(), address);
    return link;
  } catch (error) {
    link.close();
    throw link.fault(error);
  }
}

async function open(address: RedisAddress, settings: RedisSettings): Promise<RedisLink> {
  const { Redis } = await import('ioredis');
  const { patience = PATIENCE, say, leaving } = settings;
  const { place } = address;
  let last: unknown;
  let awaySince = Date.now();
  let isAway = true;
  let returns = -1;
  let isClosed = false;
  const options: RedisOptions = {
    ...optionsOf(address),
    retryStrategy: (times) => {
      const isOver = Date.now() - awaySince >= patience || leaving?.aborted === true;
      return isOver || HOPELESS.test(messageOf(last)) ? null : Math.min(times * 50, 500);
    },
  };
  const client = new Redis({ ...options, replyMapping: 'legacy' });
  client.on('error', (error: unknown) => {
    if (last === undefined && returns < 0 && !HOPELESS.test(messageOf(error)))
      say?.(`no answer from ${place}: ${reasonOf(error)}; trying for ${patience / 1000} s`);
    last = error;
    if (HOPELESS.test(messageOf(error))) client.disconnect();
  });
  client.on('close', () => {
    if (isAway || isClosed) return;
    isAway = true;
    awaySince = Date.now();
    say?.(`${place} went away; waiting for it up to ${patience / 1000} s`);
  });
  client.on('ready', () => {
    if (++returns > 0) say?.(`${place} is back`);
    isAway = false;
    last = undefined;
  });
  const link: RedisLink = {
    client,
    address,
    get returns() {
      return Math.max(0, returns);
    },
    async run(work) {
      for (;;) {
        try {
          return await work();
        } catch (error) {
          if (!/Command aborted/.test(messageOf(error))) throw link.fault(error);
        }
      }
    },
    fault: (error) => faultOf(error, last, address),
    close() {
      isClosed = true;
      client.disconnect();
    },
  };
  await new Promise<void>((resolve, reject) => {
    client.once('ready', resolve);
    client.once('end', () => reject(link.fault(new Error('Connection is closed.'))));
    client.connect().catch(() => {}); // its events report it
  });
  return link;
}

function optionsOf({ host, port, db, user, password, tls }: RedisAddress): RedisOptions {
  return {
    ...{ host, port, db, lazyConnect: true, maxRetriesPerRequest: null, enableAutoPipelining: true },
    connectTimeout: 5000,
    keepAlive: 10_000,
    ...(user === undefined ? {} : { username: user }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls: tls.ca === undefined ? {} : { ca: authority(tls.ca) } }),
  };
}

function authority(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw ioError('cannot read the authority in', file, error);
  }
}

/** Commands that this needs came with 6.2. */
const OLDEST = [6, 2] as const;

/** @param info what INFO says */
function checkServer(info: string, { place, volatile: mayForget }: RedisAddress): void {
  const of = (key: string): string => new RegExp(`^${key}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  const refuse = (code: 'IO' | 'USAGE', words: string): never => {
    throw new TaskpipeError(code, `${place} ${words}`);
  };
  const [major = 0, minor = 0] = of('redis_version').split('.').map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
    refuse('IO', `is Redis ${of('redis_version')}; 6.2 or later is needed, or Valkey`);
  if (of('role') === 'slave')
    refuse('IO', `is a read-only copy; give its primary, ${of('master_host')}:${of('master_port')}`);
  if (mayForget) return;
  if (of('aof_enabled') !== '1')
    refuse(
      'USAGE',
      'forgets tasks when it stops: set "appendonly yes" in redis.conf (or: redis-cli CONFIG SET appendonly yes), or accept that with --volatile (?volatile in the url of a ledger)',
    );
  const policy = of('maxmemory_policy');
  if (Number(of('maxmemory')) > 0 && policy !== 'noeviction')
    refuse(
      'USAGE',
      `drops tasks when its memory is full (maxmemory-policy ${policy}): set "maxmemory-policy noeviction", or accept that with --volatile`,
    );
}

function faultOf(error: unknown, last: unknown, { place }: RedisAddress): TaskpipeError {
  if (error instanceof TaskpipeError) return error;
  const cause = /Connection is closed/.test(messageOf(error)) ? (last ?? error) : error;
  return new TaskpipeError('IO', `${place}: ${reasonOf(cause)}`, { cause });
}

/** What Redis or the network says, and what to do about it. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, 'connection refused; is Redis running there?'],
  [/ENOTFOUND|EAI_AGAIN/, 'no such host; is its name right?'],
  [/ETIMEDOUT/, 'no answer; is the address right, and the port open?'],
  [
    /WRONGPASS|invalid password/,
    'wrong user or password; see TASK_REDIS_PASSWORD, --password-file and the url',
  ],
  [/NOAUTH/, 'a password is needed: TASK_REDIS_PASSWORD, --password-file, or the url'],
  [/NOPERM/, 'the user may not do this; see ACL SETUSER in the manual of Redis'],
  [/READONLY/, 'it is a read-only copy now; give its primary'],
  [/^OOM|OOM command/, 'its memory is full (maxmemory); let workers take tasks, or give it more'],
  [/MISCONF/, 'it cannot write to its disk; is that full?'],
  [/wrong version number/, 'it does not speak TLS; is redis:// meant?'],
  [/certificate|self.signed/i, 'its certificate is not trusted; name its authority with ?ca=FILE in the url'],
  [/Connection is closed|ECONNRESET/, 'the connection was closed; is rediss:// meant?'],
];

function reasonOf(error: unknown): string {
  const words = messageOf(error);
  return REASONS.find(([pattern]) => pattern.test(words))?.[1] ?? words;
}
