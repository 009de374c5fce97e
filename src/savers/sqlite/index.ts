import { existsSync } from 'node:fs';
import { TaskpipeError } from '../../core/errors.ts';
import { IdSet } from '../../core/idset.ts';
import { type Database, identifier, inTransaction, openDatabase } from '../../core/sqlite.ts';
import type { Task } from '../../core/task.ts';
import { counted } from '../../core/words.ts';
import type { LedgerWriter } from '../../ledgers/index.ts';
import type { OpenLedger } from '../absent.ts';
import type { Destination, DestinationOptions, Misfit, RowBatch } from '../saver.ts';
import { agree, checkNeverSaved, openLedgerOf, TABLE } from './agree.ts';
import { type Column, columnOfField, TableRows } from './cells.ts';
import { DatabaseFiles } from './files.ts';
import { prepareTable } from './table.ts';
import { TableWriter } from './writer.ts';

/**
 * Opens a table of a SQLite database to save to: a row a uuid, and a later record takes the place of the earlier.
 * Several may save to one database at once.
 * @throws {TaskpipeError} `IO`, `LOCKED`, `DATA` where it is no database or the table is of another shape, `USAGE`
 */
export async function openTable(options: DestinationOptions): Promise<Destination> {
  const { path, table = TABLE, fields, overwrite, sync } = options;
  checkOptions(options);
  if (!existsSync(path)) await checkNeverSaved(options, table);
  const database = await openDatabase(path, { sync });
  let opened: OpenLedger | undefined;
  try {
    const target = overwrite ? `${table}.new` : table;
    // Before the rows: of a uuid that the ledger names by now, the row is in the table.
    opened = await openLedgerOf(options, table);
    if (opened !== undefined) await agree(options, opened, database, table);
    await prepareTable(database, table); // what is overwritten must be of ours too
    if (overwrite) await database.exec(`drop table if exists ${identifier(target)}`);
    const columns = await prepareTable(database, target);
    const saved = await savedIn(database, target);
    const rows = new TableRows(path, fields === undefined ? columns : chosenOf(fields, columns), fields);
    return new TableDestination({
      database,
      target,
      table: new TableWriter(database, target, rows),
      saved,
      writer: opened?.writer,
      files: new DatabaseFiles(database),
      options,
    });
  } catch (error) {
    await opened?.writer.close();
    database.close();
    throw error;
  }
}

/** @throws {TaskpipeError} `USAGE`, for options that mean nothing here */
function checkOptions({ acceptEdits, ledger, widen, escapeFormulas, path }: DestinationOptions): void {
  const refuse = (words: string): never => {
    throw new TaskpipeError('USAGE', words);
  };
  if (widen) refuse(`--widen is for CSV: a table of ${path} gets a column for each new attribute by itself`);
  if (acceptEdits && ledger === undefined)
    refuse(`--accept-edits needs --ledger: without one, nothing says which rows were in ${path}`);
  if (escapeFormulas) refuse('--escape-formulas is for CSV: no spreadsheet opens a database');
}

/** The columns that `--fields` names; others of the table are left alone. Those it lacks are there from the start. */
function chosenOf(fields: readonly string[], columns: readonly Column[]): readonly Column[] {
  const names = new Set(['uuid', ...fields.filter((field) => field !== 'uuid').map(columnOfField)]);
  return [...names].map((name) => columns.find((column) => column.name === name) ?? { name, kind: 'any' });
}

async function savedIn(database: Database, table: string): Promise<IdSet> {
  const saved = new IdSet();
  const uuids = await database.prepare(`select uuid from ${identifier(table)}`);
  for (const [uuid] of await uuids.rows()) saved.add(String(uuid));
  return saved;
}

interface Parts {
  readonly database: Database;
  /** The table that is written. */
  readonly target: string;
  readonly table: TableWriter;
  readonly saved: IdSet;
  readonly writer: LedgerWriter | undefined;
  readonly files: DatabaseFiles;
  readonly options: DestinationOptions;
}

class TableDestination implements Destination {
  readonly saved: IdSet;
  readonly marks: boolean;
  readonly replaces = true;
  readonly #parts: Parts;
  /** Number of rows that this run has written. */
  #written = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.saved = parts.saved;
    this.marks = parts.writer !== undefined;
  }

  isUnmarked(): boolean {
    return false; // every record that comes is saved and marked
  }

  encode(task: Task): string | Misfit {
    return this.#parts.table.encode(task);
  }

  lackedBy(): readonly string[] {
    return [];
  }

  async widen(): Promise<void> {}

  /** All rows in one transaction, then the ledger. */
  async commit({ rows, count, uuids }: RowBatch): Promise<void> {
    const { database, table, writer, options } = this.#parts;
    if (rows.length > 0) {
      await inTransaction(database, () => table.write(rows.toString()));
      this.#written += count;
    }
    await this.#checkFiles();
    await writer?.append(
      uuids.map((uuid) => ({ uuid })),
      options.sync,
    );
  }

  #checkFiles(): Promise<void> {
    const total = this.#written;
    return this.#parts.files.check({
      contents: total === 0 ? undefined : `${counted(total, 'row')} of this run in it`,
      again: ': it runs the tasks again that neither the database nor the ledger has',
    });
  }

  async finish(isWhole: boolean): Promise<boolean> {
    const { database, target, options } = this.#parts;
    const { overwrite, path, table = TABLE, say } = options;
    await this.#checkFiles();
    await this.#parts.writer?.check();
    if (!overwrite) return true;
    if (!isWhole) {
      say(`stopped: the table ${table} of ${path} is as it was, and what came is in its table ${target}`);
      return false;
    }
    await inTransaction(database, async () => {
      await database.exec(`drop table ${identifier(table)}`);
      await database.exec(`alter table ${identifier(target)} rename to ${identifier(table)}`);
    });
    return true;
  }

  async close(): Promise<void> {
    const { database, writer } = this.#parts;
    await writer?.close();
    // Whoever copies the file alone is to find all in it; somebody who reads may keep us from that.
    await database.all('pragma wal_checkpoint(truncate)').catch(() => {});
    database.close();
  }
}
