import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { ioError, TaskpipeError } from '../base/errors.ts';
import { quoted } from '../base/terminal-text.ts';
import { modeOf } from './durable.ts';

/** How far into a file a line of ours is looked for, in bytes. */
const LOOKED = 64 * 1024;
/** How much of a file is shown. */
const SHOWN = 30;

/** The byte order mark of UTF-16 read as UTF-8, or a brace with a NUL beside it. */
const UTF16 = /^(?:\ufffd{2}|\{\0|\0\{)/;

/**
 * Refuses a file that is something else, as the input is where names were mixed up: it is not to be appended to, nor
 * compacted to nothing. One line that could be of ours is enough, as a crash may have torn the others.
 * @param what it should be, in words
 * @throws {TaskpipeError} `DATA`, or `IO` where it can't be read
 */
export function assertOwnContent(path: string, what: 'ledger' | 'spool' | 'flow log'): void {
  const found = startOf(path, what);
  if (UTF16.test(found)) {
    throw new TaskpipeError(
      'DATA',
      `${path}: the ${what} is UTF-16, as some editors save files; save it as UTF-8`,
    );
  }
  const start = found.replace(/^[\s\0]+/, '');
  if (start === '' || /^[\s\0]*\{/m.test(start)) return;
  throw new TaskpipeError(
    'DATA',
    `${path} is not a ${what}, as it begins with ${quoted(start.slice(0, SHOWN))}; name another file, or a new one`,
  );
}

/**
 * The same for a file that is read to its end when it is opened: a device may have none.
 * @throws {TaskpipeError} `USAGE` if it is not a file, besides
 */
export function assertOwnFile(path: string, what: 'spool' | 'flow log'): void {
  modeOf(path);
  assertOwnContent(path, what);
}

/** Returns the beginning of a file; '' if it does not exist or is not a file. */
export function startOf(path: string, what: string): string {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return '';
    const fd = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(LOOKED);
      return bytes.toString('utf8', 0, readSync(fd, bytes));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw ioError(`cannot read the ${what}`, path, error);
  }
}
