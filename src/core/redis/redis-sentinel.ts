import { lookup } from 'node:dns/promises';
import type { Redis, RedisOptions } from 'ioredis';
import type { RedisAddress, Sentinels } from './redis-address.ts';
import { tlsOptions } from './redis-tls.ts';

/** Time for the answer of a sentinel, in milliseconds. */
const ANSWERING = 1000;

/** Returns the options of ioredis for the credentials of the sentinels. */
export function sentinelLogin({ user, password }: Sentinels): Pick<RedisOptions, 'username' | 'password'> {
  return {
    ...(user === undefined ? {} : { username: user }),
    ...(password === undefined ? {} : { password }),
  };
}

/**
 * View of the sentinels: another primary than the one of a connection, or a primary without a replica that could replace it.
 * `unknown` is anything else.
 */
export type PrimaryState = 'moved' | 'alone' | 'unknown';

/** Asks the sentinels about the primary of a connection. The first that answers decides. */
export async function primaryState(
  Client: new (options: RedisOptions) => Redis,
  { sentinels, tls }: RedisAddress,
  { stream }: Redis,
): Promise<PrimaryState> {
  for (const { host, port } of sentinels?.hosts ?? []) {
    const sentinel = new Client({
      ...{ host, port, lazyConnect: true, retryStrategy: () => null, enableReadyCheck: false },
      ...{ connectTimeout: ANSWERING, commandTimeout: ANSWERING, replyMapping: 'legacy' },
      ...sentinelLogin(sentinels as Sentinels),
      ...(tls === undefined ? {} : { tls: tlsOptions(tls) }),
    });
    sentinel.on('error', () => {}); // the next one may answer
    try {
      const answer = await sentinel.call('SENTINEL', 'get-master-addr-by-name', sentinels?.primary ?? '');
      const [name = '', at] = (answer ?? []) as string[];
      const { remoteAddress = '', remotePort } = stream as { remoteAddress?: string; remotePort?: number };
      const addresses = (await lookup(name, { all: true })).map(({ address }) => address);
      if (Number(at) !== remotePort || !addresses.includes(remoteAddress.replace(/^::ffff:/, '')))
        return 'moved';
      const replicas = await sentinel.call('SENTINEL', 'replicas', sentinels?.primary ?? '');
      return (replicas as string[][]).every(isDown) ? 'alone' : 'unknown';
    } catch {
      // the next one may answer
    } finally {
      sentinel.disconnect();
    }
  }
  return 'unknown';
}

/** @param fields names and values of a replica, in turn */
function isDown(fields: readonly string[]): boolean {
  return /s_down|disconnected/.test(fields[fields.indexOf('flags') + 1] ?? '');
}
