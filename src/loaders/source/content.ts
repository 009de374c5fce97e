import { TaskpipeError } from '../../core/base/errors.ts';
import { decodeStart, encodingByNuls } from '../../core/text/encoding.ts';
import type { Format, ReadOptions } from '../contract.ts';
import { delimiterIn, likelyFormat } from './sniff.ts';

/**
 * Checks the first bytes of a file whose format is known.
 * @returns the options, with the encoding if the bytes reveal it
 * @throws {TaskpipeError} `DATA` if the file has another content
 */
export function checkContent(first: Buffer, format: Format, read: ReadOptions): ReadOptions {
  const { source, encoding, info } = read;
  const refuse = (words: string): never => {
    throw new TaskpipeError('DATA', `${source} ${words}`);
  };
  if (format !== 'sqlite' && first.toString('latin1', 0, 15) === 'SQLite format 3')
    refuse(`is a SQLite database, not ${format}; add --format sqlite`);
  const start = decodeStart(first.subarray(0, 512)).trimStart();
  if (start.startsWith('version https://git-lfs.github.com/spec/'))
    refuse('is a pointer of Git LFS, not the file itself; fetch that with: git lfs pull');
  if (format !== 'lines' && /^<(?:!doctype html|html|head|body)[\s>]/i.test(start))
    refuse(`is an HTML page, not ${format}, as a server sends for an error or a login; look at it`);
  if (format !== 'lines' && format !== 'sitemap' && /^<\?xml\s/i.test(start))
    refuse(`is XML, not ${format}; convert it first`);
  const found = encoding === undefined ? encodingByNuls(first) : undefined;
  if (found === undefined) return read;
  info(`${source}: read as ${found}, by its first bytes (--encoding)`);
  return { ...read, encoding: found };
}

/** Reports the format that was chosen by the first bytes. */
export function noteFormat(format: Format, first: Buffer, { source, info }: ReadOptions): void {
  if (first.length === 0) return;
  const delimiter = format === 'lines' ? delimiterIn(first) : undefined;
  const or = delimiter === undefined ? '' : `; if it is a table, add --delimiter '${delimiter}'`;
  info(`${source}: read as ${format}, by its first bytes (--format)${or}`);
}

/** Formats that are read in the same way, or that their loaders distinguish. */
const ALIKE: readonly (readonly Format[])[] = [
  ['csv', 'tsv'],
  ['json', 'ndjson'],
];

/** Warns if the first bytes of a file look like another format than its name. */
export function noteOtherFormat(format: Format, first: Buffer, { source, info }: ReadOptions): void {
  const likely = likelyFormat(first);
  if (likely === undefined || likely.format === format) return;
  if (ALIKE.some((some) => some.includes(format) && some.includes(likely.format))) return;
  const { delimiter } = likely;
  const typed = delimiter === undefined ? '' : ` --delimiter '${delimiter}'`;
  info(
    `${source}: read as ${format}, by its name, but it looks like ${likely.format}; if it is, add --format ${likely.format}${typed}`,
  );
}
