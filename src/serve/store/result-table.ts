import { TaskpipeError } from '../../core/base/errors.ts';
import type { Task } from '../../core/record/task.ts';
import type { Database } from '../../core/storage/sqlite-database.ts';
import type { Misfit } from '../../savers/contract.ts';
import { parseRows, type TableWriter } from '../../savers/sqlite/table-writer.ts';
import { failed } from './stored-record.ts';

/** Results of tasks, in the table that `task-save` writes too. Its methods run in a transaction of the caller. */
export class ResultTable {
  readonly #database: Database;
  readonly #table: TableWriter;

  constructor(database: Database, table: TableWriter) {
    this.#database = database;
    this.#table = table;
  }

  /** Returns a task with its row; a task that a table cannot hold becomes a failure. */
  encode(task: Task): { task: Task; row: string } {
    const row = this.#table.encode(task);
    if (typeof row === 'string') return { task, row };
    const instead = failed(task.uuid, row.code, row.message);
    return { task: instead, row: String(this.#table.encode(instead)) };
  }

  /**
   * Writes the rows of tasks. A row that the table rejects is replaced with the record of a failure.
   * @returns these failures, by their index in `tasks`
   */
  async write(rows: string, tasks: readonly Task[]): Promise<ReadonlyMap<number, Task>> {
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

  /** Forgets the columns that a transaction has added, because it was rolled back. */
  reset(): void {
    this.#table.reset();
  }
}
