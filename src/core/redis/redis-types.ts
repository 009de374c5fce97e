import { TaskpipeError } from '../base/errors.ts';
import type { RedisLink } from './contract.ts';

/** Types of keys, as the command TYPE names them. */
export type KeyTypes = Readonly<Record<string, 'string' | 'list' | 'set' | 'zset' | 'hash' | 'stream'>>;

/**
 * Checks that no other program uses these keys for something else. A script that meets such a key half-way would leave its
 * work half done.
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
