import { byteFields } from '../core/text/byte-text.ts';
import { decodeAs, REPLACEMENT } from '../core/text/encoding.ts';
import { tooLong } from '../core/text/lines.ts';
import type { Loader, ReadOptions } from './contract.ts';
import { JsonLoaded } from './json/json-records.ts';

const NUL = 0;

/**
 * Reads names that end with NUL, as `find -print0` writes them: each becomes a record with one attribute, also if it has
 * newlines or is not UTF-8. Skips empty ones.
 */
export const names: Loader = async function* (bytes, options) {
  const { field, comment, skip, source } = options;
  let number = 0;
  let isEnded = false;
  for await (const { pieces, isLast } of split(bytes, options.maxLine)) {
    const batch: JsonLoaded[] = [];
    for (const piece of pieces) {
      number++;
      if (number <= skip || piece?.length === 0) continue;
      if (comment !== undefined && piece?.toString().startsWith(comment)) continue;
      const fields = fieldsOf(piece, number, options);
      if (fields === undefined) continue;
      const record = { text: JSON.stringify(fields), fields, line: number };
      batch.push(new JsonLoaded(record, options));
    }
    if (!isLast) isEnded ||= pieces.length > 0;
    else if (!isEnded && pieces[0]?.includes('\n'))
      options.info(`${source}: read as one ${field}, since it has no NUL (--null): find needs -print0`);
    yield batch;
  }
};

/** Returns the attribute of a piece; undefined for a rejected one. */
function fieldsOf(
  piece: Buffer | undefined,
  line: number,
  { field, encoding, maxLine, source, reject }: ReadOptions,
): Record<string, string> | undefined {
  if (piece === undefined) {
    reject({ source, line, ...tooLong(maxLine) });
    return undefined;
  }
  if (encoding === undefined) return byteFields(field, piece);
  const text = decodeAs(piece, encoding);
  if (!text.includes(REPLACEMENT)) return { [field]: text };
  reject({ source, line, code: 'ENCODING', message: `not valid ${encoding} (--encoding)`, text });
  return undefined;
}

/** Pieces that a chunk completes; one over the limit is undefined. */
interface Pieces {
  readonly pieces: readonly (Buffer | undefined)[];
  /** True for the text after the last NUL. */
  readonly isLast: boolean;
}

async function* split(chunks: AsyncIterable<Buffer>, most: number): AsyncGenerator<Pieces> {
  let kept: Buffer[] = [];
  let length = 0;
  const keep = (part: Buffer): void => {
    length += part.length;
    if (length > most) kept = [];
    else if (part.length > 0) kept.push(part);
  };
  const take = (part: Buffer): Buffer | undefined => {
    keep(part);
    const piece = length > most ? undefined : Buffer.concat(kept);
    kept = [];
    length = 0;
    return piece;
  };
  for await (const chunk of chunks) {
    const pieces: (Buffer | undefined)[] = [];
    let from = 0;
    for (let at = chunk.indexOf(NUL); at >= 0; at = chunk.indexOf(NUL, from)) {
      pieces.push(take(chunk.subarray(from, at)));
      from = at + 1;
    }
    keep(chunk.subarray(from));
    yield { pieces, isLast: false };
  }
  if (length > 0) yield { pieces: [take(Buffer.alloc(0))], isLast: true };
}
