import { closeSync, statSync } from 'node:fs';
import { runOf, Task, timestamp } from '../../core/record/task.ts';
import { type Database, openDatabase, type Statement } from '../../core/storage/sqlite-database.ts';
import { PATIENCE } from '../../core/storage/sqlite-errors.ts';
import { TableRows } from '../../savers/sqlite/table-rows.ts';
import { TableWriter } from '../../savers/sqlite/table-writer.ts';
import { prepareTable } from '../../savers/sqlite/user-table.ts';
import type { DeathCount, Finished, Pruned, RerunRules, StoreOptions, Submitted } from './contract.ts';
import { GroupCommit } from './group-commit.ts';
import { Queries } from './queries.ts';
import { ResultTable } from './result-table.ts';
import { makePrivate, StoreFile } from './store-file.ts';
import { lockOf, prepareQueue } from './store-schema.ts';
import { failed, isFinal, type ServeState, stateOf } from './stored-record.ts';

/** States in which a task did not succeed and may be run again. After `REVERT_FAILURE`, a person must look first. */
const UNDONE: readonly string[] = ['FAILURE', 'REVERTED', 'CANCELLED'];

/** Time to wait for readers before the write-ahead log is emptied, in milliseconds. */
const BRIEF = 100;

/** Accepted tasks and their results, in a SQLite database. A resolved promise means that the data is on the disk. */
export class Store {
  readonly queries: Queries;
  readonly #database: Database;
  readonly #results: ResultTable;
  readonly #group: GroupCommit;
  readonly #file: StoreFile;
  readonly #lock: number;
  readonly #statements = new Map<string, Promise<Statement>>();

  private constructor(
    database: Database,
    queries: Queries,
    results: ResultTable,
    file: StoreFile,
    lock: number,
  ) {
    this.#lock = lock;
    this.#file = file;
    this.#database = database;
    this.queries = queries;
    this.#results = results;
    this.#group = new GroupCommit(
      database,
      () => results.reset(),
      () => file.check(),
    );
  }

  /**
   * Opens a store.
   * @throws {TaskpipeError} `IO`; `LOCKED` if another service uses it; `DATA` if it is not a database or has tables of
   *   another shape
   */
  static async open(path: string, options: StoreOptions): Promise<Store> {
    const { warn, isPrivate = false, isPruned = false } = options;
    if (isPrivate) makePrivate(path);
    const database = await openDatabase(path);
    let lock: number | undefined;
    try {
      lock = lockOf(path, warn);
      const shape = await prepareTable(database, 'tasks');
      await prepareQueue(database, path, isPruned);
      const results = new ResultTable(
        database,
        new TableWriter(database, 'tasks', new TableRows(path, shape, undefined)),
      );
      const file = new StoreFile(path, warn);
      const queries = new Queries(await openDatabase(path, { readonly: true }), () => file.check());
      return new Store(database, queries, results, file, lock);
    } catch (error) {
      database.close();
      if (lock !== undefined) closeSync(lock);
      throw error;
    }
  }

  /**
   * Accepts tasks.
   * @param rules determine when an ended task is run again
   */
  async submit(tasks: readonly Task[], rules: RerunRules): Promise<readonly Submitted[]> {
    return this.#group.commit(async () => {
      const now = timestamp(Date.now());
      const insert = await this.#prepared(
        `insert into submissions (uuid, line, state, submitted) values (?, ?, 'PENDING', ?) on conflict (uuid) do nothing`,
      );
      const submitted: Submitted[] = [];
      for (const { uuid, line } of tasks) {
        const isNew = insert.run([uuid, line, now]) > 0;
        const isAgain = !isNew && (await this.#isAgain(uuid, rules));
        const was = isAgain ? await this.#restart(uuid, line) : undefined;
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
        `update submissions set state = ?, finished = ?, started = ? where uuid = ? and state = 'PENDING'`,
      );
      const finished: Finished[] = [];
      let rows = '';
      for (const came of tasks) {
        const { task, row } = this.#results.encode(came);
        const state = stateOf(task.fields);
        const started = runOf(task.fields)?.at ?? null;
        if (!isFinal(state) || end.run([state, timestamp(Date.now()), started, task.uuid]) === 0) continue;
        rows += row;
        finished.push({ task, state });
      }
      if (rows === '') return finished;
      const instead = await this.#results.write(
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

  /**
   * Cancels a task that has not ended. Returns whether there was one.
   * @param started start of the work on it, ISO 8601 in UTC
   */
  cancel(uuid: string, started: string | null): Promise<boolean> {
    return this.#group.commit(async () => {
      const end = await this.#prepared(
        `update submissions set state = 'CANCELLED', finished = ?, started = ? where uuid = ? and state = 'PENDING'`,
      );
      return end.run([timestamp(Date.now()), started, uuid]) > 0;
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

  /** Stores the stack of the value that the work of a task threw. */
  explain(uuid: string, stack: string): Promise<void> {
    return this.#group.commit(async () => {
      const set = await this.#prepared('update submissions set stack = ? where uuid = ?');
      set.run([stack, uuid]);
    });
  }

  /** Stores the deaths of the stage that count against tasks. */
  countDeaths(counts: readonly DeathCount[]): Promise<void> {
    return this.#group.commit(async () => {
      const set = await this.#prepared('update submissions set deaths = ?, together = ? where uuid = ?');
      for (const { uuid, deaths, together } of counts) set.run([deaths, BigInt(together), uuid]);
    });
  }

  /**
   * Deletes tasks that have ended before a time, the oldest first.
   * @param before ISO 8601, UTC
   * @param limit maximum number
   */
  prune(before: string, limit: number): Promise<readonly Pruned[]> {
    return this.#group.commit(async () => {
      const find = await this.#prepared(
        'select uuid, state from submissions where finished < ? order by finished limit ?',
      );
      const found = [...(await find.rows([before, BigInt(limit)]))];
      const pruned = found.map(([uuid, state]) => ({ uuid: String(uuid), state: String(state) }));
      for (const { uuid } of pruned) await this.#drop(uuid);
      return pruned;
    });
  }

  /** Path of the database. */
  get path(): string {
    return this.#database.path;
  }

  /** Checks that the path still names the database. @throws {LostStore} */
  check(): void {
    this.#file.check();
  }

  /** Returns the size of the write-ahead log, in bytes. */
  logSize(): number {
    return statSync(`${this.path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Moves the write-ahead log into the database and empties it. Returns whether that was possible. */
  shrinkLog(): Promise<boolean> {
    return this.#group.between(async () => {
      await this.#database.all(`pragma busy_timeout = ${BRIEF}`); // clients have to wait meanwhile
      try {
        const [[isBusy] = []] = await this.#database.all('pragma wal_checkpoint(truncate)');
        return Number(isBusy) === 0;
      } finally {
        await this.#database.all(`pragma busy_timeout = ${PATIENCE}`);
      }
    });
  }

  /** Takes over results that a `task-save` has written to the table. Returns their uuids and states. */
  adopt(): Promise<readonly { readonly uuid: string; readonly state: ServeState }[]> {
    return this.#group.commit(async () => {
      const find = await this.#prepared(
        `select s.uuid, coalesce(t.state, 'SUCCESS'), t.at from submissions s join tasks t on t.uuid = s.uuid
         where s.state = 'PENDING' and coalesce(t.state, 'SUCCESS') <> 'PENDING'`,
      );
      const end = await this.#prepared(
        'update submissions set state = ?, finished = ?, started = ? where uuid = ?',
      );
      const found = [...(await find.rows())].map(([uuid, state, at]) => ({
        uuid: String(uuid),
        state: String(state) as ServeState,
        started: at == null ? null : String(at),
      }));
      for (const { uuid, state, started } of found) end.run([state, timestamp(Date.now()), started, uuid]);
      return found;
    });
  }

  /** Adds the columns of a run and of a result to a new table, as they are queried before the first row is written. */
  async prepareRun(): Promise<void> {
    const { uuid, fields } = failed('task-serve', 'NONE', '');
    const probe = new Task(uuid, JSON.stringify({ ...fields, result: {} }));
    await this.#group.commit(async () => {
      await this.#results.write(this.#results.encode(probe).row, [probe]);
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

  async #fail(uuid: string): Promise<void> {
    (await this.#prepared("update submissions set state = 'FAILURE' where uuid = ?")).run([uuid]);
  }

  /** Returns whether a task that exists is to be run again. */
  async #isAgain(uuid: string, { after, failed: isFailedAgain }: RerunRules): Promise<boolean> {
    const find = await this.#prepared('select state, finished from submissions where uuid = ?');
    const [[state, finished] = []] = [...(await find.rows([uuid]))];
    if (isFailedAgain && UNDONE.includes(String(state))) return true;
    return typeof finished === 'string' && Date.parse(finished) + after <= Date.now();
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
