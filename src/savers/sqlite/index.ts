/*
 * Saves to a table of a SQLite database: one row per uuid. Owns the transaction that makes rows durable. Must
 * not know the order of records: that belongs to the router.
 */
import { existsSync } from 'node:fs';
import { TaskpipeError } from '../../core/base/errors.ts';
import { counted } from '../../core/base/format.ts';
import { IdSet } from '../../core/ids/index.ts';
import { parseTask } from '../../core/record/ndjson.ts';
import type { Task } from '../../core/record/task.ts';
import {
  type Database,
  identifier,
  inTransaction,
  openDatabase,
  refusalOf,
} from '../../core/storage/sqlite-database.ts';
import type { LedgerWriter } from '../../ledgers/index.ts';
import type { Destination, DestinationOptions, Misfit, RowBatch } from '../contract.ts';
import type { OpenLedger } from '../file/missing-rows.ts';
import { columnOfChosen } from '../rows/record-values.ts';
import { DatabaseFiles } from './database-files.ts';
import { agree, checkNeverSaved, openLedgerOf, TABLE } from './table-agreement.ts';
import { TableRows } from './table-rows.ts';
import { type EncodedRow, parseRows, TableWriter } from './table-writer.ts';
import { prepareTable } from './user-table.ts';

/**
 * Opens a table of a SQLite database to save to: one row per uuid, and a later record replaces an earlier
 * one, but a failure never replaces a success. Several processes may save to one database at once.
 * @throws {TaskpipeError} `IO`, `LOCKED`, `DATA` if it is not a database or the table has another shape,
 *   `USAGE`
 */
export async function openTable(options: DestinationOptions): Promise<Destination> {
  const { path, table = TABLE, fields, overwrite, sync } = options;
  checkOptions(options);
  if (!existsSync(path)) await checkNeverSaved(options, table);
  const database = await openDatabase(path, { sync });
  let opened: OpenLedger | undefined;
  try {
    const target = overwrite ? `${table}.new` : table;
    // Read the ledger before the rows: the row of each uuid that it names is already in the table.
    opened = await openLedgerOf(options, table);
    const settle = opened && (await agree(options, opened, database, table));
    await prepareTable(database, table); // a table to be overwritten must be suitable too
    if (overwrite) await database.exec(`drop table if exists ${identifier(target)}`);
    const shape = await prepareTable(database, target);
    const saved = await savedIn(database, target);
    const rows = new TableRows(path, shape, fields);
    return new TableDestination({
      database,
      target,
      table: new TableWriter(database, target, rows),
      saved,
      writer: opened?.writer,
      settle,
      files: new DatabaseFiles(database),
      options,
    });
  } catch (error) {
    await opened?.writer.close();
    database.close();
    throw error;
  }
}

/** @throws {TaskpipeError} `USAGE` for options that a table cannot use */
function checkOptions(options: DestinationOptions): void {
  const { acceptEdits, ledger, widen, escapeFormulas, fields = [], path } = options;
  const refuse = (words: string): never => {
    throw new TaskpipeError('USAGE', words);
  };
  if (widen) refuse(`--widen is for CSV: a table of ${path} gets a column for each new attribute by itself`);
  if (acceptEdits && ledger === undefined)
    refuse(`--accept-edits needs --ledger: without one, nothing says which rows were in ${path}`);
  const other = fields.find((field) => field.path === 'uuid' && field.name !== 'uuid');
  if (other !== undefined)
    refuse(`--fields: the column uuid is the key of a table of ${path}; got ${other.name}=uuid`);
  const columns = fields.map((field) => columnOfChosen(field).toLowerCase());
  const twice = fields.find((_, i) => columns.indexOf(columns[i] as string) < i);
  if (twice !== undefined) refuse(`--fields: ${twice.name} is a column that another field has already`);
  if (escapeFormulas) refuse('--escape-formulas is for CSV: no spreadsheet opens a database');
}

async function savedIn(database: Database, table: string): Promise<IdSet> {
  const saved = new IdSet();
  const uuids = await database.prepare(`select uuid from ${identifier(table)}`);
  for (const [uuid] of await uuids.rows()) saved.add(String(uuid));
  return saved;
}

interface Parts {
  readonly database: Database;
  /** Table that is written. */
  readonly target: string;
  readonly table: TableWriter;
  readonly saved: IdSet;
  readonly writer: LedgerWriter | undefined;
  /** Makes the ledger agree with the table as it was at the start. */
  readonly settle: (() => Promise<void>) | undefined;
  readonly files: DatabaseFiles;
  readonly options: DestinationOptions;
}

class TableDestination implements Destination {
  readonly saved: IdSet;
  readonly isFresh: boolean;
  readonly writesLedger: boolean;
  readonly replaces = true;
  readonly refuses = true;
  readonly #parts: Parts;
  /** Number of rows that this run has written. */
  #written = 0;
  #isSettled = false;
  /** Uuids whose latest row was refused. */
  readonly #refused = new Set<string>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.saved = parts.saved;
    this.isFresh = parts.saved.size === 0;
    this.writesLedger = parts.writer !== undefined;
  }

  isUnmarked(): boolean {
    return false; // every record that arrives is saved and marked
  }

  encode(task: Task): string | Misfit {
    return this.#parts.table.encode(task);
  }

  missingColumns(): readonly string[] {
    return [];
  }

  async widen(): Promise<void> {}

  /** Commits all rows in one transaction, then the ledger. */
  async commit({ rows, uuids, lines, refused }: RowBatch): Promise<void> {
    const { writer, options } = this.#parts;
    await this.#settleLedger();
    const written = new Set<string>();
    if (rows.length > 0) {
      const encoded = parseRows(rows.toString());
      await this.#write(encoded, { lines, refused });
      this.#settle(encoded, refused, written);
      this.#written += encoded.length - refused.size;
    }
    await this.#checkFiles();
    if (writer === undefined) return;
    const marked = refused.size === 0 ? uuids : uuids.filter((uuid) => written.has(uuid));
    await writer.append(
      marked.map((uuid) => ({ uuid })),
      options.sync,
    );
  }

  /** Changes the ledger, once: not before rows are written, as the run may refuse its records until then. */
  async #settleLedger(): Promise<void> {
    if (this.#isSettled) return;
    this.#isSettled = true;
    await this.#parts.settle?.();
  }

  #checkFiles(): Promise<void> {
    const total = this.#written;
    return this.#parts.files.check({
      contents: total === 0 ? undefined : `${counted(total, 'row')} of this run in it`,
      again: ': it runs the tasks again that neither the database nor the ledger has',
    });
  }

  /**
   * Writes rows in one transaction. If a refusal ends it, retries each half in its own, down to single rows.
   */
  async #write(rows: readonly EncodedRow[], batch: Pick<RowBatch, 'lines' | 'refused'>): Promise<void> {
    const { database, table } = this.#parts;
    const taskOf = (index: number): Task => parseTask(batch.lines[index] as string) as Task;
    try {
      await inTransaction(database, () =>
        table.write(rows, taskOf, (index, why) => batch.refused.set(index, why)),
      );
    } catch (error) {
      table.reset();
      const why = refusalOf(error);
      if (why === undefined) throw error;
      const [first] = rows;
      if (rows.length === 1) {
        batch.refused.set((first as EncodedRow).index, { code: 'CONSTRAINT', message: why, columns: [] });
        return;
      }
      const half = Math.ceil(rows.length / 2);
      await this.#write(rows.slice(0, half), batch);
      await this.#write(rows.slice(half), batch);
    }
  }

  /**
   * Drops a refusal if a later row with the same uuid was written.
   * @param written gets the uuids of written rows
   */
  #settle(rows: readonly EncodedRow[], refused: Map<number, Misfit>, written: Set<string>): void {
    if (refused.size === 0 && this.#refused.size === 0) return;
    for (const { index, values } of rows.toReversed()) {
      const uuid = values[1] as string;
      if (!refused.has(index)) written.add(uuid);
      else if (written.has(uuid)) refused.delete(index);
      else this.#refused.add(uuid);
    }
    for (const uuid of written) if (this.#refused.delete(uuid)) this.saved.add(uuid);
  }

  async finish(isWhole: boolean): Promise<boolean> {
    const { database, target, options } = this.#parts;
    const { overwrite, path, table = TABLE, warn } = options;
    await this.#settleLedger();
    await this.#checkFiles();
    await this.#parts.writer?.check();
    if (!overwrite) return true;
    if (!isWhole) {
      warn(
        `stopped: the table ${table} of ${path} is unchanged, and the new rows are in its table ${target}`,
      );
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
    // A copy of the file alone should contain all rows; a reader in another process may prevent that.
    await database.all('pragma wal_checkpoint(truncate)').catch(() => {});
    database.close();
  }
}
