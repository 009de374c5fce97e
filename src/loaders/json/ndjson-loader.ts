import { isUtf8 } from 'node:buffer';
import { parsedLines, parseLines, parseRecord, type RecordReject } from '../../core/record/ndjson.ts';
import { REPLACEMENT, recoded } from '../../core/text/encoding.ts';
import { type BadInput, type Lines, type Reject, readBlocks, splitLines } from '../../core/text/lines.ts';
import type { Loaded, Loader, ReadOptions } from '../contract.ts';
import type { PlainRows } from '../table/plain-rows.ts';
import { freshReader } from './fresh-record.ts';
import { JsonLoaded } from './json-records.ts';
import { recordReader, type SimdRecords } from './simd-records.ts';

const NEWLINE = 10;

/**
 * Reads NDJSON: one record per line. Records of another stage can be loaded again, for example to retry
 * failures.
 */
export const ndjson: Loader = (bytes, options) => ndjsonOf(recoded(bytes, options.encoding), options);

/** Reads NDJSON in UTF-8. */
export async function* ndjsonOf(
  bytes: AsyncIterable<Buffer>,
  options: ReadOptions,
): AsyncGenerator<Loaded[] | PlainRows> {
  const reject: Reject = (bad) => options.reject({ ...bad, message: bad.message + hintFor(bad, options) });
  const fresh = freshReader(options);
  const parse = (text: string, line: number): Loaded | RecordReject | undefined => {
    const found = fresh?.(text, line);
    if (found !== undefined) return found;
    const record = parseRecord(text);
    return record === undefined || 'code' in record ? record : new JsonLoaded({ ...record, line }, options);
  };
  const told = { ...options, reject };
  const reader = recordReader(options);
  if (reader !== undefined) {
    const toRecords = (lines: Lines): Loaded[] => parsedLines(lines, told, parse);
    yield* readBlocks(bytes, told, (block, first) => inRows(block, first, { reader, toRecords, ...options }));
    return;
  }
  for await (const records of parseLines(bytes, told, parse))
    yield options.encoding === undefined ? records : records.filter((record) => isDecoded(record, options));
}

interface RowOptions {
  readonly reader: SimdRecords;
  /** Parses the lines that the reader does not read. */
  readonly toRecords: (lines: Lines) => Loaded[];
  readonly maxLine: number;
}

/** Maximum size of the lines that are parsed together after one that the reader does not read, in bytes. */
const LARGE = 64 * 1024;
/** Number of rows that is worth a switch from records to rows. */
const WORTH = 64;

/** Yields rows, and records for the lines that the reader does not read. Returns the number of lines. */
function* inRows(bytes: Buffer, first: number, options: RowOptions): Generator<Loaded[] | PlainRows, number> {
  const { reader, toRecords, maxLine } = options;
  const isText = isUtf8(bytes);
  let line = first;
  let stretch = 0;
  for (let at = 0; at <= bytes.length; ) {
    const rows = isText ? reader.read(bytes.subarray(at), line) : undefined;
    if (rows !== undefined) {
      yield rows;
      line += rows.length;
      at += rows.end;
      if (rows.length >= WORTH) stretch = 0;
      if (at > bytes.length) break;
    }
    const newline = isText ? bytes.indexOf(NEWLINE, at + stretch) : -1;
    const end = newline < 0 ? bytes.length : newline;
    const lines = splitLines(bytes.subarray(at, end), line, maxLine);
    yield toRecords(lines);
    line += lines.texts.length;
    at = end + 1;
    stretch = Math.min(LARGE, 2 * stretch + 1024);
  }
  return line - first;
}

/** Returns a hint for a line that is not a record, or ''. */
function hintFor({ code, text }: BadInput, { encodingHints }: ReadOptions): string {
  if (code === 'UTF8') return encodingHints.hint(text);
  if (code === 'JSON' && /^\s*[{[]\s*$/.test(text))
    return '; a record of several lines is read with --format json';
  if (code === 'JSON' && text.startsWith('\x1e'))
    return '; records that begin with RS are read with --format json';
  return '';
}

/** Returns true if `--encoding` could decode the record; otherwise rejects the record. */
export function isDecoded(
  { source: text, line }: Loaded,
  { encoding, source, reject }: ReadOptions,
): boolean {
  if (encoding === undefined || !text.includes(REPLACEMENT)) return true;
  reject({ source, line, code: 'ENCODING', message: `not valid ${encoding} (--encoding)`, text });
  return false;
}
