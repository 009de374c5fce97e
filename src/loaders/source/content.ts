import { TaskpipeError } from '../../core/base/errors.ts';
import { decodeStart, encodingByNuls } from '../../core/text/encoding.ts';
import type { Format, ReadOptions } from '../contract.ts';

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
  if (format !== 'lines' && /^<\?xml\s/i.test(start)) refuse(`is XML, not ${format}; convert it first`);
  const found = encoding === undefined ? encodingByNuls(first) : undefined;
  if (found === undefined) return read;
  info(`${source}: read as ${found}, by its first bytes (--encoding)`);
  return { ...read, encoding: found };
}
