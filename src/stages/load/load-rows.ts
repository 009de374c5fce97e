import { userJson } from '../../core/base/user-json.ts';
import { MAX_DEPTH } from '../../core/record/ndjson.ts';
import type { Reject } from '../../core/text/lines.ts';

/** Rows in memory or from another program: objects, each one task. */
export type RowSource = Iterable<object> | AsyncIterable<object>;

/** Name of rows in messages, in place of a path. */
export const ROWS = 'rows';

/** Size of the pieces in which rows in memory are handed on, in characters. */
const CHUNK = 64 * 1024;

/** Returns whether a source is one or several paths. */
export function isPaths(from: string | readonly string[] | RowSource): from is string | readonly string[] {
  return typeof from === 'string' || (Array.isArray(from) && from.every((one) => typeof one === 'string'));
}

/**
 * Writes rows as NDJSON, so that a row in memory makes the same task as a line of a file. An asynchronous source may
 * be slow, so each of its rows is handed on at once.
 * @param reject called for rows that are not JSON, such as those with a cycle or a BigInt
 */
export async function* bytesOf(
  rows: RowSource,
  reject: Reject,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  const isSlow = Symbol.asyncIterator in rows;
  let text = '';
  let line = 0;
  for await (const row of rows) {
    if (signal?.aborted) break;
    text += `${lineOf(row, ++line, reject)}\n`;
    if (!isSlow && text.length < CHUNK) continue;
    yield Buffer.from(text);
    text = '';
  }
  if (text !== '') yield Buffer.from(text);
}

/** Returns the JSON of a row; `''` for a rejected one, a line that is skipped. */
function lineOf(row: unknown, line: number, reject: Reject): string {
  const { text, fault } = userJson(row, MAX_DEPTH);
  if (fault === undefined) return text ?? String(row);
  reject({ source: ROWS, line, code: 'JSON', message: `not JSON: ${fault}`, text: '' });
  return '';
}
