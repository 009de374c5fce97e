import { type JsonRecord, readJsonRecords } from '../core/ndjson.ts';
import { REPLACEMENT, recoded } from '../core/text.ts';
import type { Loader, ReadOptions } from './loader.ts';
import { JsonLoaded } from './objects.ts';

/** NDJSON: a record a line. What another stage wrote can be loaded again; what failed is so run again. */
export const ndjson: Loader = async function* (bytes, options) {
  for await (const records of readJsonRecords(recoded(bytes, options.encoding), options)) {
    yield records
      .filter((record) => isDecoded(record, options))
      .map((record) => new JsonLoaded(record, options));
  }
};

/** Tells of bytes that `--encoding` could not decode. */
export function isDecoded({ text, line }: JsonRecord, { encoding, source, reject }: ReadOptions): boolean {
  if (encoding === undefined || !text.includes(REPLACEMENT)) return true;
  reject({ source, line, code: 'ENCODING', message: `not valid ${encoding} (--encoding)`, text });
  return false;
}
