import { readFileSync } from 'node:fs';
import type { Redis, RedisOptions } from 'ioredis';
import { ioError, messageOf, TaskpipeError } from '../base/errors.ts';
import type { RedisAddress } from './redis-address.ts';
import { watchSilence } from './redis-silence.ts';

export interface RedisSettings {
  /** Maximum time that Redis may be unreachable, in milliseconds; then it is an error. Default one minute. */
  readonly patience?: number | undefined;
  /** Writes a line to stderr. */
  readonly warn?: ((message: string) => void) | undefined;
  /** Aborted to wait only shortly for an unreachable Redis. */
  readonly stopping?: AbortSignal | undefined;
  /** Aborted to stop waiting for an unreachable Redis. */
  readonly aborting?: AbortSignal | undefined;
}

/** Connection that is restored automatically as long as patience lasts. */
export interface RedisLink {
  readonly client: Redis;
  readonly address: RedisAddress;
  /**
   * Number of reconnections. Commands in flight at a reconnection were sent again, and may have run twice.
   */
  readonly returns: number;
  /** Returns the time of the server, in milliseconds since the epoch: the clocks of machines may differ by minutes. */
  now(): number;
  /**
   * Runs `work`, and runs it again if the connection was lost meanwhile: it may then run twice.
   * @throws {TaskpipeError} `IO`, with the reason
   */
  run<T>(work: () => Promise<T>): Promise<T>;
  /** Returns the error of a command or of the connection, with its reason in words. */
  fault(error: unknown): TaskpipeError;
  close(): void;
}

/** Default of `--patience`, in milliseconds. */
export const PATIENCE = 60_000;

/** Time for which an unavailable server is waited for after a stop was requested, in milliseconds. */
const STOPPING = 2000;

/** Error of a server that accepts connections and does not answer. */
const NO_ANSWER = 'ETIMEDOUT';

/** Errors that retrying cannot fix. */
const HOPELESS = /WRONGPASS|NOAUTH|NOPERM|invalid password|certificate|self.signed|wrong version number/i;

/**
 * Connects, and checks that the server can be trusted with tasks.
 * @throws {TaskpipeError} `IO` if the server is not available, rejects the login, is a read-only copy or is
 *   too old; `USAGE` if it may lose data and `address.volatile` is not set
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
  const { patience = PATIENCE, warn, stopping, aborting } = settings;
  const { place } = address;
  let last: unknown;
  let awaySince = performance.now();
  let isAway = true;
  let returns = -1;
  let isClosed = false;
  /** Time of the server less that of this machine, in milliseconds. */
  let ahead = 0;
  const isOver = (): boolean => {
    const limit = stopping?.aborted ? Math.min(patience, STOPPING) : patience;
    return isAway && (aborting?.aborted === true || performance.now() - awaySince >= limit);
  };
  const options: RedisOptions = {
    ...optionsOf(address),
    retryStrategy: (times) => {
      return isOver() || HOPELESS.test(messageOf(last)) ? null : Math.min(times * 50, 500);
    },
  };
  const client = new Redis({ ...options, replyMapping: 'legacy' });
  const noteFault = (error: unknown): void => {
    if (last === undefined && returns < 0 && !HOPELESS.test(messageOf(error)))
      warn?.(`cannot reach ${place}: ${reasonOf(error)}; trying for ${patience / 1000} s`);
    last = error;
  };
  client.on('error', (error: unknown) => {
    noteFault(error);
    if (HOPELESS.test(messageOf(error))) client.disconnect();
  });
  const unwatch = watchSilence(client, {
    ...{ patience, aborting, isOver },
    onSilence(isLast) {
      if (isLast) last ??= new Error(NO_ANSWER);
      else noteFault(new Error(NO_ANSWER));
    },
  });
  client.on('end', unwatch);
  client.on('close', () => {
    if (isAway || isClosed) return;
    isAway = true;
    awaySince = performance.now();
    warn?.(`${place} went away; waiting for it up to ${patience / 1000} s`);
  });
  client.on('ready', () => {
    if (++returns > 0) warn?.(`${place} is back`);
    isAway = false;
    last = undefined;
    const learn = ([seconds, micros]: readonly (number | string)[]): void => {
      ahead = Number(seconds) * 1000 + Number(micros) / 1000 - Date.now();
    };
    client.time().then(learn, () => {}); // a lost connection is reported elsewhere
  });
  const link: RedisLink = {
    client,
    address,
    now: () => Math.round(Date.now() + ahead),
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
    disconnectTimeout: 500,
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

/** Oldest supported version: it introduced commands that are needed here. */
const OLDEST = [6, 2] as const;

/** @param info answer to the command INFO */
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
  const [first] = (error as { previousErrors?: readonly unknown[] } | null)?.previousErrors ?? []; // of a transaction
  const cause = /Connection is closed/.test(messageOf(error)) ? (last ?? error) : (first ?? error);
  return new TaskpipeError('IO', `${place}: ${reasonOf(cause)}`, { cause });
}

/** Patterns of errors of Redis or the network, each with its meaning and remedy. */
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
  [
    /^OOM|OOM command|EXECABORT.*OOM/s,
    'its memory is full (maxmemory); let workers take tasks, or give it more',
  ],
  [/MISCONF/, 'it cannot write to its disk; is that full?'],
  [/wrong version number/, 'it does not speak TLS; is redis:// meant?'],
  [/certificate|self.signed/i, 'its certificate is not trusted; name its authority with ?ca=FILE in the url'],
  [/Connection is closed|ECONNRESET/, 'the connection was closed; is rediss:// meant?'],
];

function reasonOf(error: unknown): string {
  const words = messageOf(error);
  return REASONS.find(([pattern]) => pattern.test(words))?.[1] ?? words;
}
