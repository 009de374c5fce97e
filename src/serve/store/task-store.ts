import { closeSync, openSync } from 'node:fs';
import { ioError, TaskpipeError } from '../../core/base/errors.ts';
import { Task, timestamp } from '../../core/record/task.ts';
import { openLocked } from '../../core/storage/lock.ts';
import { type Database, openDatabase, type Statement } from '../../core/storage/sqlite-database.ts';
import type { Misfit } from '../../savers/contract.ts';
import { TableRows } from '../../savers/sqlite/table-rows.ts';
import { parseRows, TableWriter } from '../../savers/sqlite/table-writer.ts';
import { prepareTable } from '../../savers/sqlite/user-table.ts';
import { GroupCommit } from './group-commit.ts';
import { Queries } from './queries.ts';
import { failed, isFinal, type ServeState, stateOf } from './stored-record.ts';

/** Schema of the queue: accepted tasks in their order. Results are in the table `tasks`, as `task-save` writes it. */
const SCHEMA = `
  create table if not exists submissions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    line TEXT NOT NULL,
    state TEXT NOT NULL,
    submitted TEXT NOT NULL,
    finished TEXT
  );
  create index if not exists submissions_by_state on submissions (state, seq);
`;

/** Outcome of a submission. */
export interface Submitted {
  readonly uuid: string;
  /** True if the task will be run; false if it exists already. */
  readonly isNew: boolean;
  /** Previous state, if the task is run again. */
  readonly was: string | undefined;
}

/** A finished task. */
export interface Finished {
  readonly task: Task;
  readonly state: ServeState;
}

/** Locks a store for one service. The lock is a file of its own: SQLite would release a lock on the database file. */
function lockOf(path: string, warn: (message: string) => void): number {
  const file = `${path}-serve`;
  const busy = `${path} is in use by another task-serve; name another store with --store`;
  try {
    return openLocked(file, () => openSync(file, 'a', 0o600), 'exclusive', busy, warn);
  } catch (error) {
    throw ioError('cannot open', file, error);
  }
}

/** Accepted tasks and their results, in a SQLite database. A resolved promise means that the data is on the disk. */
export class Store {
  readonly queries: Queries;
  readonly #database: Database;
  readonly #table: TableWriter;
  readonly #group: GroupCommit;
  readonly #lock: number;
  readonly #statements = new Map<string, Promise<Statement>>();

  private constructor(database: Database, queries: Queries, table: TableWriter, lock: number) {
    this.#lock = lock;
    this.#database = database;
    this.queries = queries;
    this.#table = table;
    this.#group = new GroupCommit(database, () => table.reset());
  }

  /**
   * Opens a store.
   * @param say writes a line to stderr
   * @throws {TaskpipeError} `IO`; `LOCKED` if another service uses it; `DATA` if it is not a database or has tables of
   *   another shape
   */
  static async open(path: string, warn: (message: string) => void): Promise<Store> {
    const database = await openDatabase(path);
    const lock = lockOf(path, warn);
    try {
      const shape = await prepareTable(database, 'tasks');
      await database.exec(SCHEMA).catch((error: Error) => {
        throw new TaskpipeError(
          'DATA',
          `${path} has a table submissions that task-serve did not make: ${error.message}`,
        );
      });
      const table = new TableWriter(database, 'tasks', new TableRows(path, shape, undefined));
      return new Store(database, new Queries(await openDatabase(path, { readonly: true })), table, lock);
    } catch (error) {
      database.close();
      closeSync(lock);
      throw error;
    }
  }

  /**
   * Accepts tasks.
   * @param rerunAfter age at which a finished task is run again, in milliseconds
   */
  submit(tasks: readonly Task[], rerunAfter: number): Promise<readonly Submitted[]> {
    return this.#group.commit(async () => {
      const now = timestamp(Date.now());
      const insert = await this.#prepared(
        `insert into submissions (uuid, line, state, submitted) values (?, ?, 'PENDING', ?) on conflict (uuid) do nothing`,
      );
      const submitted: Submitted[] = [];
      for (const { uuid, line } of tasks) {
        const isNew = insert.run([uuid, line, now]) > 0;
        const isOutdated = !isNew && (await this.#isOutdated(uuid, rerunAfter));
        const was = isOutdated ? await this.#restart(uuid, line) : undefined;
        submitted.push({ uuid, isNew: isNew || was !== undefined, was });
      }
      return submitted;
    });
  }

  /**
   * Stores the results of tasks, each once: results of finished or unknown tasks are ignored.
   * @returns the tasks whose results were stored
   */
  finish(tasks: readonly Task[]): Promise<readonly Finished[]> {
    return this.#group.commit(async () => {
      const end = await this.#prepared(
        `update submissions set state = ?, finished = ? where uuid = ? and state = 'PENDING'`,
      );
      const finished: Finished[] = [];
      let rows = '';
      for (const came of tasks) {
        const { task, row } = this.#encode(came);
        const state = stateOf(task.fields);
        if (!isFinal(state) || end.run([state, timestamp(Date.now()), task.uuid]) === 0) continue;
        rows += row;
        finished.push({ task, state });
      }
      if (rows === '') return finished;
      const instead = await this.#write(
        rows,
        finished.map(({ task }) => task),
      );
      for (const [index, task] of instead) {
        await this.#fail(task.uuid);
        finished[index] = { task, state: 'FAILURE' };
      }
      return finished;
    });
  }

  /** Cancels a task that has not started. Returns whether there was one. */
  cancel(uuid: string): Promise<boolean> {
    return this.#group.commit(async () => {
      const end = await this.#prepared(
        `update submissions set state = 'CANCELLED', finished = ? where uuid = ? and state = 'PENDING'`,
      );
      return end.run([timestamp(Date.now()), uuid]) > 0;
    });
  }

  /** Queues a finished task again and deletes its result. Returns its previous state. */
  rerun(uuid: string): Promise<string | undefined> {
    return this.#group.commit(() => this.#restart(uuid));
  }

  /** Deletes a finished task. Returns its state; undefined if there was none. */
  remove(uuid: string): Promise<string | undefined> {
    return this.#group.commit(async () => (await this.#drop(uuid))?.state);
  }

  /** Takes over results that a `task-save` has written to the table. Returns their uuids and states. */
  adopt(): Promise<readonly { readonly uuid: string; readonly state: ServeState }[]> {
    return this.#group.commit(async () => {
      const find = await this.#prepared(
        `select s.uuid, coalesce(t.state, 'SUCCESS') from submissions s join tasks t on t.uuid = s.uuid
         where s.state = 'PENDING' and coalesce(t.state, 'SUCCESS') <> 'PENDING'`,
      );
      const end = await this.#prepared('update submissions set state = ?, finished = ? where uuid = ?');
      const found = [...(await find.rows())].map(([uuid, state]) => ({
        uuid: String(uuid),
        state: String(state) as ServeState,
      }));
      for (const { uuid, state } of found) end.run([state, timestamp(Date.now()), uuid]);
      return found;
    });
  }

  /** Adds the columns of a run and of a result to a new table, as they are queried before the first row is written. */
  async prepareRun(): Promise<void> {
    const { uuid, fields } = failed('task-serve', 'NONE', '');
    const probe = new Task(uuid, JSON.stringify({ ...fields, result: {} }));
    await this.#group.commit(async () => {
      await this.#write(String(this.#table.encode(probe)), [probe]);
      (await this.#prepared('delete from tasks where uuid = ?')).run([uuid]);
    });
  }

  async close(): Promise<void> {
    await this.#group.idle();
    this.queries.close();
    await this.#database.all('pragma wal_checkpoint(truncate)').catch(() => {});
    this.#database.close();
    closeSync(this.#lock);
  }

  /**
   * Writes the rows of tasks. A row that the table rejects is replaced with the record of a failure.
   * @returns these failures, by their index in `tasks`
   */
  async #write(rows: string, tasks: readonly Task[]): Promise<ReadonlyMap<number, Task>> {
    const refused = new Map<number, Misfit>();
    const replaced = new Map<number, Task>();
    const taskOf = (index: number): Task => tasks[index] as Task;
    await this.#table.write(parseRows(rows), taskOf, (index, why) => refused.set(index, why));
    for (const [index, { code, message }] of refused) {
      const instead = failed(taskOf(index).uuid, code, message);
      const fail = (_: number, why: Misfit): never => {
        throw new TaskpipeError('DATA', `cannot write to ${this.#database.path}: ${why.message}`);
      };
      await this.#table.write(parseRows(String(this.#table.encode(instead))), () => instead, fail);
      replaced.set(index, instead);
    }
    return replaced;
  }

  async #fail(uuid: string): Promise<void> {
    (await this.#prepared("update submissions set state = 'FAILURE' where uuid = ?")).run([uuid]);
  }

  /** Returns a task with its row; a task that a table cannot hold becomes a failure. */
  #encode(task: Task): { task: Task; row: string } {
    const row = this.#table.encode(task);
    if (typeof row === 'string') return { task, row };
    const instead = failed(task.uuid, row.code, row.message);
    return { task: instead, row: String(this.#table.encode(instead)) };
  }

  async #isOutdated(uuid: string, rerunAfter: number): Promise<boolean> {
    if (rerunAfter === Number.POSITIVE_INFINITY) return false;
    const find = await this.#prepared('select finished from submissions where uuid = ?');
    const [[finished] = []] = [...(await find.rows([uuid]))];
    return typeof finished === 'string' && Date.parse(finished) + rerunAfter <= Date.now();
  }

  /** Puts a finished task at the end of the queue. @param line its record; default: the stored one */
  async #restart(uuid: string, line?: string): Promise<string | undefined> {
    const dropped = await this.#drop(uuid);
    if (dropped === undefined) return undefined;
    const insert = await this.#prepared(
      `insert into submissions (uuid, line, state, submitted) values (?, ?, 'PENDING', ?)`,
    );
    insert.run([uuid, line ?? dropped.line, timestamp(Date.now())]);
    return dropped.state;
  }

  /** Deletes a finished task with its result. */
  async #drop(uuid: string): Promise<{ state: string; line: string } | undefined> {
    const find = await this.#prepared(
      `select state, line from submissions where uuid = ? and state <> 'PENDING'`,
    );
    const [[state, line] = []] = [...(await find.rows([uuid]))];
    if (typeof state !== 'string') return undefined;
    for (const table of ['submissions', 'tasks'])
      (await this.#prepared(`delete from ${table} where uuid = ?`)).run([uuid]);
    return { state, line: String(line) };
  }

  #prepared(sql: string): Promise<Statement> {
    const known = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }
}
