import { TaskpipeError } from '../core/errors.ts';
import { MAX_LINE, type Reject } from '../core/lines.ts';
import type { Task } from '../core/task.ts';
import { textOf } from '../core/words.ts';
import { finishedIn } from '../ledgers/index.ts';
import {
  canSniff,
  type Format,
  formatOf,
  type Loaded,
  loaderFor,
  openerFor,
  PlainRows,
  type ReadOptions,
  sniffFormat,
} from '../loaders/index.ts';
import { checkSources, openSource, peek, sourceName } from '../loaders/sources.ts';
import { type PlainMaker, plainMaker } from './load-lines.ts';
import { checkLoadOptions, type LoadOptions } from './load-options.ts';
import { type LeftOut, type LoadCounts, taskMaker } from './load-tasks.ts';
import { type Sample, sampleOf } from './sample.ts';
import { Seen } from './seen.ts';

export type { LoadOptions } from './load-options.ts';
export type { LoadCounts } from './load-tasks.ts';

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
  return loading(from, options, { ofTasks: (tasks) => tasks });
}

/** The lines of tasks, each with its newline, in pieces as they are read. */
export interface LoadingLines extends AsyncIterable<string | Buffer> {
  readonly counts: Readonly<LoadCounts>;
}

/** Reads tasks as `load` does, and gives them as lines. Where it can it makes these without the tasks, which is faster. */
export function loadLines(from: readonly string[], options: LoadOptions): LoadingLines {
  return loading<string | Buffer>(from, options, { ofTasks: textOf, ofLines: (lines) => lines });
}

/** What those who load get, of what was read together. */
interface Yield<T> {
  ofTasks(tasks: readonly Task[]): T;
  /** Undefined where there are to be tasks. */
  readonly ofLines?: (lines: Buffer) => T;
}

function loading<T>(
  from: string | readonly string[],
  options: LoadOptions,
  give: Yield<T>,
): AsyncIterable<T> & { readonly counts: LoadCounts } {
  checkLoadOptions(options);
  const counts: LoadCounts = { read: 0, loaded: 0, finished: 0, duplicates: 0, bytes: 0 };
  const paths = typeof from === 'string' ? [from] : from;
  return { counts, [Symbol.asyncIterator]: () => batches(paths, options, counts, give) };
}

async function* batches<T>(
  paths: readonly string[],
  options: LoadOptions,
  counts: LoadCounts,
  give: Yield<T>,
): AsyncGenerator<T> {
  await checkSources(paths);
  const leftOut = await leftOutBy(options);
  yield* unfinished(paths, options, counts, leftOut, give);
  const warning = leftOut.seen?.warning;
  if (warning !== undefined) options.note?.(warning);
}

async function* unfinished<T>(
  paths: readonly string[],
  options: LoadOptions,
  counts: LoadCounts,
  leftOut: LeftOut,
  { ofTasks, ofLines }: Yield<T>,
): AsyncGenerator<T> {
  const toTask = taskMaker(options, counts, leftOut);
  const plain = ofLines && plainMaker(options, counts, leftOut);
  const sample = options.sample === undefined ? undefined : sampleOf(options.sample);
  const { limit = Number.POSITIVE_INFINITY, signal } = options;
  for (const path of paths) {
    const read = readOptions(path, options, plain);
    const records = readRecords(path, read, options, counts);
    try {
      for await (const batch of records) {
        if (batch instanceof PlainRows) {
          if (plain !== undefined && ofLines !== undefined) yield ofLines(plain.toLines(batch, read.source));
        } else {
          const tasks = tasksOf(batch, (record) => toTask(record, read));
          if (sample !== undefined) sample.add(tasks);
          else {
            if (tasks.length > limit - counts.loaded) tasks.length = limit - counts.loaded;
            counts.loaded += tasks.length;
            yield ofTasks(tasks); // also where there are none: whoever takes it may flush
          }
        }
        if (counts.loaded >= limit || (signal?.aborted && path !== '-')) return;
      }
    } catch (error) {
      if (!signal?.aborted) throw error;
      break;
    }
  }
  if (sample !== undefined) yield ofTasks(sampled(sample, limit, counts));
}

function tasksOf(batch: readonly Loaded[], toTask: (record: Loaded) => Task | undefined): Task[] {
  const tasks: Task[] = [];
  for (const record of batch) {
    const task = toTask(record);
    if (task !== undefined) tasks.push(task);
  }
  return tasks;
}

async function leftOutBy({ ledger, again, duplicates, uuid }: LoadOptions): Promise<LeftOut> {
  const finished = ledger === undefined || again ? undefined : await finishedIn(ledger);
  const isRandom = uuid === 4 || uuid === 7;
  return { finished, seen: duplicates === 'keep' || isRandom ? undefined : new Seen() };
}

function sampled(sample: Sample, limit: number, counts: LoadCounts): readonly Task[] {
  const tasks = sample.tasks().slice(0, limit);
  counts.loaded = tasks.length;
  return tasks;
}

function readOptions(path: string, options: LoadOptions, plain: PlainMaker | undefined): ReadOptions {
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
    uuidFields: options.uuidFields ?? [],
    needed,
    query: options.query,
    table: options.table,
    note: options.note ?? (() => {}),
    takesPlain: plain?.takes,
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
): AsyncGenerator<readonly Loaded[] | PlainRows> {
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
): AsyncIterable<readonly Loaded[] | PlainRows> {
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
