import { parseLines, parseRecord, type RecordReject } from '../../core/record/ndjson.ts';
import { REPLACEMENT, recoded } from '../../core/text/encoding.ts';
import type { BadInput, Reject } from '../../core/text/lines.ts';
import type { Loaded, Loader, ReadOptions } from '../contract.ts';
import { freshReader } from './fresh-record.ts';
import { JsonLoaded } from './json-records.ts';

/**
 * Reads NDJSON: one record per line. Records of another stage can be loaded again, for example to retry
 * failures.
 */
export const ndjson: Loader = (bytes, options) => ndjsonOf(recoded(bytes, options.encoding), options);

/** Reads NDJSON in UTF-8. */
export async function* ndjsonOf(
  bytes: AsyncIterable<Buffer>,
  options: ReadOptions,
): AsyncGenerator<Loaded[]> {
  const reject: Reject = (bad) => options.reject({ ...bad, message: bad.message + hintFor(bad, options) });
  const fresh = freshReader(options);
  const parse = (text: string, line: number): Loaded | RecordReject | undefined => {
    const found = fresh?.(text, line);
    if (found !== undefined) return found;
    const record = parseRecord(text);
    return record === undefined || 'code' in record ? record : new JsonLoaded({ ...record, line }, options);
  };
  for await (const records of parseLines(bytes, { ...options, reject }, parse))
    yield options.encoding === undefined ? records : records.filter((record) => isDecoded(record, options));
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
