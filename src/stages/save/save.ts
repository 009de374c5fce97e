import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { ioError, TaskpipeError } from '../../core/base/errors.ts';
import { counted, textOf } from '../../core/base/format.ts';
import { checkOptions } from '../../core/options/library-options.ts';
import { isPostgres, isSameDatabase, postgresAddress } from '../../core/postgres/postgres-address.ts';
import { TABLE } from '../../core/postgres/postgres-table.ts';
import { stateOf, type Task } from '../../core/record/task.ts';
import { isS3 } from '../../core/s3/s3-address.ts';
import { realPath, resolved } from '../../core/storage/durable.ts';
import { checkPlaces } from '../../core/storage/path-conflicts.ts';
import type { Destination } from '../../savers/contract.ts';
import { openFile } from '../../savers/file/file-destination.ts';
import { placesOf } from '../../savers/file/output-paths.ts';
import { openRest, type Rest } from '../../savers/file/rest-file.ts';
import { saveFormatOf, saveFormats, savers } from '../../savers/index.ts';
import { RefusedRecords } from '../../savers/refused-records.ts';
import { Router, type SaveSummary } from '../../savers/router.ts';
import { FieldWatch } from '../../savers/rows/field-watch.ts';
import { type Field, fieldsOf } from '../../savers/rows/fields.ts';
import { openStream } from '../../savers/stream-destination.ts';
import { outputFile, restFileOf } from './output-place.ts';
import { OWN_SAVE_OPTIONS, type SaveOptions, saveOptions } from './save-options.ts';

export type { SaveSummary } from '../../savers/router.ts';
export type { FieldOption } from '../../savers/rows/fields.ts';
export type { SaveOptions } from './save-options.ts';

/**
 * Saves tasks. Each uuid gives one row, even after a crash: rows are safe before the ledger names them, and
 * the next start finds rows that a crash left unmarked.
 * @param out a path, or `-`
 * @throws {TaskpipeError} `USAGE`, `IO`, `DATA` if the output is not usable, `LOCKED` if another process
 *   saves to it
 */
export async function save(
  tasks: AsyncIterable<readonly Task[]>,
  out: string,
  options: SaveOptions = {},
): Promise<SaveSummary> {
  checkSaveOptions(out, options);
  const restFile = options.rest ?? restFileOf(out, options.table);
  const { rejects } = options;
  const ledger = isOwnLedger(out, options) ? undefined : options.ledger;
  checkPlaces(placesOf(outputFile(out), { rest: restFile, ledger, rejects }));
  if (options.partitionBy !== undefined) makeFolder(out);
  const rest = openRestFor(out, restFile, options);
  const fields = options.fields && fieldsOf(options.fields);
  const destination = await openDestination(out, { ...options, ledger, fields });
  // Standard output is not synced, so there is no commit to wait for.
  const router = new Router(destination, rest, out === '-' ? { ...options, flushInterval: 0 } : options);
  options.watch?.(router.summary);
  options.onForm?.(() => destination.form);
  try {
    // A crash left records of its run.
    if (rest.isLeft) await mergeLeft(rest, destination);
    const watch = new FieldWatch(destination.isFresh ? fields : undefined, options.info);
    await router
      .takeAll(watch.over(tasks))
      .catch((error) => keepRecords(error, router, rest, options.warn ?? quiet));
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

/** Creates the folder of an output, in which its partitions have their folders. @throws {TaskpipeError} `IO` */
function makeFolder(out: string): void {
  try {
    mkdirSync(dirname(out), { recursive: true });
  } catch (error) {
    throw ioError('cannot create', dirname(out), error);
  }
}

/** Opens the rest file. @throws {TaskpipeError} about the output instead, if it cannot be written either */
function openRestFor(out: string, restFile: string, { rest, warn = quiet }: SaveOptions): Rest {
  try {
    return openRest(restFile, warn);
  } catch (error) {
    if (rest === undefined && outputFile(out) !== undefined) mustBeWritable(out);
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

/** Adds finished records that were refused to the rest file. @throws the error */
async function keepRecords(
  error: unknown,
  router: Router,
  rest: Rest,
  warn: (message: string) => void,
): Promise<never> {
  if (!(error instanceof RefusedRecords)) throw error;
  await router.drain();
  const done = error.tasks.filter((task) => stateOf(task) !== undefined);
  if (done.length > 0) {
    await rest.add(textOf(done), true);
    warn(`${counted(done.length, 'finished record')} that arrived before the error: see ${rest.path}`);
  }
  await rest.merge({ has: () => false });
  throw error;
}

function quiet(_message: string): void {}

/**
 * Returns whether the ledger is the database of the output. Its rows then show what is finished.
 * @throws {TaskpipeError} `USAGE` if the table is not that of a ledger
 */
function isOwnLedger(out: string, { ledger, format, table }: SaveOptions): boolean {
  if (isPostgres(out)) return isTableLedger(out, table, ledger);
  const kind = format ?? saveFormatOf(out);
  const isDatabase = kind !== undefined && savers[kind].uses.includes('table');
  if (!isDatabase || ledger === undefined || realPath(ledger) !== realPath(out)) return false;
  if (table === undefined || table === 'tasks') return true;
  throw new TaskpipeError(
    'USAGE',
    `${out} is a ledger by its table tasks; got --table ${table} with --ledger ${ledger}`,
  );
}

/** Returns whether a ledger is the table of PostgreSQL that is saved to. */
function isTableLedger(out: string, table: string | undefined, place: string | undefined): boolean {
  if (place === undefined || !isPostgres(place)) return false;
  const [ledger, output] = [postgresAddress(place), postgresAddress(out)];
  if (ledger.ledger !== undefined || !isSameDatabase(ledger, output)) return false;
  return (ledger.table ?? TABLE) === (table ?? output.table ?? TABLE);
}

/**
 * Merges the records that a crash left. Does nothing if another process has the rest file, because its run has not
 * ended.
 */
async function mergeLeft(rest: Rest, { saved }: Destination): Promise<void> {
  try {
    await rest.merge(saved);
  } catch (error) {
    if (!(error instanceof TaskpipeError) || error.code !== 'LOCKED') throw error;
  }
}

/** Checks options. @throws {TaskpipeError} `USAGE` if one is unknown or invalid, or some exclude each other */
function checkSaveOptions(out: string, options: SaveOptions): void {
  const { acceptEdits, ledger, overwrite, partitionBy, tee, widen } = options;
  checkOptions('save()', options, saveOptions, OWN_SAVE_OPTIONS);
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
    if (partitionBy !== undefined) refuse('--partition-by needs a file, as in out/rows.csv');
    if (widen) refuse('--widen needs a file: rows on the standard output cannot be changed');
  } else if (overwrite) {
    if (partitionBy !== undefined)
      refuse('--overwrite cannot be used with --partition-by: remove the folders of the partitions first');
    if (ledger !== undefined)
      refuse('--overwrite cannot be used with --ledger, which says what the output holds already');
    if (tee !== undefined) refuse('--overwrite cannot be used with --tee: no row is safe before the end');
    if (acceptEdits)
      refuse('--overwrite cannot be used with --accept-edits: it does not read the old output');
  }
}

/** Options with the parsed fields. */
type OpenOptions = Omit<SaveOptions, 'fields'> & { readonly fields: readonly Field[] | undefined };

async function openDestination(out: string, options: OpenOptions): Promise<Destination> {
  const format = options.format ?? (out === '-' ? 'ndjson' : saveFormatOf(out));
  if (format === undefined) {
    const files = saveFormats.filter((name) => savers[name].endings.length > 0);
    const endings = files.flatMap((name) => savers[name].endings);
    throw new TaskpipeError(
      'USAGE',
      `${out} must end in one of ${endings.join(', ')}; or say --format ${files.join('|')}`,
    );
  }
  if (isPostgres(out) && format !== 'postgres')
    throw new TaskpipeError(
      'USAGE',
      `--format ${format} is for files: rows go to a table of PostgreSQL; leave it out`,
    );
  if (isS3(out) && format !== 's3')
    throw new TaskpipeError(
      'USAGE',
      `--format ${format} is for files: in S3, each task is an object of JSON; leave it out`,
    );
  const { warn = quiet, info = quiet, sync = 'batch' } = options;
  const { rows: openRows, open } = savers[format];
  const told = { ...options, path: out, sync: sync === 'batch', warn, info };
  if (openRows === undefined) {
    if (open === undefined || out === '-') {
      const needs =
        format === 'parquet' ? 'folder, as in task-save out.parquet/' : 'file, as in task-save tasks.db';
      throw new TaskpipeError('USAGE', `--format ${format} needs a ${needs}`);
    }
    return open(told);
  }
  if (options.table !== undefined)
    throw new TaskpipeError('USAGE', `--table is for a database, as in tasks.db; ${out} has no tables`);
  if (options.partitionBy !== undefined) {
    const { openPartitions } = await import('../../savers/partitions/partitions.ts');
    return openPartitions({ ...told, openRows, partitionBy: options.partitionBy });
  }
  return out === '-'
    ? openStream(openRows, { ...options, path: 'the output' }, options.write ?? (async () => {}))
    : openFile({ ...told, openRows });
}
