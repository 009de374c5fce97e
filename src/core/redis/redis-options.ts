import type { AbstractConnector, Redis, RedisOptions } from 'ioredis';
import type { RedisAddress } from './redis-address.ts';
import { connectorOf, type ServerRules } from './redis-connector.ts';
import { faultOf } from './redis-faults.ts';
import { tlsOptions } from './redis-tls.ts';

/**
 * Decisions of a link on its connections. With Sentinel, which finds the primary, decisions on a server are not used.
 */
export interface ConnectionRules extends ServerRules {
  /** Returns the time before attempt number `times`, in milliseconds; null to give up. */
  delay(times: number): number | null;
  /** Called when a server still loads its data; it is asked again. */
  onLoading(): void;
}

/** Classes of ioredis, which is loaded only when it is needed. */
interface Classes {
  readonly Redis: new (options: RedisOptions) => Redis;
  readonly AbstractConnector: typeof AbstractConnector;
}

/** Makes a client that is not connected yet. @throws {TaskpipeError} see `tlsOptions` */
export function makeClient(classes: Classes, address: RedisAddress, rules: ConnectionRules): Redis {
  const { host, port, db, user, password, tls, sentinels } = address;
  const secure = tls === undefined ? undefined : tlsOptions(tls);
  const options: RedisOptions = {
    ...{ host, port, db, lazyConnect: true, maxRetriesPerRequest: null, enableAutoPipelining: true },
    ...{
      connectTimeout: 5000,
      disconnectTimeout: 500,
      maxLoadingRetryTime: 1000,
      keepAlive: 10_000,
      replyMapping: 'legacy',
    },
    retryStrategy: (times) => rules.delay(times),
    ...(user === undefined ? {} : { username: user }),
    ...(password === undefined ? {} : { password }),
    ...(secure === undefined ? {} : { tls: secure }),
    ...(sentinels === undefined
      ? { Connector: connectorOf(classes.AbstractConnector, rules) }
      : sentinelOptions(sentinels, secure, rules)),
  };
  const client = new classes.Redis(options);
  watchInfo(client, address, rules);
  return client;
}

/**
 * Watches the answers to INFO with which ioredis determines whether a server is ready. A missing permission is an
 * error here: ioredis alone prints a warning, and continues as if the server were ready.
 */
function watchInfo(client: Redis, address: RedisAddress, rules: ConnectionRules): void {
  const ask = client.info.bind(client) as (...args: unknown[]) => Promise<string>;
  const asking = (...args: unknown[]): Promise<string> => {
    const answer = args.at(-1);
    if (typeof answer !== 'function') return ask(...args);
    const report = (error: unknown, info: unknown): void => {
      if (/^loading:1/m.test(String(info))) rules.onLoading();
      const isDenied = error instanceof Error && error.message.includes('NOPERM');
      answer(isDenied ? faultOf(error, undefined, address) : error, info);
    };
    return ask(...args.slice(0, -1), report);
  };
  client.info = asking as Redis['info'];
}

function sentinelOptions(
  { hosts, primary, user, password }: NonNullable<RedisAddress['sentinels']>,
  secure: ReturnType<typeof tlsOptions> | undefined,
  rules: ConnectionRules,
): RedisOptions {
  return {
    sentinels: hosts.map(({ host, port }) => ({ host, port })),
    name: primary,
    sentinelCommandTimeout: 2000,
    sentinelRetryStrategy: (times) => rules.delay(times),
    ...(user === undefined ? {} : { sentinelUsername: user }),
    ...(password === undefined ? {} : { sentinelPassword: password }),
    ...(secure === undefined ? {} : { sentinelTLS: secure, enableTLSForSentinelMode: true }),
  };
}

/** Returns the text of a Lua script that a client has defined, by its SHA-1; undefined if there is none. */
export function scriptOf({ scriptsSet }: Redis, sha: string): string | undefined {
  const scripts = Object.values(scriptsSet as Readonly<Record<string, { lua: string; sha: string }>>);
  return scripts.find((script) => script.sha === sha)?.lua;
}
