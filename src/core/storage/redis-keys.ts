/*
 * What we keep in Redis beside BullMQ's own keys, which begin with `bull:`. The ledger of a queue has the name of the
 * queue: `redis://h/0#crawl` is what the queue `crawl` knows to be finished.
 */

/** The set of the uuids that are finished. */
export function finishedKey(name: string): string {
  return `taskpipe:${name}:finished`;
}

/** The set of those that were taken back. */
export function undoneKey(name: string): string {
  return `taskpipe:${name}:undone`;
}

/** The members of a set, in batches; members that come or go meanwhile may be in or not. */
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
