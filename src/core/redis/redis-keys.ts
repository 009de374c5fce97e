import { TaskpipeError } from '../base/errors.ts';
import type { RedisLink } from './contract.ts';

/*
 * Our keys in Redis. (The keys of BullMQ begin with `bull:`.) The ledger of a queue has the name of the queue:
 * `redis://h/0#crawl` holds the finished tasks of the queue `crawl`.
 */

/** Returns the key of the set of finished uuids. */
export function finishedKey(name: string): string {
  return `taskpipe:${name}:finished`;
}

/** Returns the key of the set of uuids that are no longer finished and must be run again. */
export function undoneKey(name: string): string {
  return `taskpipe:${name}:undone`;
}

/**
 * Yields the members of a set in batches. Members that are added or removed meanwhile may be missing or
 * present.
 */
export async function* membersOf(
  client: { sscan(key: string, cursor: string, count: 'COUNT', by: number): Promise<[string, string[]]> },
  key: string,
): AsyncGenerator<readonly string[]> {
  for (let cursor = ''; cursor !== '0'; ) {
    const [next, members] = await client.sscan(key, cursor || '0', 'COUNT', 5000);
    cursor = next;
    yield members;
  }
}

/** Types of keys, as the command TYPE returns them. */
export type KeyTypes = Readonly<Record<string, 'string' | 'list' | 'set' | 'zset' | 'hash' | 'stream'>>;

/**
 * Checks that no other program uses these keys for something else. A script that finds such a key in the middle of
 * its work would leave it half done.
 * @throws {TaskpipeError} `DATA` with the name of the key
 */
export async function assertKeyTypes({ client, address }: RedisLink, expected: KeyTypes): Promise<void> {
  const keys = Object.keys(expected);
  const types = await Promise.all(keys.map((key) => client.type(key)));
  for (const [i, key] of keys.entries()) {
    const type = types[i] as string;
    if (type === 'none' || type === expected[key]) continue;
    throw new TaskpipeError(
      'DATA',
      `${address.place}: the key ${key} is a ${type}, and here a ${expected[key]} is needed: another program uses this name. Nothing was changed. Use another --name (or #NAME of a ledger), or another database, or move the key: redis-cli RENAME ${key} ${key}.old`,
    );
  }
}
