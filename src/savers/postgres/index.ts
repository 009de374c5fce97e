/*
 * Saves to a table of PostgreSQL: one row per uuid. Owns the transaction that has the rows and, if their ledger is in
 * the same database, their marks. Must not know the order of records: that belongs to the router.
 */
import { TaskpipeError } from '../../core/base/errors.ts';
import type { IdSet } from '../../core/ids/index.ts';
import type { PostgresLink } from '../../core/postgres/contract.ts';
import { postgresAddress } from '../../core/postgres/postgres-address.ts';
import { refusalOfRow } from '../../core/postgres/postgres-faults.ts';
import { openPostgres } from '../../core/postgres/postgres-link.ts';
import { TABLE } from '../../core/postgres/postgres-table.ts';
import { parseTask } from '../../core/record/ndjson.ts';
import type { Task } from '../../core/record/task.ts';
import type { Destination, DestinationOptions, Misfit, RowBatch } from '../contract.ts';
import { agreeWithTable, openTableLedger, readUuids, type TableLedger } from './joined-ledger.ts';
import { ColumnRows, type CopyRows } from './postgres-rows.ts';
import { type AlsoWrite, type BatchTask, PostgresWriter } from './postgres-writer.ts';
import { RecordRows } from './record-rows.ts';
import { checkTableOptions } from './table-options.ts';
import { prepareTarget } from './target-table.ts';

/**
 * Opens a table of PostgreSQL to save to: one row per uuid, and a later record replaces an earlier one, but a failure
 * never replaces a success. Several processes may save to one table at once.
 * @throws {TaskpipeError} `IO`, `LOCKED`, `DATA` if tasks cannot be saved to the table, `USAGE`
 */
export async function openPostgresTable(options: DestinationOptions): Promise<Destination> {
  const address = postgresAddress(options.path);
  if (address.ledger !== undefined)
    throw new TaskpipeError(
      'USAGE',
      `${address.place} is a ledger; an output is postgres://HOST/DATABASE with --table NAME`,
    );
  const table = options.table ?? address.table ?? TABLE;
  checkTableOptions(options, address.place);
  const { patience, sync, warn, stopped } = options;
  const link = openPostgres(address, { patience, sync, warn, stopping: stopped });
  let ledger: TableLedger | undefined;
  try {
    const bare = address.place.replace(/\?.*/, '');
    const name = `${bare}?table=${encodeURIComponent(table)}`;
    ledger = await openTableLedger(options, link, name);
    const hasRecords = options.jsonb === true;
    const target = await link.commit((session) => prepareTarget(session, bare, table, hasRecords));
    const uuids = await readUuids(link, target, ledger?.history);
    const settle = ledger && (await agreeWithTable(options, ledger, uuids, `${bare}, table ${table}`));
    const place = `${bare}, table ${table}`;
    const rows = hasRecords ? new RecordRows(place, target) : new ColumnRows(place, target, options.fields);
    return new PostgresDestination({
      ...{ link, rows, ledger, options, saved: uuids.all },
      settle: settle && (() => settle(link, target)),
      writer: new PostgresWriter(link, target, rows),
    });
  } catch (error) {
    await ledger?.writer.close();
    await link.close();
    throw error;
  }
}

interface DestinationParts {
  readonly link: PostgresLink;
  readonly rows: CopyRows;
  readonly writer: PostgresWriter;
  readonly saved: IdSet;
  readonly ledger: TableLedger | undefined;
  /** Changes the ledger to what was in the table at the start. */
  readonly settle: (() => Promise<void>) | undefined;
  readonly options: DestinationOptions;
}

class PostgresDestination implements Destination {
  readonly saved: IdSet;
  readonly isFresh: boolean;
  /** Always: batches must list their uuids, so that those that come twice are found. */
  readonly writesLedger = true;
  readonly replaces = true;
  readonly refuses = true;
  readonly #parts: DestinationParts;
  /** Number of rows that were encoded, and of those that were handed over by commits. */
  #encoded = 0;
  #committed = 0;
  /** Version of the last row, and the number of the first row of this version. */
  #version = 0;
  #versionFrom = 0;
  /** Number that the next new uuid gets in `saved`, and the number of the last row whose uuid was not new. */
  #nextId: number;
  #lastOld = -1;
  #isSettled = false;
  /** Uuids whose last row was refused. */
  readonly #refused = new Set<string>();

  constructor(parts: DestinationParts) {
    this.#parts = parts;
    this.saved = parts.saved;
    this.isFresh = parts.saved.size === 0;
    this.#nextId = parts.saved.size;
  }

  isUnmarked(): boolean {
    return false; // every record that comes is saved and marked
  }

  encode(task: Task): string | Misfit {
    const id = this.saved.added; // the router has just added its uuid
    const { rows } = this.#parts;
    const row = rows.encode(task);
    if (typeof row !== 'string') return row;
    if (rows.version !== this.#version) {
      this.#version = rows.version;
      this.#versionFrom = this.#encoded;
    }
    if (id < this.#nextId) this.#lastOld = this.#encoded;
    else this.#nextId = id + 1;
    this.#encoded++;
    return row;
  }

  missingColumns(): readonly string[] {
    return [];
  }

  async widen(): Promise<void> {}

  /** Commits all rows in one transaction, with their marks or before them. */
  async commit(batch: RowBatch): Promise<void> {
    await this.#settleLedger();
    const { rows, rowCount, uuids, lines, refused } = batch;
    if (rowCount === 0) return;
    const isCurrent = this.#committed >= this.#versionFrom && this.#version === this.#parts.rows.version;
    const areNew = this.#lastOld < this.#committed;
    this.#committed += rowCount;
    const isOnceEach = areNew || new Set(uuids).size === rowCount;
    const isPlain = isCurrent && isOnceEach && (await this.#writePlain(rows, uuids, areNew));
    if (isPlain && this.#refused.size === 0) return;
    const tasks = lines.map((line, index): BatchTask => ({ index, task: parseTask(line) as Task }));
    if (!isPlain) await this.#writeTasks(tasks, refused);
    this.#settleRefused(tasks, refused);
  }

  /**
   * Writes rows as they were encoded. Returns false if they have to be written one by one.
   * @param areNew true if no uuid had a row before, so that rows are probably inserted and not replaced
   */
  async #writePlain(rows: Buffer, uuids: readonly string[], areNew: boolean): Promise<boolean> {
    try {
      const { writer } = this.#parts;
      const isWritten = areNew && (await writer.insertRows(rows, uuids.length, this.#marking(uuids)));
      const written = isWritten ? uuids.length : await writer.writeRows(rows, this.#marking(uuids));
      if (written === undefined) return false;
      // Fewer if failures did not replace successes, or if a trigger left rows out.
      if (written < uuids.length) return false;
    } catch (error) {
      if (refusalOfRow((error as Error).cause) === undefined) throw error;
      return false;
    }
    await this.#markAfter(uuids);
    return true;
  }

  /** Writes tasks in one transaction. If the table refuses one, writes each half in its own, down to single tasks. */
  async #writeTasks(tasks: readonly BatchTask[], refused: Map<number, Misfit>): Promise<void> {
    const found = new Map<number, Misfit>();
    const written = (): string[] => tasks.flatMap(({ index, task }) => (found.has(index) ? [] : [task.uuid]));
    try {
      await this.#parts.writer.writeTasks(
        tasks,
        (session) => this.#marking(written())(session),
        (index, why) => found.set(index, why),
      );
    } catch (error) {
      const why = refusalOfRow((error as Error).cause);
      if (why === undefined) throw error;
      const [first] = tasks;
      if (tasks.length === 1) {
        refused.set((first as BatchTask).index, { code: 'CONSTRAINT', message: why, columns: [] });
        return;
      }
      const half = Math.ceil(tasks.length / 2);
      await this.#writeTasks(tasks.slice(0, half), refused);
      await this.#writeTasks(tasks.slice(half), refused);
      return;
    }
    for (const [index, why] of found) refused.set(index, why);
    await this.#markAfter(written());
  }

  /** Returns the work that marks uuids in the transaction of their rows. */
  #marking(uuids: readonly string[]): AlsoWrite {
    const mark = this.#parts.ledger?.mark;
    return async (session) =>
      mark?.(
        session,
        uuids.map((uuid) => ({ uuid })),
      );
  }

  /** Marks uuids in a ledger that is not in the database of their rows. */
  async #markAfter(uuids: readonly string[]): Promise<void> {
    const { ledger, options } = this.#parts;
    if (ledger === undefined || ledger.mark !== undefined) return;
    await ledger.writer.append(
      uuids.map((uuid) => ({ uuid })),
      options.sync,
    );
  }

  /** Drops a refusal if a later row with the same uuid was written. */
  #settleRefused(tasks: readonly BatchTask[], refused: Map<number, Misfit>): void {
    const written = new Set<string>();
    if (refused.size === 0 && this.#refused.size === 0) return;
    for (const { index, task } of tasks.toReversed()) {
      if (!refused.has(index)) written.add(task.uuid);
      else if (written.has(task.uuid)) refused.delete(index);
      else this.#refused.add(task.uuid);
    }
    for (const uuid of written) if (this.#refused.delete(uuid)) this.saved.add(uuid);
  }

  /** Changes the ledger, once: not before rows are written, as the run may refuse its records until then. */
  async #settleLedger(): Promise<void> {
    if (this.#isSettled) return;
    this.#isSettled = true;
    await this.#parts.settle?.();
  }

  async finish(): Promise<boolean> {
    await this.#settleLedger();
    await this.#parts.ledger?.writer.check();
    return true;
  }

  async close(): Promise<void> {
    await this.#parts.ledger?.writer.close();
    await this.#parts.link.close();
  }
}
