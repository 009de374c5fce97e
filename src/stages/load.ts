import { TaskpipeError } from '../core/errors.ts';
import { stableHash } from '../core/idkey.ts';
import { IdSet } from '../core/idset.ts';
import { MAX_LINE, type Reject } from '../core/lines.ts';
import { Task } from '../core/task.ts';
import { finishedIn } from '../ledgers/index.ts';
import { identify, NoIdentity } from '../loaders/identity.ts';
import {
  canSniff,
  type Format,
  formatOf,
  type Loaded,
  loaderFor,
  openerFor,
  type ReadOptions,
  sniffFormat,
} from '../loaders/index.ts';
import { checkSources, openSource, peek, sourceName } from '../loaders/sources.ts';
import { checkLoadOptions, type LoadOptions } from './load-options.ts';
import { type Sample, sampleOf } from './sample.ts';

export type { LoadOptions } from './load-options.ts';

/** What a load has done so far. */
export interface LoadCounts {
  /** Records that were read and have a uuid. */
  read: number;
  /** Tasks that came out. */
  loaded: number;
  /** Left out as the ledger says they are finished. */
  finished: number;
  /** Left out as their uuid came before. */
  duplicates: number;
  /** Bytes that were read of files, as they are on the disk. */
  bytes: number;
}

/** Tasks, in batches as they are read. */
export interface Loading extends AsyncIterable<readonly Task[]> {
  readonly counts: Readonly<LoadCounts>;
}

/**
 * Reads tasks from files: CSV, TSV, NDJSON, a JSON array or plain lines, packed with gzip or not.
 * @param from a path or several; `-` is the standard input
 * @throws {TaskpipeError} `IO` where a file can't be read, `DATA` where one can't be understood
 */
export function load(from: string | readonly string[], options: LoadOptions = {}): Loading {
  checkLoadOptions(options);
  const counts: LoadCounts = { read: 0, loaded: 0, finished: 0, duplicates: 0, bytes: 0 };
  const paths = typeof from === 'string' ? [from] : from;
  return { counts, [Symbol.asyncIterator]: () => batches(paths, options, counts) };
}

async function* batches(
  paths: readonly string[],
  options: LoadOptions,
  counts: LoadCounts,
): AsyncGenerator<readonly Task[]> {
  await checkSources(paths);
  const finished =
    options.ledger === undefined || options.again ? undefined : await finishedIn(options.ledger);
  const toTask = taskMaker(options, counts, finished);
  const sample = options.sample === undefined ? undefined : sampleOf(options.sample);
  const { limit = Number.POSITIVE_INFINITY, signal } = options;
  for (const path of paths) {
    const read = readOptions(path, options);
    const records = readRecords(path, read, options, counts);
    try {
      for await (const batch of records) {
        const tasks: Task[] = [];
        for (const record of batch) {
          const task = toTask(record, read);
          if (task !== undefined) tasks.push(task);
        }
        if (sample !== undefined) sample.add(tasks);
        else {
          if (tasks.length > limit - counts.loaded) tasks.length = limit - counts.loaded;
          counts.loaded += tasks.length;
          yield tasks; // also an empty one: whoever takes it may flush
        }
        if (counts.loaded >= limit || (signal?.aborted && path !== '-')) return;
      }
    } catch (error) {
      if (!signal?.aborted) throw error;
      break;
    }
  }
  if (sample !== undefined) yield sampled(sample, limit, counts);
}

function sampled(sample: Sample, limit: number, counts: LoadCounts): readonly Task[] {
  const tasks = sample.tasks().slice(0, limit);
  counts.loaded = tasks.length;
  return tasks;
}

function readOptions(path: string, options: LoadOptions): ReadOptions {
  const needed = new Map<string, string>();
  for (const name of options.select ?? []) needed.set(name, '--select');
  for (const name of options.require ?? []) needed.set(name, '--require');
  for (const name of options.uuidFields ?? []) needed.set(name, '--uuid-fields');
  return {
    source: sourceName(path),
    reject: options.reject ?? refuse,
    maxLine: options.maxLine ?? MAX_LINE,
    encoding: options.encoding,
    delimiter: options.delimiter,
    header: options.header ?? true,
    columns: options.columns,
    field: options.field ?? 'line',
    select: options.select,
    rename: options.rename ?? new Map(),
    needed,
    query: options.query,
    table: options.table,
    note: options.note ?? (() => {}),
  };
}

const refuse: Reject = ({ source, line, message }) => {
  throw new TaskpipeError('DATA', `${source}:${line}: ${message}`);
};

async function* readRecords(
  path: string,
  read: ReadOptions,
  options: LoadOptions,
  counts: LoadCounts,
): AsyncGenerator<readonly Loaded[]> {
  const noStdin = (): never => {
    throw new TaskpipeError('USAGE', 'load() reads "-" only where the option stdin says how');
  };
  const isTable = options.delimiter ?? options.columns ?? (options.header === false ? '' : undefined);
  const isDatabase = options.query ?? options.table;
  const other = isTable === undefined ? isDatabase && 'sqlite' : 'csv';
  const known = options.format ?? formatOf(path) ?? (other as Format | undefined);
  const open = known === undefined || path === '-' ? undefined : openerFor(known);
  if (open !== undefined) return yield* open(path, read);
  if (isDatabase !== undefined)
    throw new TaskpipeError(
      'USAGE',
      `--query and --table are for a database, as in tasks.db; got ${read.source}`,
    );
  const onRead = (count: number): void => {
    counts.bytes += count;
  };
  const bytes = uncut(openSource(path, options.stdin ?? noStdin, onRead, options.signal), options.signal);
  if (known !== undefined) return yield* loadBytes(known, bytes, read);
  const { first, all } = await peek(bytes, canSniff);
  const format = sniffFormat(first);
  const opener = path === '-' ? undefined : openerFor(format);
  if (opener !== undefined) return yield* opener(path, read);
  if (first.length > 0) read.note(`${read.source}: read as ${format}, by its first bytes (--format)`);
  yield* loadBytes(format, all, read);
}

function loadBytes(
  format: Format,
  bytes: AsyncIterable<Buffer>,
  read: ReadOptions,
): AsyncIterable<readonly Loaded[]> {
  const loader = loaderFor(format);
  if (loader === undefined)
    throw new TaskpipeError(
      'USAGE',
      `${read.source}: ${format} is read from a file; name one, as in tasks.db`,
    );
  return loader(bytes, read);
}

/** Bytes to their end. Where `signal` has cut that short, it throws: half of a row must not pass for a whole one. */
async function* uncut(bytes: AsyncIterable<Buffer>, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  yield* bytes;
  signal?.throwIfAborted();
}

type ToTask = (record: Loaded, read: ReadOptions) => Task | undefined;

/** What makes a record a task, or leaves it out. */
function taskMaker(options: LoadOptions, counts: LoadCounts, finished: IdSet | undefined): ToTask {
  const { offset = 0, shard, duplicates = 'skip', require = [], uuid: version } = options;
  const identity = identify(options);
  const isRandom = version === 4 || version === 7;
  const seen = duplicates === 'keep' || isRandom ? undefined : new IdSet();
  return (record, read) => {
    const { source, reject } = read;
    if (record.fault !== undefined) {
      reject({ source, line: record.line, code: 'OBJECT', message: record.fault, text: record.source });
      return undefined;
    }
    const missing = require.find((name) =>
      ((text) => text === undefined || text === '' || text === 'null')(record.text(name)),
    );
    if (missing !== undefined) {
      const message = `${JSON.stringify(missing)} is missing or empty (--require)`;
      reject({ source, line: record.line, code: 'REQUIRED', message, text: record.source });
      return undefined;
    }
    const uuid = identity(record);
    if (uuid instanceof NoIdentity) {
      reject({ source, line: record.line, code: 'UUID', message: uuid.why, text: record.source });
      return undefined;
    }
    counts.read++;
    if (counts.read <= offset) return undefined;
    if (shard !== undefined && stableHash(uuid) % shard.of !== shard.index - 1) return undefined;
    if (finished?.has(uuid)) {
      counts.finished++;
      return undefined;
    }
    if (seen !== undefined && !seen.add(uuid)) {
      if (duplicates === 'fail') {
        throw new TaskpipeError(
          'DATA',
          `${source}:${record.line}: the uuid ${uuid} came before (--duplicates fail)`,
        );
      }
      counts.duplicates++;
      return undefined;
    }
    return new Task(uuid, record.toLine(uuid));
  };
}
