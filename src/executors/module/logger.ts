import { appendFileSync, constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { format } from 'node:util';
import { ioError, TaskpipeError } from '../../core/base/errors.ts';
import { nameUuid } from '../../core/ids/index.ts';
import { makeFolders } from '../../core/storage/make-folders.ts';

/** Log of a task: a format as for `console.log`, and its values. */
export interface Logger {
  debug(message: unknown, ...values: unknown[]): void;
  info(message: unknown, ...values: unknown[]): void;
  warn(message: unknown, ...values: unknown[]): void;
  error(message: unknown, ...values: unknown[]): void;
}

/** Function that returns the logger of a task. */
export type LoggerOf = (uuid: string) => Logger;

/** Failure to write a log. It ends the stage; any other error of a function fails only its task. */
export class LogError extends TaskpipeError {}

/** Names that are valid on every file system and cannot clash with those of other tasks. */
const PLAIN = /^[\w-][\w.-]{0,99}$/;

/** Returns the name of a log: the uuid of its task, or a hash of it if that cannot be a file name. */
export function logName(uuid: string): string {
  return `${PLAIN.test(uuid) ? uuid : nameUuid(uuid, 5)}.log`;
}

/**
 * Opens loggers that append lines to `folder/<uuid>.log`, each with time and level, and show them.
 * @param folder undefined: no files
 * @param show called with each line and the uuid of its task; undefined: lines are not shown
 * @throws {TaskpipeError} `IO` if the folder cannot be made or written to
 */
export async function openLogs(
  folder: string | undefined,
  show: ((line: string) => void) | undefined,
): Promise<LoggerOf> {
  if (folder !== undefined) {
    const fail = (error: unknown): never => {
      throw ioError('cannot write to --log-dir', folder, error);
    };
    await makeFolders(resolve(folder)).catch(fail);
    await access(folder, constants.W_OK | constants.X_OK).catch(fail);
  }
  const root = folder === undefined ? undefined : resolve(folder); // the module may change the working folder
  return (uuid) => {
    const path = root === undefined ? undefined : join(root, logName(uuid));
    const write = (level: string, message: unknown, values: readonly unknown[]): void => {
      const words = format(message, ...values);
      if (path !== undefined) append(path, `${new Date().toISOString()} ${level} ${words}\n`);
      show?.(`${uuid} ${level} ${words}`);
    };
    return {
      debug: (message, ...values) => write('DEBUG', message, values),
      info: (message, ...values) => write('INFO', message, values),
      warn: (message, ...values) => write('WARN', message, values),
      error: (message, ...values) => write('ERROR', message, values),
    };
  };
}

function append(path: string, line: string): void {
  try {
    appendFileSync(path, line);
  } catch (error) {
    throw new LogError('IO', ioError('cannot write the log', path, error).message, { cause: error });
  }
}
