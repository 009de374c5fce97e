import { getSystemErrorMap } from 'node:util';
import { ownMessage } from './thrown.ts';

/**
 * Code of an error that ends a stage, with its exit code:
 *
 * | code | exit | meaning |
 * | --- | --- | --- |
 * | `USAGE` | 2 | an option or argument is wrong |
 * | `DATA` | 65 | the data as a whole is unusable |
 * | `IO` | 74 | reading or writing failed |
 * | `LOCKED` | 75 | another process holds the lock |
 * | `PIPE` | 141 | the reader of our output went away |
 */
export type ErrorCode = 'USAGE' | 'DATA' | 'IO' | 'LOCKED' | 'PIPE';

/**
 * Error that ends a stage, thrown on purpose. A failed task is not an error but data: a record whose
 * `run.state` is `FAILURE`.
 */
export class TaskpipeError extends Error {
  override readonly name = 'TaskpipeError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Returns the message of anything that was thrown, without its causes. Never throws. */
export function messageOf(error: unknown): string {
  return ownMessage(error);
}

/**
 * Returns the message of `JSON.parse` for invalid text, without the piece of it that Node quotes: it may
 * contain a secret.
 */
export function jsonFault(error: unknown): string {
  return messageOf(error)
    .replace(/, (\.\.\.)?".*$/s, '')
    .replace(/^".*" is /s, 'it is ');
}

/** Returns the `code` of a system error (`'ENOENT'`), or undefined. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' ? code : undefined;
}

const SYSTEM_WORDS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  ENOENT: 'no such file or folder',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is not a folder',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file has reached its size limit',
  EROFS: 'the file system is read-only',
  EIO: 'input/output error',
  EMFILE: 'too many open files',
};

/**
 * Returns an `IO` error that names the failed action, the path and the reason. Returns a `TaskpipeError` as
 * it is.
 * @param doing the failed action, as in `cannot read`
 */
export function ioError(doing: string, path: string, cause: unknown): TaskpipeError {
  if (cause instanceof TaskpipeError) return cause;
  const why = SYSTEM_WORDS[systemCode(cause) ?? ''] ?? systemWords(cause) ?? messageOf(cause);
  return new TaskpipeError('IO', `${doing} ${path}: ${why}`, { cause });
}

/**
 * Returns the message of the system for other errors. It leaves out the code and the path; the error shows the
 * path as it was typed.
 */
function systemWords(error: unknown): string | undefined {
  const number = error instanceof Error ? (error as NodeJS.ErrnoException).errno : undefined;
  return number === undefined ? undefined : getSystemErrorMap().get(number)?.[1];
}
