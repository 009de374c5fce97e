import { quote } from 'shlex';
import { messageOf, TaskpipeError } from '../base/errors.ts';

/** Maximum wait for another writer of the database, in milliseconds. */
export const PATIENCE = 30_000;

/** Primary result codes of SQLite. The library does not know the names of all extended ones. */
const ERROR = 1;
const LOCKED: ReadonlySet<number> = new Set([5, 6, 15]); // BUSY, LOCKED, PROTOCOL
const OF_A_ROW: ReadonlySet<number> = new Set([18, 19, 20]); // TOOBIG, CONSTRAINT, MISMATCH
const NO_ACCESS: ReadonlySet<number> = new Set([3, 8, 14]); // PERM, READONLY, CANTOPEN
const READONLY = 8;
const CORRUPT = 11;
const FULL = 13;
const IOERR = 10;
const NOTADB = 26;
/** Extended codes of the errors of a file at its size limit. */
const NO_ROOM: ReadonlySet<number> = new Set([778, 4874]); // IOERR_WRITE, IOERR_SHMSIZE

/**
 * Turns an error of the library into a `TaskpipeError` with the original error as its cause. Returns all
 * other errors as they are.
 * @param doing the failed action for the message, as in `cannot read`
 */
export function sqliteError(doing: string, path: string, error: unknown): Error {
  if (error instanceof TaskpipeError) return error;
  const words = messageOf(error);
  const fail = (ours: 'DATA' | 'IO' | 'LOCKED', why: string): TaskpipeError =>
    new TaskpipeError(ours, `${doing} ${path}: ${why}`, { cause: error });
  const code = primaryCode(error);
  if (code === NOTADB || words.includes('file is not a database'))
    return fail('DATA', 'it is not a SQLite database; name another file');
  if (code === CORRUPT || words.includes('disk image is malformed'))
    return fail(
      'DATA',
      `the database is damaged (${words}); its contents may be recovered with: sqlite3 ${quote(path)} .recover | sqlite3 ${quote(`${path}.recovered`)}`,
    );
  if (LOCKED.has(code) || words.includes('database is locked')) return fail('LOCKED', BUSY);
  if (code === FULL || (isOfLibrary(error) && NO_ROOM.has(error.rawCode)))
    return fail('IO', 'no space left on the device, or the file has reached its size limit');
  if (code === READONLY) return fail('IO', `the file and its folder must be writable (${words})`);
  if (code === IOERR || NO_ACCESS.has(code) || words.includes('ConnectionFailed')) return fail('IO', words);
  if (isOfLibrary(error)) return fail('DATA', words);
  return error instanceof Error ? error : new Error(words);
}

const BUSY = `another program has locked it for ${PATIENCE / 1000} s; run the same command again when that is done`;

/** Returns the primary result code of an error of the library, or 0. */
function primaryCode(error: unknown): number {
  const cause = error instanceof TaskpipeError ? error.cause : error;
  return isOfLibrary(cause) ? cause.rawCode & 0xff : 0;
}

/** Returns whether an error means that a file or its folder cannot be opened or written. */
export function isNoAccess(error: unknown): boolean {
  return NO_ACCESS.has(primaryCode(error));
}

function isOfLibrary(error: unknown): error is Error & { readonly rawCode: number } {
  return error instanceof Error && typeof (error as { rawCode?: unknown }).rawCode === 'number';
}

/** Messages of SQLite that are caused by the schema of the database, and not by a value. */
const OF_THE_SCHEMA =
  /no such (table|column|function|module)|has no column named|cannot modify|already exists|duplicate column/;

/**
 * Returns the reason the database rejects one row, if it may still accept other rows; undefined for other
 * errors.
 */
export function refusalOf(error: unknown): string | undefined {
  const cause = error instanceof TaskpipeError ? error.cause : error;
  const words = messageOf(cause);
  const code = primaryCode(error);
  if (OF_A_ROW.has(code)) return words;
  return code === ERROR && !OF_THE_SCHEMA.test(words) ? words : undefined;
}

/** Returns whether an error is about the text of a statement. */
export function isSqlError(error: unknown): boolean {
  return primaryCode(error) === ERROR;
}
