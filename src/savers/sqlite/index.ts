import { TaskpipeError } from '../../core/errors.ts';
import { IdSet } from '../../core/idset.ts';
import { type Database, identifier, inTransaction, openDatabase } from '../../core/sqlite.ts';
import type { Task } from '../../core/task.ts';
import { type LedgerWriter, openLedger } from '../../ledgers/index.ts';
import type { Field } from '../fields.ts';
import type { Destination, DestinationOptions, Misfit, RowBatch } from '../saver.ts';
import { type Column, columnOfField, TableRows } from './cells.ts';
import { columnsOf, prepareTable } from './table.ts';
import { TableWriter } from './writer.ts';

/** The table that is saved to where no other is named. */
export const TABLE = 'tasks';

/**
 * Opens a table of a SQLite database to save to: a row a uuid, and a later record takes the place of the earlier.
 * Several may save to one database at once.
 * @throws {TaskpipeError} `IO`, `LOCKED`, `DATA` where it is no database or the table is of another shape, `USAGE`
 */
export async function openTable(options: DestinationOptions): Promise<Destination> {
  const { path, table = TABLE, fields, ledger, overwrite, sync } = options;
  checkOptions(options);
  const database = await openDatabase(path, { sync });
  let writer: LedgerWriter | undefined;
  try {
    const target = overwrite ? `${table}.new` : table;
    await prepareTable(database, table); // what is overwritten must be of ours too
    if (overwrite) await database.exec(`drop table if exists ${identifier(target)}`);
    const columns = await prepareTable(database, target);
    writer = ledger === undefined ? undefined : await openLedger(ledger, options.say).open(path);
    const saved = await savedIn(database, target);
    if (writer !== undefined) await markFound(options, database, target, writer);
    const rows = new TableRows(path, fields === undefined ? columns : chosenOf(fields, columns), fields);
    return new TableDestination({
      database,
      target,
      table: new TableWriter(database, target, rows),
      saved,
      writer,
      options,
    });
  } catch (error) {
    await writer?.close();
    database.close();
    throw error;
  }
}

/** @throws {TaskpipeError} `USAGE`, for options that mean nothing here */
function checkOptions({ widen, escapeFormulas, fields = [], path }: DestinationOptions): void {
  const refuse = (words: string): never => {
    throw new TaskpipeError('USAGE', words);
  };
  if (widen) refuse(`--widen is for CSV: a table of ${path} gets a column for each new attribute by itself`);
  const other = fields.find((field) => field.path === 'uuid' && field.name !== 'uuid');
  if (other !== undefined)
    refuse(`--fields: the column uuid is the key of a table of ${path}; got ${other.name}=uuid`);
  const columns = fields.map((field) => columnOfField(field).toLowerCase());
  const twice = fields.find((_, i) => columns.indexOf(columns[i] as string) < i);
  if (twice !== undefined) refuse(`--fields: ${twice.name} is a column that another field has already`);
  if (escapeFormulas) refuse('--escape-formulas is for CSV: no spreadsheet opens a database');
}

/** The columns that `--fields` names; others of the table are left alone. Those it lacks are there from the start. */
function chosenOf(fields: readonly Field[], columns: readonly Column[]): readonly Column[] {
  const names = new Set(['uuid', ...fields.filter(({ path }) => path !== 'uuid').map(columnOfField)]);
  return [...names].map((name) => columns.find((column) => column.name === name) ?? { name, kind: 'any' });
}

async function savedIn(database: Database, table: string): Promise<IdSet> {
  const saved = new IdSet();
  const uuids = await database.prepare(`select uuid from ${identifier(table)}`);
  for (const [uuid] of await uuids.rows()) saved.add(String(uuid));
  return saved;
}

const BATCH = 10_000;

/** Marks rows that the ledger does not know: a crash came between the two. */
async function markFound(
  { ledger, path, say, all, sync }: DestinationOptions,
  database: Database,
  table: string,
  writer: LedgerWriter,
): Promise<void> {
  const known = openLedger(ledger as string, say);
  const finished = await known.finished();
  const { undone } = await known.history(path);
  const isStateful = (await columnsOf(database, table)).some(({ name }) => name === 'state');
  const good = isStateful && !all ? "where coalesce(state, 'SUCCESS') = 'SUCCESS'" : '';
  const rows = await database.prepare(`select uuid from ${identifier(table)} ${good}`);
  let found: { uuid: string }[] = [];
  for (const [cell] of await rows.rows()) {
    const uuid = String(cell);
    if (finished.has(uuid) || undone.has(uuid)) continue;
    found.push({ uuid });
    if (found.length < BATCH) continue;
    await writer.append(found, sync);
    found = [];
  }
  await writer.append(found, sync);
}

interface Parts {
  readonly database: Database;
  /** The table that is written. */
  readonly target: string;
  readonly table: TableWriter;
  readonly saved: IdSet;
  readonly writer: LedgerWriter | undefined;
  readonly options: DestinationOptions;
}

class TableDestination implements Destination {
  readonly saved: IdSet;
  readonly isFresh: boolean;
  readonly marks: boolean;
  readonly replaces = true;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.saved = parts.saved;
    this.isFresh = parts.saved.size === 0;
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
  async commit({ rows, uuids }: RowBatch): Promise<void> {
    const { database, table, writer, options } = this.#parts;
    if (rows.length > 0) {
      await inTransaction(database, () => table.write(rows.toString()));
    }
    await writer?.append(
      uuids.map((uuid) => ({ uuid })),
      options.sync,
    );
  }

  async finish(isWhole: boolean): Promise<boolean> {
    const { database, target, options } = this.#parts;
    const { overwrite, path, table = TABLE, say } = options;
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
