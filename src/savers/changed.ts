import { TaskpipeError } from '../core/errors.ts';
import { isLineStart } from './boundary.ts';
import type { OutputFile } from './output.ts';

/* What is said of outputs that somebody else has changed so that rows are missing. Nothing is done to them. */

const REMEDY =
  'Put the file back, or save to another one; or clear the ledger (task-done clear), ' +
  'and what has no row is done again';

/** Of an output that is shorter than it was. @param known how many bytes the ledger knows */
export async function tooShort(output: OutputFile, known: number): Promise<TaskpipeError> {
  const { path, size } = output;
  // An editor may have left out a line end, in one byte or two.
  if (size >= known - 2 && size > 0 && !(await isLineStart(output, size))) {
    return new TaskpipeError('DATA', `${path} was changed since it was last saved to: add its last line end`);
  }
  const what = size === 0 ? `${path} is empty or not there` : `${path} has ${size} bytes`;
  return new TaskpipeError(
    'DATA',
    `${what}, but the ledger says that rows up to byte ${known} were saved: rows are missing. ${REMEDY}`,
  );
}

/** Of an output in which rows are missing, as a look at all of them has shown. */
export function missing({ path }: OutputFile, count: number): TaskpipeError {
  const whose = count === 1 ? 'of a task' : `of ${count} tasks`;
  return new TaskpipeError(
    'DATA',
    `${path} was changed since it was last saved to, and rows ${whose} are missing that the ledger knows. ${REMEDY}`,
  );
}
