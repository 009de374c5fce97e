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

/** Tells whether the first sentinel that answers names another primary than the one of a connection. */
export async function isMoved(
  Client: new (options: RedisOptions) => Redis,
  { sentinels, tls }: RedisAddress,
  { stream }: Redis,
): Promise<boolean> {
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
      return Number(at) !== remotePort || !addresses.includes(remoteAddress.replace(/^::ffff:/, ''));
    } catch {
      // the next one may answer
    } finally {
      sentinel.disconnect();
    }
  }
  return false;
}
