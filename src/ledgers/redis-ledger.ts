import { hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import type { ChainableCommander } from 'ioredis';
import { TaskpipeError } from '../core/base/errors.ts';
import { IdSet } from '../core/ids/index.ts';
import { type RedisAddress, redisAddress } from '../core/redis/redis-address.ts';
import { connectRedis, type RedisLink, type RedisSettings } from '../core/redis/redis-client.ts';
import { assertKeyTypes, finishedKey, membersOf, undoneKey } from '../core/redis/redis-keys.ts';
import { realPath } from '../core/storage/durable.ts';
import type { Entry, Ledger, LedgerSettings, LedgerWriter, OutputHistory, Seal } from './contract.ts';

/**
 * Returns a ledger in Redis, for many machines: `redis://host/0#name`. It also has the tasks that the queue of that
 * name has finished. It is a set of uuids, so a crash cannot tear an entry.
 * @param warn writes a line to stderr
 * @throws {TaskpipeError} `USAGE` if the place is an invalid url
 */
export function redisLedger(
  place: string,
  warn: (message: string) => void,
  waits: LedgerSettings = {},
): Ledger {
  const settings: RedisSettings = { ...waits, warn };
  const address = redisAddress(place, { env: {} });
  const name = nameIn(address);
  const finished = finishedKey(name);
  const undone = undoneKey(name);
  const within = <T>(work: (link: RedisLink) => Promise<T>): Promise<T> => connected(address, settings, work);
  return {
    place: address.place,
    finished: () => within((link) => idsOf(link, finished)),
    list: () => listed(address, settings, finished),
    history: (output) => within((link) => historyOf(link, name, output)),
    rowsIn: (output) => listed(address, settings, savedKey(name, outputName(output))),
    open: (output) => openWriter(address, settings, output),
    check: () =>
      within(async ({ client }) => {
        const counts = { finished: await client.scard(finished), undone: await client.scard(undone) };
        return { lines: counts.finished + counts.undone, bad: 0, ...counts };
      }),
    compact: () =>
      within(async ({ client }) => {
        const size = await client.scard(finished);
        return { before: size, after: size };
      }),
    clear: () =>
      within(async ({ client }) => {
        const outputs = await client.hkeys(endsKey(name));
        await client.unlink(
          finished,
          undone,
          endsKey(name),
          sealsKey(name),
          ...outputs.map((out) => savedKey(name, out)),
        );
      }),
  };
}

function nameIn({ name, place }: RedisAddress): string {
  if (name === undefined || !/^[^\p{Cc}:{}#]{1,100}$/u.test(name))
    throw new TaskpipeError(
      'USAGE',
      `a ledger in Redis has a name behind a #, as in ${place.split('#')[0]}#crawl`,
    );
  return name;
}

/** Returns the key of a hash: by output, the size up to which it is known (`end`). */
function endsKey(name: string): string {
  return `taskpipe:${name}:ends`;
}

/**
 * Returns the key of a hash: by output, its last seal as JSON, and `overField` if entries follow the seal.
 */
function sealsKey(name: string): string {
  return `taskpipe:${name}:seals`;
}

function overField(output: string): string {
  return `${output}\0over`;
}

/** Returns the key of the set of uuids whose rows are in an output. */
function savedKey(name: string, output: string): string {
  return `taskpipe:${name}:saved:${output}`;
}

/**
 * Returns the name of an output in the ledger. The name includes the host name, because many machines may have the
 * same path. A link in the path of the output is not resolved, so that its target counts as the same output.
 */
function outputName(path: string): string {
  if (path.includes('://')) return path; // a table of a server
  return `${hostname()}:${join(realPath(dirname(resolve(path))), basename(path))}`;
}

/** Connects, and checks that no other program uses the keys of the ledger. */
async function connect(address: RedisAddress, settings: RedisSettings): Promise<RedisLink> {
  const link = await connectRedis(address, settings);
  const name = nameIn(address);
  try {
    await link.run(() =>
      assertKeyTypes(link, {
        ...{ [finishedKey(name)]: 'set', [undoneKey(name)]: 'set' },
        ...{ [endsKey(name)]: 'hash', [sealsKey(name)]: 'hash' },
      }),
    );
    return link;
  } catch (error) {
    link.close();
    throw error;
  }
}

async function connected<T>(
  address: RedisAddress,
  settings: RedisSettings,
  work: (link: RedisLink) => Promise<T>,
): Promise<T> {
  const link = await connect(address, settings);
  try {
    return await link.run(() => work(link));
  } finally {
    link.close();
  }
}

async function idsOf({ client }: RedisLink, key: string): Promise<IdSet> {
  const ids = new IdSet({ expected: await client.scard(key) });
  for await (const members of membersOf(client, key)) for (const uuid of members) ids.add(uuid);
  return ids;
}

async function* listed(
  address: RedisAddress,
  settings: RedisSettings,
  key: string,
): AsyncGenerator<readonly string[]> {
  const link = await connect(address, settings);
  const met = new IdSet(); // a scan may return a member twice
  try {
    for await (const members of membersOf(link.client, key)) yield members.filter((uuid) => met.add(uuid));
  } catch (error) {
    throw link.fault(error);
  } finally {
    link.close();
  }
}

async function historyOf(link: RedisLink, name: string, path: string): Promise<OutputHistory> {
  const output = outputName(path);
  const saved = await idsOf(link, savedKey(name, output));
  const undone = new IdSet();
  for await (const members of membersOf(link.client, undoneKey(name)))
    for (const uuid of members) if (saved.has(uuid)) undone.add(uuid);
  const end = await link.client.hget(endsKey(name), output);
  const seal = await link.client.hget(sealsKey(name), output);
  const isOver = (await link.client.hget(sealsKey(name), overField(output))) !== null;
  return {
    saved,
    undone,
    seal: seal === null ? undefined : (JSON.parse(seal) as Seal),
    isSealed: seal !== null && !isOver,
    end: end === null ? undefined : Number(end),
    verifiedEnd: Number(end ?? 0),
    hasGap: false,
  };
}

async function openWriter(
  address: RedisAddress,
  settings: RedisSettings,
  path: string | undefined,
): Promise<LedgerWriter> {
  const name = nameIn(address);
  const output = path === undefined ? undefined : outputName(path);
  const link = await connect(address, settings);
  const know = async (end: number, seal?: Seal): Promise<void> => {
    if (output === undefined) throw new TaskpipeError('USAGE', 'the ledger was opened for no output');
    await link.keep(() => {
      const change = link.client.multi().hset(endsKey(name), output, end);
      if (seal === undefined) change.hset(sealsKey(name), overField(output), 1);
      else change.hset(sealsKey(name), output, JSON.stringify(seal)).hdel(sealsKey(name), overField(output));
      return committed(change);
    });
  };
  return {
    append: (entries) => link.keep(() => append(link, name, output, entries)),
    appendRows: (uuids, ends, from) => {
      const entries = uuids.map((uuid, i): Entry => {
        const end = ends[i] as number;
        return end < 0 ? { uuid } : { uuid, end: from + end };
      });
      return link.keep(() => append(link, name, output, entries));
    },
    know: (end, _, seal) => know(end, seal),
    check: async () => {}, // a key cannot be renamed under a writer without an error
    close: async () => link.close(),
  };
}

/** Adds all entries or none, in one transaction. */
async function append(
  { client }: RedisLink,
  name: string,
  output: string | undefined,
  entries: readonly Entry[],
): Promise<void> {
  const named = (are: (entry: Entry) => boolean): string[] => entries.filter(are).map(({ uuid }) => uuid);
  const marked = named(({ undone }) => undone !== true);
  const unmarked = named(({ undone }) => undone === true);
  const gone = named((entry) => entry.gone === true);
  const change = client.multi();
  if (marked.length > 0) change.sadd(finishedKey(name), ...marked).srem(undoneKey(name), ...marked);
  if (unmarked.length > 0) change.srem(finishedKey(name), ...unmarked).sadd(undoneKey(name), ...unmarked);
  if (output !== undefined) {
    const ends = entries.flatMap(({ end }) => end ?? []);
    const end = ends.reduce((most, one) => Math.max(most, one), 0);
    if (marked.length > 0) change.sadd(savedKey(name, output), ...marked);
    if (gone.length > 0) change.srem(savedKey(name, output), ...gone);
    // An output in a database has no end, but its name is needed to clear the ledger.
    if (ends.length > 0) change.hset(endsKey(name), output, end);
    else change.hsetnx(endsKey(name), output, 0);
    change.hset(sealsKey(name), overField(output), 1);
  }
  if (entries.length > 0) await committed(change);
}

async function committed(change: ChainableCommander): Promise<void> {
  for (const [error] of (await change.exec()) ?? []) if (error) throw error;
}
