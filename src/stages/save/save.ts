import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { ioError, TaskpipeError } from '../../core/base/errors.ts';
import { counted, textOf } from '../../core/base/format.ts';
import { checkNames, type Names } from '../../core/options/unknown-options.ts';
import { stateOf, type Task } from '../../core/record/task.ts';
import { realPath, resolved } from '../../core/storage/durable.ts';
import { checkPlaces } from '../../core/storage/path-conflicts.ts';
import type { Destination } from '../../savers/contract.ts';
import { openFile } from '../../savers/file/file-destination.ts';
import { placesOf } from '../../savers/file/output-paths.ts';
import { openRest, type Rest } from '../../savers/file/rest-file.ts';
import { type SaveFormat, saveFormatOf, saveFormats, savers } from '../../savers/index.ts';
import { Router, type SaveSummary } from '../../savers/router.ts';
import { FieldSlip } from '../../savers/rows/field-check.ts';
import { FieldWatch } from '../../savers/rows/field-watch.ts';
import { type Field, type FieldOption, fieldsOf } from '../../savers/rows/fields.ts';
import { openStream } from '../../savers/stream-destination.ts';

export type { SaveSummary } from '../../savers/router.ts';
export type { FieldOption } from '../../savers/rows/fields.ts';

/** All that `task-save` can be told; each option of the command has its counterpart here. */
export interface SaveOptions {
  /** Default: by the ending of the output's name; `ndjson` for `-`. */
  readonly format?: SaveFormat | undefined;
  /**
   * The attributes that are saved, nested ones with dots; others are left out. A column gets the path as its name, or
   * the name that is given with it. Default: see `widen`.
   */
  readonly fields?: readonly FieldOption[] | undefined;
  /** The character between two cells of CSV or TSV, if it is not that of the format. */
  readonly delimiter?: string | undefined;
  /** Begins a new CSV or TSV with a byte order mark, by which spreadsheets know UTF-8. */
  readonly bom?: boolean | undefined;
  /** Saves every record that has come to an end, failures too; `PENDING` ones go to the rest file. Default false. */
  readonly all?: boolean | undefined;
  /** Where records go that are not saved. Default: the output's path and `.rest.ndjson`. */
  readonly rest?: string | undefined;
  /** A file that the caller writes meanwhile: an error where it is one of those that are written here. */
  readonly rejects?: string | undefined;
  /** A commit begins at so many records. Default 1000. */
  readonly flush?: number | undefined;
  /** Or when a record has waited so long, in milliseconds. Default 1000. */
  readonly flushInterval?: number | undefined;
  /** The table of a database. Default `tasks`. */
  readonly table?: string | undefined;
  /** Marks what is saved as finished in this ledger. */
  readonly ledger?: string | undefined;
  /** `batch`: every commit is on the disk before it counts. `none`: that is left to the system. Default `batch`. */
  readonly sync?: 'batch' | 'none' | undefined;
  /**
   * Accepts what someone has changed in the output since the last run: rows that are gone are taken out of the ledger,
   * rows without a uuid are kept, and an incomplete last row is moved aside. Otherwise these are errors.
   */
  readonly acceptEdits?: boolean | undefined;
  /** Puts a new file in the place of the output, at the end. */
  readonly overwrite?: boolean | undefined;
  /** Adds columns for attributes that have none; otherwise their records go to the rest file, with code `COLUMNS`. */
  readonly widen?: boolean | undefined;
  /** Keeps spreadsheets from running cells as formulas, by a quote before them. */
  readonly escapeFormulas?: boolean | undefined;
  /** Is given every record, as lines, once it is safe: in the output or in the rest file. */
  readonly tee?: ((lines: string) => Promise<void>) | undefined;
  /** Where `-` writes. */
  readonly write?: ((text: string) => Promise<void>) | undefined;
  /** Aborted where the run was stopped: what came is saved all the same, but nothing is overwritten. */
  readonly stopped?: AbortSignal | undefined;
  /** Is given the summary once it is begun, to be looked at while it grows. */
  readonly watch?: ((summary: Readonly<SaveSummary>) => void) | undefined;
  /** Is told what a person must know, and what a person may want to know. */
  readonly say?: ((message: string) => void) | undefined;
  readonly note?: ((message: string) => void) | undefined;
}

/** All of them. */
export const SAVE_NAMES: Names<SaveOptions> = {
  format: true,
  table: true,
  fields: true,
  delimiter: true,
  bom: true,
  all: true,
  rest: true,
  rejects: true,
  flush: true,
  flushInterval: true,
  ledger: true,
  sync: true,
  acceptEdits: true,
  overwrite: true,
  widen: true,
  escapeFormulas: true,
  tee: true,
  write: true,
  stopped: true,
  watch: true,
  say: true,
  note: true,
};

/**
 * Saves tasks. Each uuid gives one row, through any crash: rows are safe before the ledger names them, and the next
 * start finds what a crash has left in between.
 * @param out a path, or `-`
 * @throws {TaskpipeError} `USAGE`, `DATA` where the output is not usable, `LOCKED` where another one saves to it, `IO`
 */
export async function save(
  tasks: AsyncIterable<readonly Task[]>,
  out: string,
  options: SaveOptions = {},
): Promise<SaveSummary> {
  checkOptions(out, options);
  const restFile = options.rest ?? restFileOf(out);
  const { rejects } = options;
  const ledger = isOwnLedger(out, options) ? undefined : options.ledger;
  checkPlaces(placesOf(out === '-' ? undefined : out, { rest: restFile, ledger, rejects }));
  const rest = openRestFor(out, restFile, options);
  const fields = options.fields && fieldsOf(options.fields);
  const destination = await openDestination(out, { ...options, ledger, fields });
  // Nothing is waited for where nothing is synced.
  const router = new Router(destination, rest, out === '-' ? { ...options, flushInterval: 0 } : options);
  options.watch?.(router.summary);
  try {
    // A crash has left them.
    if (rest.isLeft) await mergeLeft(rest, destination);
    const watch = new FieldWatch(destination.isFresh ? fields : undefined, options.note);
    await router
      .takeAll(watch.over(tasks))
      .catch((error) => keepRecords(error, router, rest, options.say ?? quiet));
    watch.end(destination);
    const { unfinished } = router.summary;
    const isDone = await destination.finish(options.stopped?.aborted !== true && unfinished === 0);
    await rest.merge(isDone ? destination.saved : { has: () => false });
  } finally {
    router.stop();
    rest.close();
    await destination.close();
  }
  if (router.teeFailure !== undefined) throw router.teeFailure.error;
  return router.summary;
}

/** @throws {TaskpipeError} about the output, if it cannot be written either: then its rest file is not the point */
function openRestFor(out: string, restFile: string, { rest, say = quiet }: SaveOptions): Rest {
  try {
    return openRest(restFile, say);
  } catch (error) {
    if (rest === undefined && out !== '-') mustBeWritable(out);
    throw error;
  }
}

function mustBeWritable(out: string): void {
  try {
    const path = resolved(out);
    if (existsSync(path)) accessSync(path, constants.W_OK);
    else accessSync(dirname(path), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw ioError('cannot open', out, error);
  }
}

/** Returns the path of the rest file if no other is given. */
export function restFileOf(out: string): string {
  return `${out === '-' ? 'task-save' : out}.rest.ndjson`;
}

/** Puts finished work that a slip in the fields kept from the output into the rest file. */
async function keepRecords(
  error: unknown,
  router: Router,
  rest: Rest,
  say: (message: string) => void,
): Promise<never> {
  if (!(error instanceof FieldSlip)) throw error;
  await router.drain();
  const done = error.tasks.filter((task) => stateOf(task) !== undefined);
  if (done.length > 0) {
    await rest.add(textOf(done), true);
    say(`${counted(done.length, 'record')} that came before the check of --fields: see ${rest.path}`);
  }
  await rest.merge({ has: () => false });
  throw error;
}

function quiet(_message: string): void {}

/** Whether the ledger is the database that is saved to: its rows say what is finished. */
function isOwnLedger(out: string, { ledger, format, table }: SaveOptions): boolean {
  const kind = format ?? saveFormatOf(out);
  const isDatabase = kind !== undefined && savers[kind].open !== undefined;
  if (!isDatabase || ledger === undefined || realPath(ledger) !== realPath(out)) return false;
  if (table === undefined || table === 'tasks') return true;
  throw new TaskpipeError(
    'USAGE',
    `${out} is a ledger by its table tasks; got --table ${table} with --ledger ${ledger}`,
  );
}

/** Another one that writes to the same rest file still has it: then it is not left, and not ours. */
async function mergeLeft(rest: Rest, { saved }: Destination): Promise<void> {
  try {
    await rest.merge(saved);
  } catch (error) {
    if (!(error instanceof TaskpipeError) || error.code !== 'LOCKED') throw error;
  }
}

/** @throws {TaskpipeError} `USAGE`, for options that exclude each other */
function checkOptions(out: string, options: SaveOptions): void {
  const { acceptEdits, ledger, overwrite, tee, widen } = options;
  checkNames('save()', options, SAVE_NAMES);
  const refuse = (words: string): never => {
    throw new TaskpipeError('USAGE', words);
  };
  if (out === '-') {
    if (ledger !== undefined)
      refuse(
        '--ledger (or TASK_LEDGER) needs a file: task-save cannot tell when the standard output is safe',
      );
    if (tee !== undefined) refuse('--tee needs a file: the standard output has the rows already');
    if (overwrite) refuse('--overwrite needs a file');
    if (acceptEdits) refuse('--accept-edits needs a file: standard output has no earlier rows');
    if (widen) refuse('--widen needs a file: what is on the standard output cannot be changed');
  } else if (overwrite) {
    if (ledger !== undefined)
      refuse('--overwrite cannot be used with --ledger, which says what the output holds already');
    if (tee !== undefined) refuse('--overwrite cannot be used with --tee: no row is safe before the end');
    if (acceptEdits)
      refuse('--overwrite cannot be used with --accept-edits: it does not read the old output');
  }
}

/** The options with the fields as formats take them. */
type OpenOptions = Omit<SaveOptions, 'fields'> & { readonly fields: readonly Field[] | undefined };

async function openDestination(out: string, options: OpenOptions): Promise<Destination> {
  const format = options.format ?? (out === '-' ? 'ndjson' : saveFormatOf(out));
  if (format === undefined) {
    const endings = Object.values(savers).flatMap((saver) => saver.endings);
    throw new TaskpipeError(
      'USAGE',
      `${out} must end in one of ${endings.join(', ')}; or say --format ${saveFormats.join('|')}`,
    );
  }
  const { say = quiet, note = quiet, sync = 'batch' } = options;
  const { rows: openRows, open } = savers[format];
  const told = { ...options, path: out, sync: sync === 'batch', say, note };
  if (openRows === undefined) {
    if (open === undefined || out === '-')
      throw new TaskpipeError('USAGE', `--format ${format} needs a file, as in task-save tasks.db`);
    return open(told);
  }
  if (options.table !== undefined)
    throw new TaskpipeError('USAGE', `--table is for a database, as in tasks.db; ${out} has no tables`);
  return out === '-'
    ? openStream(openRows, { ...options, path: 'the output' }, options.write ?? (async () => {}))
    : openFile({ ...told, openRows });
}
