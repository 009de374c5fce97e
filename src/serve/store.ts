import { closeSync, openSync } from 'node:fs';
import { ioError, TaskpipeError } from '../core/errors.ts';
import { openLocked } from '../core/lock.ts';
import { type Database, openDatabase, type Statement } from '../core/sqlite.ts';
import { Task, timestamp } from '../core/task.ts';
import type { Misfit } from '../savers/saver.ts';
import { TableRows } from '../savers/sqlite/rows.ts';
import { prepareTable } from '../savers/sqlite/table.ts';
import { parseRows, TableWriter } from '../savers/sqlite/writer.ts';
import { GroupCommit } from './group.ts';
import { Queries } from './queries.ts';
import { failed, isFinal, type ServeState, stateOf } from './records.ts';

/** The queue of the service, beside the table `tasks` that `task-save` writes too: what was accepted, in its order. */
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

/** What became of a task that was submitted. */
export interface Submitted {
  readonly uuid: string;
  /** Whether it is to be done; false where the same task is there already. */
  readonly isNew: boolean;
  /** The state that it had, where it is done anew. */
  readonly was: string | undefined;
}

/** A task that has come to its end. */
export interface Finished {
  readonly task: Task;
  readonly state: ServeState;
}

/** One service has a store. The lock is beside it: what SQLite does with its own file would free one there. */
function lockOf(path: string, say: (message: string) => void): number {
  const file = `${path}-serve`;
  const busy = `${path} is the store of another task-serve; name another one with --store`;
  try {
    return openLocked(file, () => openSync(file, 'a', 0o600), 'exclusive', busy, say);
  } catch (error) {
    throw ioError('cannot open', file, error);
  }
}

/** What is accepted and what came of it, in a SQLite database. What it resolves is on the disk. */
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
   * @param say a line on stderr
   * @throws {TaskpipeError} `IO`, `LOCKED` where another service has it, `DATA` where it is no database or has tables of
   *   another shape
   */
  static async open(path: string, say: (message: string) => void): Promise<Store> {
    const database = await openDatabase(path);
    const lock = lockOf(path, say);
    try {
      const shape = await prepareTable(database, 'tasks');
      await database.exec(SCHEMA).catch((error: Error) => {
        throw new TaskpipeError(
          'DATA',
          `${path} has a table submissions that is not of task-serve: ${error.message}`,
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
   * Takes tasks in.
   * @param rerunAfter a task that is there already is done anew where it ended so long ago, in milliseconds
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
   * Keeps what came of tasks, each once: of a task that has come to its end, or is not known, nothing more is kept.
   * @returns those that were kept
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

  /** Ends what nobody has begun. Returns whether there was such a task. */
  cancel(uuid: string): Promise<boolean> {
    return this.#group.commit(async () => {
      const end = await this.#prepared(
        `update submissions set state = 'CANCELLED', finished = ? where uuid = ? and state = 'PENDING'`,
      );
      return end.run([timestamp(Date.now()), uuid]) > 0;
    });
  }

  /** Has a task that has come to its end done again. What came of it goes away. Returns the state it had. */
  rerun(uuid: string): Promise<string | undefined> {
    return this.#group.commit(() => this.#restart(uuid));
  }

  /** Forgets a task that has come to its end. Returns the state it had; undefined where there was none. */
  remove(uuid: string): Promise<string | undefined> {
    return this.#group.commit(async () => (await this.#drop(uuid))?.state);
  }

  /** Takes over what a `task-save` has written to the table since. Returns the uuids, and how they ended. */
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

  /** Gives a new table the columns of a run and of a result, which are asked for before the first is written. */
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
   * Writes the rows of tasks. One that the table refuses is replaced by a failure that says so.
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

  /** A task with its row; one that no table can hold is a failure that says so. */
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

  /** Puts a task that has come to its end at the end of the queue. @param line its record; default: the one it has */
  async #restart(uuid: string, line?: string): Promise<string | undefined> {
    const dropped = await this.#drop(uuid);
    if (dropped === undefined) return undefined;
    const insert = await this.#prepared(
      `insert into submissions (uuid, line, state, submitted) values (?, ?, 'PENDING', ?)`,
    );
    insert.run([uuid, line ?? dropped.line, timestamp(Date.now())]);
    return dropped.state;
  }

  /** Takes out a task that has come to its end, with what came of it. */
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
