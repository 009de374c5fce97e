import { TaskpipeError } from '../../core/base/errors.ts';
import { counted } from '../../core/base/format.ts';
import { quoted } from '../../core/base/terminal-text.ts';
import { nearest } from '../../core/options/suggest.ts';
import type { FoundRow } from '../contract.ts';
import type { OutputFile } from './output-file.ts';

/* Errors about outputs that were changed between two runs. The output stays unchanged. */

/** Number of uuids that a message shows. */
export const SHOWN = 3;

/** Rows that the ledger names and the output lacks. */
export interface Missing {
  readonly count: number;
  /** Up to `SHOWN` of their uuids. */
  readonly uuids: readonly string[];
}

/** State of an output that lacks rows: a uuid may have been changed or emptied. */
export interface Strange {
  /** True if the output is empty or does not exist. */
  readonly isEmpty?: boolean;
  /** Word for a row. Default `row`. */
  readonly noun?: string;
  /** Rows that the ledger does not name. */
  readonly unknown?: Missing;
  /** Rows without a uuid, and the line of the first. */
  readonly nameless?: { readonly count: number; readonly line: number };
}

/**
 * Returns the error for rows that are missing in an output.
 * @param path the output, or its table
 * @param ledger place of the ledger
 */
export function missingRows(
  path: string,
  ledger: string,
  missing: Missing,
  { isEmpty = false, noun = 'row', unknown, nameless }: Strange = {},
): TaskpipeError {
  const names = shownUuids(missing);
  const what = isEmpty
    ? `${path} is empty or not there, but the ledger ${ledger} names ${counted(missing.count, noun)} of it ${names}`
    : `${path}: ${areMissing(missing.count, noun)} that the ledger ${ledger} names ${names}; someone changed it after the last run`;
  return new TaskpipeError(
    'DATA',
    `${what}${namelessWords(path, nameless)}${unknownWords(unknown)}. Put it back, or add --accept-edits to run these tasks again, or save to another place; ` +
      `task-done clear --yes ${ledger} forgets all finished tasks, also those of other outputs`,
  );
}

function shownUuids({ count, uuids }: Missing): string {
  const shown = uuids.slice(0, SHOWN).map(quoted).join(', ');
  return `(uuid ${shown}${count > SHOWN ? ', …' : ''})`;
}

function namelessWords(path: string, nameless: Strange['nameless']): string {
  if (nameless === undefined || nameless.count === 0) return '';
  const { count, line } = nameless;
  return `. ${path}:${line}: ${count === 1 ? 'the row has' : `${counted(count, 'row')} from here on have`} no uuid`;
}

function unknownWords(unknown: Missing | undefined): string {
  if (unknown === undefined || unknown.count === 0) return '';
  const { count, uuids } = unknown;
  const names = uuids.length === 0 ? '' : ` ${shownUuids(unknown)}`;
  return `. It has ${counted(count, 'row')} that the ledger does not name${names}: if their uuids were changed, put these back, or the tasks are saved a second time`;
}

/** Returns the message about rows that `--accept-edits` removes from the ledger. */
export function acceptedRows(name: string, count: number, ledger: string, noun = 'row'): string {
  const rows = `${counted(count, noun)} ${count === 1 ? 'is' : 'are'} gone`;
  return `${name}: ${rows}, which was accepted: the tasks are no longer finished in ${ledger}, and the next run repeats them`;
}

/** Returns the message about rows that repeat the uuid of another row. */
export function doubledRows({ path }: OutputFile, count: number, line: number): string {
  const rows = `${counted(count, 'row')} from here on ${count === 1 ? 'repeats' : 'repeat'} the uuid of another row`;
  return `${path}:${line}: ${rows}: nothing was changed, and task-save adds no more of them`;
}

function areMissing(count: number, noun: string): string {
  return `${counted(count, noun)} ${count === 1 ? 'is' : 'are'} missing`;
}

/** Returns the error for missing rows in an output without uuids: it is unknown which tasks to run again. */
export function tooFewRows(
  { path }: OutputFile,
  ledger: string,
  count: number,
  verifiedEnd: number,
): TaskpipeError {
  return new TaskpipeError(
    'DATA',
    `${path} has ${counted(count, 'row')}, but the ledger ${ledger} names ${verifiedEnd}; someone changed it after the ` +
      'last run, and without a uuid column task-save cannot tell which rows are missing. Put the file back; or ' +
      `save to another file after task-done clear --yes ${ledger}`,
  );
}

/** Returns the error for a damaged row that a crash of task-save cannot have caused. */
export function badRow(output: OutputFile, { line, fault, damage, end, remedy }: FoundRow): TaskpipeError {
  const { path, size } = output;
  if (damage === 'open' && end >= size) {
    return new TaskpipeError(
      'DATA',
      `${path}:${line}: the last row is not complete: ${fault}. Complete it or delete it, or add --accept-edits, ` +
        `which moves it to ${path}.torn-TIME`,
    );
  }
  const next = remedy ?? 'Correct the line or put the file back';
  return new TaskpipeError(
    'DATA',
    `${path}:${line}: ${fault}. ${next}, then run again; or save to another file`,
  );
}

/**
 * Returns the error for rows without a uuid in an output with a uuid column.
 * @param hasOthers true if other rows have one
 */
export function withoutUuid(
  { path }: OutputFile,
  { count, line }: { readonly count: number; readonly line: number },
  hasOthers: boolean,
): TaskpipeError {
  const what = count === 1 ? 'the row has no uuid' : `${counted(count, 'row')} from here on have no uuid`;
  const input = hasOthers ? '' : ` If ${path} is the input too, save to another file.`;
  return new TaskpipeError(
    'DATA',
    `${path}:${line}: ${what}, so task-save cannot tell which task is done.${input} Put the uuid back or delete the row, ` +
      'or add --accept-edits to keep rows that belong to no task',
  );
}

/**
 * Returns the error for an output that had a uuid column in an earlier run.
 * @param path the output, or its table
 */
export function lostUuids(
  path: string,
  ledger: string,
  verifiedEnd: number,
  names: readonly string[],
): TaskpipeError {
  const near = nearest('uuid', names);
  const renamed = near === undefined ? 'renamed' : `renamed to ${quoted(near)}`;
  return new TaskpipeError(
    'DATA',
    `${path} has no uuid column, but the ledger ${ledger} knows its ${counted(verifiedEnd, 'row')} by uuid: ` +
      `was the column ${renamed} or removed, or left out of --fields? Put it back, or save to another file`,
  );
}

/** Returns the error for an output without a uuid column that the ledger does not know. */
export function unknownRows({ path }: OutputFile, ledger: string, count: number): TaskpipeError {
  return new TaskpipeError(
    'DATA',
    `${path} has no uuid column and ${counted(count, 'row')} that the ledger ${ledger} does not know, so task-save ` +
      `cannot tell which tasks they belong to. If ${path} is the input too, or was saved without this ledger, save to another file`,
  );
}
