import { number, textOf } from '../../core/base/format.ts';
import type { Task } from '../../core/record/task.ts';
import { finishedIn } from '../../ledgers/index.ts';
import { type Loaded, PlainRows } from '../../loaders/index.ts';
import { checkSources } from '../../loaders/source/sources.ts';
import { plainMaker } from './load-lines.ts';
import { checkLoadOptions, type LoadOptions } from './load-options.ts';
import { isPaths, type RowSource } from './load-rows.ts';
import { type LeftOut, type LoadCounts, taskMaker } from './load-tasks.ts';
import { readOptions, readRecords } from './read-source.ts';
import { type Sample, sampleOf } from './sample.ts';
import { Seen } from './seen-uuids.ts';
import { usedOptions } from './used-options.ts';

export type { LoadOptions } from './load-options.ts';
export type { RowSource } from './load-rows.ts';
export type { LoadCounts } from './load-tasks.ts';

/** Number of duplicates in a row that end a load with a limit: an endless input may have no other tasks. */
const MANY_DUPLICATES = 10_000;

/** Tasks, in batches as they are read. */
export interface Loading extends AsyncIterable<readonly Task[]> {
  readonly counts: Readonly<LoadCounts>;
}

/**
 * Reads tasks from files (CSV, TSV, NDJSON, a JSON array, plain lines, sitemaps, workbooks, Parquet or SQLite; text may be packed, or an object in S3) or from rows
 * in memory:
 *
 *     const rows = [{ url: 'https://example.com/1' }, { url: 'https://example.com/2' }];
 *     for await (const tasks of load(rows, { uuidFields: ['url'] })) {
 *       for (const task of tasks) console.log(task.uuid, attribute(task.fields, 'url'));
 *     }
 *
 * @param from one or several paths (`-` is standard input), or an iterable of objects, each taken as its JSON
 * @throws {TaskpipeError} `IO` if a file cannot be read, `DATA` if input is invalid and no `reject` is given
 */
export function load(from: string | readonly string[] | RowSource, options: LoadOptions = {}): Loading {
  return loading(from, options, { ofTasks: (tasks) => tasks });
}

/** Lines of tasks, each with its newline, in pieces as they are read. */
export interface LoadingLines extends AsyncIterable<string | Buffer> {
  readonly counts: Readonly<LoadCounts>;
}

/**
 * Reads tasks as `load` does, and returns them as lines. If possible it makes the lines without tasks, which
 * is faster.
 * @param typed options that are an error if the format of a file does not use them; others are then ignored
 */
export function loadLines(
  from: readonly string[],
  options: LoadOptions,
  typed?: ReadonlySet<string>,
): LoadingLines {
  return loading<string | Buffer>(from, options, { ofTasks: textOf, ofLines: (lines) => lines, typed });
}

/** Form in which a load gives its batches to the caller. */
interface Yield<T> {
  ofTasks(tasks: readonly Task[]): T;
  /** Absent if the caller needs tasks. */
  readonly ofLines?: (lines: Buffer) => T;
  /** Options that are an error if they have no effect. Default: all that are given. */
  readonly typed?: ReadonlySet<string> | undefined;
}

function loading<T>(
  from: string | readonly string[] | RowSource,
  options: LoadOptions,
  give: Yield<T>,
): AsyncIterable<T> & { readonly counts: LoadCounts } {
  checkLoadOptions(options);
  const counts: LoadCounts = {
    ...{ read: 0, loaded: 0, finished: 0, duplicates: 0, bytes: 0 },
    last: undefined,
  };
  const sources = isPaths(from) ? [from].flat() : [from];
  const used = usedOptions(
    sources.filter((source) => typeof source === 'string'),
    options,
    give.typed,
  );
  return { counts, [Symbol.asyncIterator]: () => batches(sources, used, counts, give) };
}

async function* batches<T>(
  sources: readonly (string | RowSource)[],
  options: LoadOptions,
  counts: LoadCounts,
  give: Yield<T>,
): AsyncGenerator<T> {
  const { patience, info: warn, signal: aborting } = options;
  await checkSources(
    sources.filter((source) => typeof source === 'string'),
    { patience, warn, aborting },
  );
  const leftOut = await leftOutBy(options);
  yield* unfinished(sources, options, counts, leftOut, give);
  const warning = leftOut.seen?.warning;
  if (warning !== undefined) options.info?.(warning);
}

async function* unfinished<T>(
  sources: readonly (string | RowSource)[],
  options: LoadOptions,
  counts: LoadCounts,
  leftOut: LeftOut,
  { ofTasks, ofLines, typed }: Yield<T>,
): AsyncGenerator<T> {
  const toTask = taskMaker(options, counts, leftOut);
  const plain = ofLines && plainMaker(options, counts, leftOut);
  const sample = options.sample === undefined ? undefined : sampleOf(options.sample);
  const { limit = Number.POSITIVE_INFINITY, signal } = options;
  if (limit === 0) return;
  let known = 0; // number of duplicates at the last batch with tasks
  for (const source of sources) {
    const read = readOptions(source, options, plain);
    const records = readRecords(source, read, options, { paths: sources, counts, typed });
    try {
      for await (const batch of records) {
        const line = batch instanceof PlainRows ? batch.lastLine : batch.at(-1)?.line;
        if (line !== undefined) counts.last = `${read.source}:${line}`;
        if (batch instanceof PlainRows) {
          if (plain !== undefined && ofLines !== undefined) yield ofLines(plain.toLines(batch, read.source));
        } else {
          const tasks = tasksOf(batch, (record) => toTask(record, read));
          if (sample !== undefined) sample.add(tasks);
          else {
            if (tasks.length > limit - counts.loaded) tasks.length = limit - counts.loaded;
            counts.loaded += tasks.length;
            if (tasks.length > 0) known = counts.duplicates;
            yield ofTasks(tasks); // even an empty batch: the consumer may flush
          }
        }
        if (counts.loaded >= limit || (signal?.aborted && source !== '-')) return;
        if (limit < Number.POSITIVE_INFINITY && counts.duplicates - known >= MANY_DUPLICATES) {
          read.info(
            `the last ${number(MANY_DUPLICATES)} records were duplicates: no more are read (--limit)`,
          );
          return;
        }
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

async function leftOutBy(options: LoadOptions): Promise<LeftOut> {
  const { ledger, again, duplicates, uuid, info, patience, signal: stopping } = options;
  const isUsed = ledger !== undefined && !again;
  const finished = isUsed ? await finishedIn(ledger, info, { patience, stopping }) : undefined;
  const isRandom = uuid === 4 || uuid === 7;
  return { finished, seen: duplicates === 'keep' || isRandom ? undefined : new Seen() };
}

function sampled(sample: Sample, limit: number, counts: LoadCounts): readonly Task[] {
  const tasks = sample.tasks().slice(0, limit);
  counts.loaded = tasks.length;
  return tasks;
}
