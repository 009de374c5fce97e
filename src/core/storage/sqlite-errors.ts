import { messageOf, systemCode, TaskpipeError } from '../base/errors.ts';

/** How long a database may be busy with another writer, in milliseconds. */
export const PATIENCE = 30_000;

const NO_ROOM = ['SQLITE_FULL', 'SQLITE_IOERR_WRITE', 'SQLITE_IOERR_SHMSIZE'];

/**
 * Turns an error of the library into one of ours, with the library's as its cause.
 * @param doing for the message, as in `cannot read`
 */
export function sqliteError(doing: string, path: string, error: unknown): Error {
  if (error instanceof TaskpipeError) return error;
  const code = systemCode(error) ?? '';
  const words = messageOf(error);
  const fail = (ours: 'DATA' | 'IO' | 'LOCKED', why: string): TaskpipeError =>
    new TaskpipeError(ours, `${doing} ${path}: ${why}`, { cause: error });
  if (code === 'SQLITE_NOTADB' || words.includes('file is not a database'))
    return fail('DATA', 'it is not a SQLite database; name another file');
  if (code.startsWith('SQLITE_CORRUPT') || words.includes('disk image is malformed'))
    return fail('DATA', `the database is damaged (${words}); sqlite3 FILE .recover may save what is in it`);
  if (
    code.startsWith('SQLITE_BUSY') ||
    code.startsWith('SQLITE_LOCKED') ||
    words.includes('database is locked')
  )
    return fail(
      'LOCKED',
      `another program has locked it for ${PATIENCE / 1000} s; run the same command again when that is done`,
    );
  if (NO_ROOM.includes(code))
    return fail('IO', 'no space left on the device, or the file has reached its size limit');
  if (/^SQLITE_(IOERR|READONLY|CANTOPEN|PERM|AUTH)/.test(code) || words.includes('ConnectionFailed'))
    return fail('IO', words);
  if (isOfLibrary(error)) return fail('DATA', words);
  return error instanceof Error ? error : new Error(words);
}

function isOfLibrary(error: unknown): error is Error & { readonly rawCode: number } {
  return error instanceof Error && typeof (error as { rawCode?: unknown }).rawCode === 'number';
}

/** Result codes of SQLite: an error in the SQL or in what it calls, and those that are about the values of one row. */
const ERROR = 1;
const OF_A_ROW: ReadonlySet<number> = new Set([18, 19, 20]); // TOOBIG, CONSTRAINT, MISMATCH

/** SQLite's words if the shape of the database, and not a value, is the reason. */
const OF_THE_SCHEMA =
  /no such (table|column|function|module)|has no column named|cannot modify|already exists|duplicate column/;

/** Returns why the database refuses one row and may take others, or undefined if the error is of another kind. */
export function refusalOf(error: unknown): string | undefined {
  const cause = error instanceof TaskpipeError ? error.cause : error;
  if (!isOfLibrary(cause)) return undefined;
  const code = cause.rawCode & 0xff;
  if (OF_A_ROW.has(code)) return cause.message;
  return code === ERROR && !OF_THE_SCHEMA.test(cause.message) ? cause.message : undefined;
}

/** Returns whether an error is about the text of a statement. */
export function isSqlError(error: unknown): boolean {
  const cause = error instanceof TaskpipeError ? error.cause : error;
  return isOfLibrary(cause) && (cause.rawCode & 0xff) === ERROR;
}
