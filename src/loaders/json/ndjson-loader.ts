import { type JsonRecord, readJsonRecords } from '../../core/record/ndjson.ts';
import { REPLACEMENT, recoded } from '../../core/text/encoding.ts';
import type { BadInput, Reject } from '../../core/text/lines.ts';
import type { Loader, ReadOptions } from '../contract.ts';
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
): AsyncGenerator<JsonLoaded[]> {
  const reject: Reject = (bad) => options.reject({ ...bad, message: bad.message + hintFor(bad, options) });
  for await (const records of readJsonRecords(bytes, { ...options, reject })) {
    yield records
      .filter((record) => isDecoded(record, options))
      .map((record) => new JsonLoaded(record, options));
  }
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

/** Returns true if `--encoding` could decode the record; else rejects it. */
export function isDecoded({ text, line }: JsonRecord, { encoding, source, reject }: ReadOptions): boolean {
  if (encoding === undefined || !text.includes(REPLACEMENT)) return true;
  reject({ source, line, code: 'ENCODING', message: `not valid ${encoding} (--encoding)`, text });
  return false;
}
