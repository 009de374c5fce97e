import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { ioError, TaskpipeError } from '../../core/base/errors.ts';
import type { Total } from '../../core/base/progress.ts';
import { value } from '../../core/options/declare.ts';
import { InvalidValue, type Option } from '../../core/options/option.ts';
import { countRows } from '../../loaders/source/count-rows.ts';

/** Option for the number of tasks to expect, or for a file whose rows are counted. */
export const totalOption: Option<number | string | undefined> = value(
  'number of tasks for the progress line: a number, or a file whose rows are counted, including finished ones',
  'N|FILE',
  (typed): number | string => {
    if (typed === '' || typed === '-') throw new InvalidValue('must be a number of tasks, or a file');
    const count = Number(typed);
    return /^\d+$/.test(typed) && Number.isSafeInteger(count) ? count : typed;
  },
);

/**
 * Returns the value of `--total`. A file is counted when the total is first read.
 * @throws {TaskpipeError} `IO` if the file cannot be read, `USAGE` if it is not a regular file
 */
export async function totalOf(given: number | string | undefined): Promise<Total | undefined> {
  if (typeof given !== 'string') return given;
  const fail = (error: unknown): never => {
    throw ioError('cannot read --total', given, error);
  };
  const found = await stat(given).catch(fail);
  // Data read from a pipe would be lost for its other reader.
  if (!found.isFile())
    throw new TaskpipeError('USAGE', `--total must be a number or a file; ${given} is not a file`);
  await access(given, constants.R_OK).catch(fail);
  return (until) => countRows(given, until);
}
