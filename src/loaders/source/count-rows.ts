import { setTimeout as delay } from 'node:timers/promises';
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
 * The rest after each chunk of 64 KB, in milliseconds: some ten times what it takes to count its rows, which so take a
 * tenth of the time at most. Four megabytes a second are a million rows in some twenty seconds.
 */
const REST = 15;

/**
 * Counts the rows of a file, or the records of one that has no rows, in the background of other work: it keeps nothing
 * waiting, nor the process alive. What `task-load` would reject is counted too, as its options may say how it is read.
 * @param until ends the counting; the count is then of no use
 * @throws {TaskpipeError} `IO` where the file can't be read, `DATA` where it can't be understood
 */
export async function countRows(path: string, until: AbortSignal): Promise<number> {
  const stdin = (): never => {
    throw new TypeError('a path, not "-"');
  };
  const { first, all } = await peek(openSource(path, stdin), canSniff);
  const format = formatOf(path) ?? sniffFormat(first);
  let rows = hasHeader(format) ? -1 : 0;
  const read: ReadOptions = {
    source: path,
    reject: () => rows++,
    maxLine: MAX_LINE,
    // As bytes, whatever the encoding is: a header that is not UTF-8 would be an error.
    encoding: hasHeader(format) ? 'latin1' : undefined,
    delimiter: undefined,
    quote: undefined,
    escape: undefined,
    skip: 0,
    comment: undefined,
    header: false, // one more row, whatever its names are
    columns: undefined,
    field: 'line',
    select: undefined,
    rename: new Map(),
    uuidFields: [],
    needed: new Map(),
    note: () => {},
    query: undefined,
    table: undefined,
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
