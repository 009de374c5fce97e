import type { PostgresLink, PostgresSession } from '../../core/postgres/contract.ts';
import { sqlName } from '../../core/postgres/postgres-table.ts';
import type { Task } from '../../core/record/task.ts';
import type { Misfit } from '../contract.ts';
import type { CopyRows } from './postgres-rows.ts';
import {
  addTargetColumns,
  makeStage,
  removedTable,
  STAGE,
  type TargetTable,
  upsertFrom,
} from './target-table.ts';

/** A task of a batch. */
export interface BatchTask {
  /** Index in the batch. */
  readonly index: number;
  readonly task: Task;
}

/** Called with rows that the table does not take. */
export type RefuseRow = (index: number, why: Misfit) => void;

/** Work that belongs to the transaction of the rows, as the marks of a ledger in the same database. */
export type AlsoWrite = (session: PostgresSession) => Promise<void>;

/** Code of a statement that names a table which is not there. */
const NO_TABLE = '42P01';

/** Returns the code with which the server has refused a statement. */
function codeOf(error: unknown): string | undefined {
  return ((error as Error).cause as { readonly code?: string } | undefined)?.code;
}

/** Writer of rows: it copies them to a temporary table, and moves them from there in one statement. */
export class PostgresWriter {
  readonly #link: PostgresLink;
  readonly #target: TargetTable;
  readonly #rows: CopyRows;
  /** Connection and version of the rows that the temporary table is for. */
  #stage = '';
  /** Version of the rows whose columns the table has. */
  #version: number | undefined;
  /** False for a table that refuses COPY. */
  #takesCopy = true;

  constructor(link: PostgresLink, target: TargetTable, rows: CopyRows) {
    this.#link = link;
    this.#target = target;
    this.#rows = rows;
  }

  /**
   * Inserts rows of the current version in one transaction, by COPY into the table itself, in a third of the time of
   * `writeRows`.
   * @returns false if nothing was written: a uuid has a row of another process, or the table needs `writeRows`
   */
  async insertRows(rows: Buffer, count: number, also: AlsoWrite): Promise<boolean> {
    const { version } = this.#rows;
    await this.#prepare();
    const { columns } = this.#rows;
    if (version !== this.#rows.version || !this.#takesCopy) return false;
    if (columns.some(({ fallback }) => fallback !== undefined)) return false;
    try {
      return await this.#link.run((session) => this.#insert(session, rows, count, also));
    } catch (error) {
      const code = codeOf(error);
      if (code === NO_TABLE) throw removedTable(this.#target.sql);
      if (code === '0A000') this.#takesCopy = false; // a table with row-level security, for example
      if (code === '0A000' || code === '23505') return false;
      throw error;
    }
  }

  async #insert(session: PostgresSession, rows: Buffer, count: number, also: AlsoWrite): Promise<boolean> {
    const names = this.#rows.columns.map(({ name }) => sqlName(name)).join(', ');
    try {
      if (session.isPooled) await session.begin();
      const begin = session.isPooled ? '' : 'begin; '; // saves a round trip
      const written = await session.copy(`${begin}copy ${this.#target.sql} (${names}) from stdin`, rows);
      const isWhole = written === count; // else a trigger has left rows out
      if (isWhole) await also(session);
      await session.exec(isWhole ? 'commit' : 'rollback');
      return isWhole;
    } catch (error) {
      await session.exec('rollback').catch(() => {}); // a lost connection rolls back too
      throw error;
    }
  }

  /**
   * Writes rows of the current version in one transaction.
   * @returns number of rows that were inserted or replaced; undefined if nothing was written, as the table has columns
   *   of another kind than the rows
   */
  async writeRows(rows: Buffer, also: AlsoWrite): Promise<number | undefined> {
    const { version } = this.#rows;
    await this.#prepare();
    if (version !== this.#rows.version) return undefined;
    return this.#commit(async (session) => {
      const written = await this.#put(session, rows);
      await also(session);
      return written;
    });
  }

  /**
   * Writes tasks in one transaction, each uuid as often as it comes and in this order. Passes tasks without a row to
   * `refuse`.
   */
  async writeTasks(tasks: readonly BatchTask[], also: AlsoWrite, refuse: RefuseRow): Promise<void> {
    const rounds = roundsOf(tasks);
    for (;;) {
      const texts = rounds.map((round) => this.#encoded(round, refuse));
      const { version } = this.#rows;
      await this.#prepare();
      if (version !== this.#rows.version) continue; // the table has columns of another kind: encode again
      await this.#commit(async (session) => {
        for (const [i, text] of texts.entries()) {
          if (text === '') continue;
          const rows = Buffer.from(text);
          if (i > 0) await session.exec(`delete from ${STAGE}`);
          const written = await this.#put(session, rows);
          if (written < countLines(text)) await this.#findMissing(session, rounds[i] as BatchTask[], refuse);
        }
        await also(session);
      });
      return;
    }
  }

  #encoded(round: readonly BatchTask[], refuse: RefuseRow): string {
    let text = '';
    for (const { index, task } of round) {
      const row = this.#rows.encode(task);
      if (typeof row === 'string') text += row;
      else refuse(index, row);
    }
    return text;
  }

  /** Adds the columns that the table lacks. The version of the rows changes if they are of another kind there. */
  async #prepare(): Promise<void> {
    while (this.#version !== this.#rows.version) {
      const { columns } = this.#rows;
      const there = await this.#link.commit((session) => addTargetColumns(session, this.#target, columns));
      this.#rows.adopt(there);
      const names = new Set(there.map(({ name }) => name));
      // Rows that were encoded meanwhile may need more.
      if (this.#rows.columns.every(({ name }) => names.has(name))) this.#version = this.#rows.version;
    }
  }

  async #commit<T>(work: (session: PostgresSession) => Promise<T>): Promise<T> {
    try {
      return await this.#commitOnce(work);
    } catch (error) {
      throw codeOf(error) === NO_TABLE ? removedTable(this.#target.sql) : error;
    }
  }

  #commitOnce<T>(work: (session: PostgresSession) => Promise<T>): Promise<T> {
    const columns = this.#rows.columns;
    const { version } = this.#rows;
    return this.#link.run(async (session) => {
      const stage = `${session.number} ${version}`;
      const isThere = this.#stage === stage;
      if (!isThere && !session.isPooled) await session.exec(makeStage(this.#target, columns));
      this.#stage = stage;
      await session.begin();
      try {
        if (session.isPooled) await session.exec(makeStage(this.#target, columns));
        const result = await work(session);
        await session.exec('commit');
        return result;
      } catch (error) {
        await session.exec('rollback').catch(() => {}); // a lost connection rolls back too
        throw error;
      }
    });
  }

  async #put(session: PostgresSession, rows: Buffer): Promise<number> {
    const { columns, written } = this.#rows;
    const names = columns.map(({ name }) => sqlName(name)).join(', ');
    await session.copy(`copy ${STAGE} (${names}) from stdin`, rows);
    return session.change(upsertFrom(this.#target, columns, written));
  }

  /** Refuses the tasks whose rows a trigger or a rule left out. */
  async #findMissing(
    { rows }: PostgresSession,
    round: readonly BatchTask[],
    refuse: RefuseRow,
  ): Promise<void> {
    const missing = await rows(
      `select s.uuid from ${STAGE} s where not exists (select from ${this.#target.sql} t where t.uuid = s.uuid)`,
    );
    const uuids = new Set(missing.map(([uuid]) => uuid));
    for (const { index, task } of round)
      if (uuids.has(task.uuid))
        refuse(index, {
          code: 'CONSTRAINT',
          message: `a trigger or rule of the table ${this.#target.sql} left the row out`,
          columns: [],
        });
  }
}

/** Returns the tasks in rounds, so that each uuid occurs once in each: one statement cannot write a row twice. */
function roundsOf(tasks: readonly BatchTask[]): BatchTask[][] {
  const rounds: BatchTask[][] = [];
  const met = new Map<string, number>();
  for (const one of tasks) {
    const round = met.get(one.task.uuid) ?? 0;
    met.set(one.task.uuid, round + 1);
    rounds[round] ??= [];
    rounds[round].push(one);
  }
  return rounds;
}

function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++;
  return count;
}
