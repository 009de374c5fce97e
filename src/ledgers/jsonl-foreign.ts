import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { ioError, TaskpipeError } from '../core/errors.ts';
import { quoted } from '../core/visible.ts';

/** How far into a file a line of a ledger is looked for, in bytes. */
const LOOKED = 64 * 1024;
/** How much of a file is shown. */
const SHOWN = 30;

/**
 * Refuses a file that is something else, as the input is where names were mixed up: it is not to be appended to, nor
 * compacted to nothing. One line that could be of a ledger is enough, as a crash may have torn the others.
 * @throws {TaskpipeError} `DATA`, or `IO` where it can't be read
 */
export function mustBeLedger(path: string): void {
  const start = startOf(path).replace(/^[\s\0]+/, '');
  if (start === '' || /^[\s\0]*\{/m.test(start)) return;
  throw new TaskpipeError(
    'DATA',
    `${path} is no ledger, as it begins with ${quoted(start.slice(0, SHOWN))}; name another file, or a new one`,
  );
}

/** The beginning of a file; '' where there is none, or it is no file. */
function startOf(path: string): string {
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
    throw ioError('cannot read the ledger', path, error);
  }
}
