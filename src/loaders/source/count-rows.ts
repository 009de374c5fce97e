import { setTimeout as delay } from 'node:timers/promises';
import { EncodingHints } from '../../core/text/encoding-hints.ts';
import { MAX_LINE } from '../../core/text/lines.ts';
import {
  canSniff,
  formatOf,
  hasHeader,
  loaderFor,
  openerFor,
  type ReadOptions,
  sniffFormat,
} from '../index.ts';
import { openSource, peek } from './sources.ts';

/**
 * Pause after each chunk of 64 KB, in milliseconds. It is about ten times as long as counting the chunk, so
 * counting takes at most a tenth of the time. At 4 MB per second, a million rows take about twenty seconds.
 */
const REST = 15;

const NOTHING: AsyncIterable<Buffer> = (async function* () {})();

/**
 * Counts the rows or records of a file in the background: it neither delays other work nor keeps the process alive.
 * Also counts rows that `task-load` would reject, because its options may allow them.
 * @param until ends the counting; the count is then useless
 * @throws {TaskpipeError} `IO` if the file cannot be read, `DATA` if its content is invalid
 */
export async function countRows(path: string, until: AbortSignal): Promise<number> {
  const stdin = (): never => {
    throw new TypeError('a path, not "-"');
  };
  const known = formatOf(path);
  const isStream = known === undefined || openerFor(known) === undefined;
  const { first, all } = await peek(isStream ? openSource(path, stdin) : NOTHING, canSniff);
  const format = known ?? sniffFormat(first);
  let rows = hasHeader(format) ? -1 : 0;
  const read: ReadOptions = {
    source: path,
    reject: () => rows++,
    maxLine: MAX_LINE,
    // Latin-1 decodes any bytes: a header that is not UTF-8 would be an error.
    encoding: hasHeader(format) ? 'latin1' : undefined,
    delimiter: undefined,
    quote: undefined,
    escape: undefined,
    skip: 0,
    comment: undefined,
    header: false, // the header counts as a row, whatever its names are
    columns: undefined,
    field: 'line',
    null: false,
    select: undefined,
    rename: new Map(),
    uuidFields: [],
    needed: new Map(),
    info: () => {},
    encodingHints: new EncodingHints(),
    query: undefined,
    table: undefined,
    sheet: undefined,
    takesPlain: undefined,
  };
  const batches = openerFor(format)?.(path, read) ?? loaderFor(format)?.(all, read);
  for await (const batch of batches ?? []) {
    rows += batch.length;
    if (until.aborted) break;
    await delay(REST, undefined, { ref: false });
  }
  return Math.max(0, rows);
}
