import type { Database, Statement } from '../../core/sqlite.ts';
import type { Task } from '../../core/task.ts';
import type { Misfit } from '../saver.ts';
import { cellsOf, type TableRows } from './cells.ts';
import { addColumns, upsertInto } from './table.ts';

/** Writes rows to a table. */
export class TableWriter {
  readonly #database: Database;
  readonly #table: string;
  readonly #rows: TableRows;
  /** The statement for as many columns as there were when it was made. */
  #upsert: { readonly statement: Statement; readonly width: number } | undefined;

  constructor(database: Database, table: string, rows: TableRows) {
    this.#database = database;
    this.#table = table;
    this.#rows = rows;
  }

  /** The text of a row, which may be joined to others. */
  encode(task: Task): string | Misfit {
    return this.#rows.encode(task);
  }

  /** Writes rows, and adds the columns that the table lacks. To be called in a transaction. */
  async write(text: string): Promise<void> {
    const rows = JSON.parse(`[${text.slice(0, -1)}]`) as unknown[][];
    const columns = [...this.#rows.columns];
    if (this.#upsert?.width !== columns.length) {
      await addColumns(this.#database, this.#table, columns);
      const statement = await this.#database.prepare(upsertInto(this.#table, columns));
      this.#upsert = { statement, width: columns.length };
    }
    for (const row of rows) this.#upsert.statement.run(cellsOf(row, this.#upsert.width));
  }

  /** Is to be called where the transaction was rolled back: added columns are gone. */
  reset(): void {
    this.#upsert = undefined;
  }
}
