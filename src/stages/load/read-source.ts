import { quote } from 'shlex';
import { TaskpipeError } from '../../core/base/errors.ts';
import { isS3 } from '../../core/s3/s3-address.ts';
import { needsMoreForEncoding } from '../../core/text/encoding.ts';
import { EncodingHints } from '../../core/text/encoding-hints.ts';
import { MAX_LINE, type Reject } from '../../core/text/lines.ts';
import {
  canSniff,
  type Format,
  formatByName,
  formatByStart,
  type Loaded,
  type Loader,
  loaderFor,
  openerFor,
  type PlainRows,
  type ReadOptions,
} from '../../loaders/index.ts';
import { checkContent, noteFormat, noteOtherFormat } from '../../loaders/source/content.ts';
import { isTelling, openSource, peek, sourceName } from '../../loaders/source/sources.ts';
import type { PlainMaker } from './load-lines.ts';
import type { LoadOptions } from './load-options.ts';
import { bytesOf, ROWS, type RowSource } from './load-rows.ts';
import type { LoadCounts } from './load-tasks.ts';
import { hintsOf, refuseUnused } from './used-options.ts';

/**
 * Returns the options of the loaders for one source.
 * @param plain takes rows as bytes; undefined if the caller needs tasks
 */
export function readOptions(
  from: string | RowSource,
  options: LoadOptions,
  plain: PlainMaker | undefined,
): ReadOptions {
  const needed = new Map<string, string>();
  for (const name of options.select ?? []) needed.set(name, '--select');
  for (const name of options.require ?? []) needed.set(name, '--require');
  for (const name of options.uuidFields ?? []) needed.set(name, '--uuid-fields');
  return {
    source: typeof from === 'string' ? sourceName(from) : ROWS,
    reject: options.reject ?? refuse,
    maxLine: options.maxLine ?? MAX_LINE,
    encoding: options.encoding,
    delimiter: options.delimiter,
    quote: options.quote,
    escape: options.escape,
    skip: options.skip ?? 0,
    comment: options.comment,
    header: options.header ?? true,
    columns: options.columns,
    field: options.field ?? 'line',
    null: options.null ?? false,
    select: options.select,
    rename: new Map(options.rename),
    uuidFields: options.uuidFields ?? [],
    needed,
    query: options.query,
    table: options.table,
    sheet: options.sheet,
    ...{ patience: options.patience, signal: options.signal },
    info: options.info ?? (() => {}),
    encodingHints: new EncodingHints(),
    takesPlain: plain?.takes,
  };
}

const refuse: Reject = ({ source, line, message }) => {
  throw new TaskpipeError('DATA', `${source}:${line}: ${message}`);
};

/** Context of the load, for reading one of its files. */
interface Load {
  readonly paths: readonly unknown[];
  readonly counts: LoadCounts;
  readonly typed: ReadonlySet<string> | undefined;
}

/** Reads the records of one source: chooses the format, opens it, and passes its bytes to the loader. */
export async function* readRecords(
  path: string | RowSource,
  read: ReadOptions,
  options: LoadOptions,
  { paths, counts, typed }: Load,
): AsyncGenerator<readonly Loaded[] | PlainRows> {
  if (typeof path !== 'string')
    return yield* loadBytes('ndjson', bytesOf(path, read.reject, options.signal), read);
  const noStdin = (): never => {
    throw new TaskpipeError('USAGE', 'load() reads "-" only with the option stdin');
  };
  const hints = hintsOf(options, typed);
  const known = formatByName(path, hints);
  const isStream = path === '-' || isS3(path);
  const open = known === undefined || isStream ? undefined : openerFor(known);
  if (open !== undefined) return yield* open(path, read);
  if (known !== undefined) mustBeStream(known, read);
  const onRead = (count: number): void => {
    counts.bytes += count;
  };
  const { stdin = noStdin, signal, patience } = options;
  const bytes = uncut(openSource(path, stdin, onRead, signal, { patience, warn: read.info }), signal);
  const { first, all } = await peek(
    bytes,
    (start) => read.null || (hasStart(start) && (known !== undefined || canSniff(start))),
  );
  const format = known ?? formatByStart(first, hints);
  if (known === undefined && paths.length === 1) refuseUnused([format], options, typed);
  const opener = isStream ? undefined : openerFor(format);
  if (opener !== undefined) return yield* opener(path, read);
  if (read.null) return yield* loadBytes(format, all, read);
  if (known === undefined) noteFormat(format, first, read);
  else if (options.format === undefined && options.field === undefined) noteOtherFormat(format, first, read);
  const checked = checkContent(first, format, read);
  yield* loadBytes(format, checked.encoding === undefined ? read.encodingHints.watch(all) : all, checked);
}

/** Returns whether these bytes are enough to detect the format of a file and its encoding. */
function hasStart(first: Buffer): boolean {
  return isTelling(first) && !needsMoreForEncoding(first);
}

function loadBytes(
  format: Format,
  bytes: AsyncIterable<Buffer>,
  read: ReadOptions,
): AsyncIterable<readonly Loaded[] | PlainRows> {
  return mustBeStream(format, read)(bytes, read);
}

/**
 * Returns the loader of a format. @throws {TaskpipeError} `USAGE` if the format is read by the path of a file
 */
function mustBeStream(format: Format, { source }: ReadOptions): Loader {
  const loader = loaderFor(format);
  if (loader !== undefined) return loader;
  const remedy = isS3(source) ? `an object; copy it first: aws s3 cp ${quote(source)} .` : 'a pipe; name it';
  throw new TaskpipeError('USAGE', `${source}: ${format} is read from a file, not from ${remedy}`);
}

/**
 * Yields all bytes. Throws at the end if `signal` cut them short: half a row must not count as a whole one.
 */
async function* uncut(bytes: AsyncIterable<Buffer>, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  yield* bytes;
  signal?.throwIfAborted();
}
