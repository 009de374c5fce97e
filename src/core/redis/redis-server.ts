import { TaskpipeError } from '../base/errors.ts';
import type { RedisAddress } from './redis-address.ts';

/** Oldest supported version: it introduced commands that are needed here. */
const OLDEST = [6, 2] as const;

/** Returns a function that reads values of the answer to the command INFO. */
export function infoReader(info: string): (key: string) => string {
  return (key) => new RegExp(`^${key}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
}

/**
 * Checks that a server can be trusted with tasks.
 * @param info answer to the command INFO
 * @throws {TaskpipeError} `IO` if the server is a read-only copy or too old; `USAGE` if it is a cluster, or may lose data
 *   and `volatile` is not set
 */
export function checkServer(info: string, { place, volatile: mayForget }: RedisAddress): void {
  const of = infoReader(info);
  const refuse = (code: 'IO' | 'USAGE', words: string): never => {
    throw new TaskpipeError(code, `${place} ${words}`);
  };
  const [major = 0, minor = 0] = of('redis_version').split('.').map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
    refuse('IO', `is Redis ${of('redis_version')}; 6.2 or later is needed, or Valkey`);
  if (of('redis_mode') === 'cluster' || of('cluster_enabled') === '1')
    refuse(
      'USAGE',
      'is a node of a Redis Cluster, which cannot change all keys of a queue in one step; use one server (cluster-enabled no), and for failover a replica with Sentinel: redis+sentinel://HOST:PORT,HOST:PORT/PRIMARY',
    );
  if (of('redis_mode') === 'sentinel')
    refuse(
      'USAGE',
      `is a Sentinel; use ${place.replace('://', '+sentinel://').replace(/\/\d*(?=#|$)/, '')}/PRIMARY`,
    );
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
