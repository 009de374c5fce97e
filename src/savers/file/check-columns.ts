import { TaskpipeError } from '../../core/base/errors.ts';
import { hint } from '../../core/options/suggest.ts';
import type { DestinationOptions, Rows } from '../contract.ts';

/**
 * Checks that an existing output has the columns of `--fields`, or can get them.
 * @param hasRows whether it has rows
 * @throws {TaskpipeError} `USAGE`
 */
export function checkColumns(
  rows: Rows,
  { path, ledger, widen, fields }: DestinationOptions,
  hasRows: boolean,
): void {
  const { hasUuid, lacking, names = [] } = rows;
  const refuse = (words: string): never => {
    throw new TaskpipeError('USAGE', words);
  };
  if (widen && ledger !== undefined && !hasUuid)
    refuse(
      `--widen with --ledger needs a uuid column in ${path}: without one, task-save cannot tell which rows the ledger knows`,
    );
  const uuid = hasUuid ? undefined : fields?.find((field) => field.path === 'uuid')?.name;
  const isNameless = hasRows && uuid !== undefined && lacking.includes(uuid);
  if (widen && isNameless)
    refuse(
      `--widen cannot add the column uuid to ${path}, as its rows would have none; save to another file`,
    );
  if (lacking.length === 0 || widen) return;
  const next =
    isNameless || (ledger !== undefined && !hasUuid) ? 'save to another file' : '--widen adds them';
  const meant = hint(lacking[0] ?? '', names);
  refuse(`--fields must be columns of ${path}, which has no ${lacking.join(', ')}; ${next}${meant}`);
}

/**
 * Checks an output that has no place for a record. An output without a uuid column has no place for any record.
 * @throws {TaskpipeError} `DATA`, unless the column can be added
 */
export function mustHaveUuid(
  { hasUuid }: Rows,
  { path, ledger, fields }: DestinationOptions,
  hasRows: boolean,
): void {
  if (hasUuid || fields !== undefined || (!hasRows && ledger === undefined)) return;
  throw new TaskpipeError(
    'DATA',
    `${path} has no uuid column, so it has no place for any task. If ${path} is the input too, save to another file; otherwise choose its columns with --fields`,
  );
}
