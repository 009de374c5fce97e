import { TaskpipeError } from '../../core/base/errors.ts';
import type { DestinationOptions } from '../contract.ts';
import { columnOfChosen } from '../rows/record-values.ts';

/** Checks options. @throws {TaskpipeError} `USAGE` for those that a table cannot use */
export function checkTableOptions(options: DestinationOptions, place: string): void {
  const { acceptEdits, ledger, widen, escapeFormulas, fields = [], overwrite, jsonb } = options;
  const refuse = (words: string): never => {
    throw new TaskpipeError('USAGE', words);
  };
  if (widen) refuse('--widen is for CSV: a table gets a column for each new attribute by itself');
  if (overwrite)
    refuse(
      '--overwrite is for files and SQLite; empty the table first, with TRUNCATE, in a transaction of yours',
    );
  if (escapeFormulas) refuse('--escape-formulas is for CSV: no spreadsheet opens a database');
  if (acceptEdits && ledger === undefined)
    refuse(`--accept-edits needs --ledger: without one, nothing says which rows were in ${place}`);
  if (jsonb && fields.length > 0) refuse('--fields cannot be used with --jsonb, which saves whole records');
  const columns = fields.map(columnOfChosen);
  const twice = fields.find((_, i) => columns.indexOf(columns[i] as string) < i);
  if (twice !== undefined) refuse(`--fields: ${twice.name} is a column that another field has already`);
}
