import type { RedisLink, RedisSettings } from './contract.ts';
import type { RedisAddress } from './redis-address.ts';
import { openLink } from './redis-link.ts';
import { checkServer } from './redis-server.ts';

export type { RedisLink, RedisSettings } from './contract.ts';

/**
 * Connects, and checks that the server can be trusted with tasks.
 * @throws {TaskpipeError} `IO` if the server is not available, rejects the login, is a read-only copy or is
 *   too old; `USAGE` if it is a cluster, or may lose data and `address.volatile` is not set
 */
export async function connectRedis(address: RedisAddress, settings: RedisSettings = {}): Promise<RedisLink> {
  const link = await openLink(address, settings);
  try {
    checkServer(await link.client.info(), address);
    return link;
  } catch (error) {
    link.close();
    throw link.fault(error);
  }
}
