import type { History } from '../ledgers/index.ts';
import type { OutputFile } from './output.ts';
import type { Rows } from './saver.ts';

const NEWLINE = 10;
const QUOTE = 34;

/**
 * Whether all that stands from where the ledger names every row are whole rows, new ones past where it knows any.
 * Where it is not, that may be as the file was rewritten since (widened without the ledger, or by an editor), so that
 * these places mean nothing.
 */
export async function areNew(
  output: OutputFile,
  rows: Rows,
  { named: from, end: known = 0, saved }: History,
): Promise<boolean> {
  if (from < rows.first) return false;
  if (from > rows.first && !(await isLineStart(output, from))) return false;
  // From inside of a quoted cell, one quote is seen that was opened before.
  if (rows.hasQuotes && (await quotesFrom(output, from)) % 2 === 1) return false;
  for await (const found of rows.scan(output.chunks(from), from)) {
    if (found.at(-1)?.fault !== undefined) return false;
    if (found.some(({ uuid, start }) => start >= known && uuid !== undefined && saved.has(uuid)))
      return false;
  }
  return true;
}

/** Whether a line ends before a place that is not the first. */
export async function isLineStart(output: OutputFile, at: number): Promise<boolean> {
  for await (const chunk of output.chunks(at - 1)) return chunk[0] === NEWLINE;
  // Nothing follows it.
  return false;
}

async function quotesFrom(output: OutputFile, from: number): Promise<number> {
  let quotes = 0;
  for await (const chunk of output.chunks(from)) {
    for (let at = chunk.indexOf(QUOTE); at >= 0; at = chunk.indexOf(QUOTE, at + 1)) quotes++;
  }
  return quotes;
}
