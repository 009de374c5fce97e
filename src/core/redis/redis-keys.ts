/*
 * Our keys in Redis, beside those of BullMQ, which begin with `bull:`. The ledger of a queue has the name of
 * the queue: `redis://h/0#crawl` holds the finished tasks of the queue `crawl`.
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
