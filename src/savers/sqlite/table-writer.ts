import { membersOf } from '../../core/record/json-text.ts';
import type { Task } from '../../core/record/task.ts';
import {
  type Cell,
  type Database,
  identifier,
  refusalOf,
  type Statement,
} from '../../core/storage/sqlite-database.ts';
import type { Misfit } from '../contract.ts';
import { cellsOf } from './sqlite-cells.ts';
import type { TableRows } from './table-rows.ts';
import { addColumns, upsertInto } from './user-table.ts';

/** A row of a batch, as `TableRows` encodes it. */
export interface EncodedRow {
  /** Index in the batch. */
  readonly index: number;
  /** Generation of its encoding, then the cells. */
  readonly values: readonly unknown[];
}

/** Parses rows from text, where each row ends with a comma. */
export function parseRows(text: string): readonly EncodedRow[] {
  const rows = JSON.parse(`[${text.slice(0, -1)}]`) as unknown[][];
  return rows.map((values, index) => ({ index, values }));
}

/** Called with rows that the table refuses. */
export type Refuse = (index: number, why: Misfit) => void;

/** Writer of rows to a table. */
export class TableWriter {
  readonly #database: Database;
  readonly #table: string;
  readonly #rows: TableRows;
  /** Statement for the first `width` columns. */
  #upsert: { readonly statement: Statement; readonly width: number } | undefined;
  readonly #statements = new Map<string, Statement>();

  constructor(database: Database, table: string, rows: TableRows) {
    this.#database = database;
    this.#table = table;
    this.#rows = rows;
  }

  /** Returns the text of a row. Texts of rows may be concatenated. */
  encode(task: Task): string | Misfit {
    return this.#rows.encode(task);
  }

  /**
   * Writes rows, and adds the columns that the table lacks. Call it in a transaction. Passes a row that the
   * table refuses to `refuse` and continues.
   * @param taskOf returns the task of a row, which is encoded again if columns turn out to be of another kind
   * @throws {TaskpipeError} also if a refusal has ended the transaction; see `refusalOf`
   */
  async write(rows: readonly EncodedRow[], taskOf: (index: number) => Task, refuse: Refuse): Promise<void> {
    for (const { index, values } of rows) {
      const row = this.#ready(values) ?? (await this.#current(values, () => taskOf(index)));
      const changes = 'code' in row ? row : this.#put(row);
      if (typeof changes !== 'number') refuse(index, changes);
      else if (changes === 0 && !(await this.#has((row as readonly Cell[])[0] as Cell)))
        refuse(index, refusal(`a trigger or constraint of the table ${this.#table} left the row out`));
    }
  }

  /** Forgets all statements. Call it after a rollback: the added columns are gone. */
  reset(): void {
    this.#upsert = undefined;
    this.#statements.clear();
  }

  /**
   * Returns the values to bind for a row, or undefined if its columns or its encoding must be updated first.
   */
  #ready(values: readonly unknown[]): readonly Cell[] | undefined {
    const width = this.#upsert?.width ?? 0;
    const isReady =
      values.length - 1 <= width && values[0] === this.#rows.generation && !this.#rows.isPartial;
    return isReady ? cellsOf(values, width) : undefined;
  }

  /** Adds the columns of a row, encodes it again if necessary, and returns the values to bind. */
  async #current(values: readonly unknown[], taskOf: () => Task): Promise<readonly Cell[] | Misfit> {
    let row = values;
    for (;;) {
      const width = await this.#prepare(row.length - 1);
      if (row[0] === this.#rows.generation) return this.#merged(cellsOf(row, width));
      const text = this.#rows.encode(taskOf());
      if (typeof text !== 'string') return text;
      row = JSON.parse(text.slice(0, -1)) as unknown[];
    }
  }

  /** Prepares a statement for at least `width` columns. Returns the number of columns that it writes. */
  async #prepare(width: number): Promise<number> {
    while (this.#upsert === undefined || this.#upsert.width < width) {
      const there = await addColumns(this.#database, this.#table, [...this.#rows.columns]);
      this.#rows.adopt(there);
      const columns = [...this.#rows.columns];
      // Rows that were encoded meanwhile may need more.
      if (columns.some(({ name }) => !there.some((column) => column.name === name))) continue;
      const statement = await this.#database.prepare(upsertInto(this.#table, columns));
      this.#upsert = { statement, width: columns.length };
    }
    return this.#upsert.width;
  }

  /** Writes a row. Returns the number of changed rows, or the refusal of the database. */
  #put(cells: readonly Cell[]): number | Misfit {
    try {
      return this.#upsert?.statement.run(cells) ?? 0;
    } catch (error) {
      const why = refusalOf(error);
      if (why === undefined || !this.#database.inTransaction) throw error;
      return refusal(why);
    }
  }

  async #has(uuid: Cell): Promise<boolean> {
    const rows = await this.#prepared(`select 1 from ${identifier(this.#table)} where uuid = ?`);
    return [...(await rows.rows([uuid]))].length > 0;
  }

  /**
   * With `--fields`, keeps the members of `exact` and `others` that belong to columns that are not written.
   */
  async #merged(cells: Cell[]): Promise<readonly Cell[]> {
    if (!this.#rows.isPartial) return cells;
    const { columns } = this.#rows;
    for (const [i, { name, kind }] of columns.entries()) {
      if (kind !== 'exact' && kind !== 'others') continue;
      const find = await this.#prepared(
        `select ${identifier(name)} from ${identifier(this.#table)} where uuid = ?`,
      );
      const [[was] = []] = [...(await find.rows([cells[0] as Cell]))];
      if (typeof was === 'string')
        cells[i] = mergedMembers(was, cells[i] as string | null, this.#rows.written);
    }
    return cells;
  }

  async #prepared(sql: string): Promise<Statement> {
    const statement = this.#statements.get(sql) ?? (await this.#database.prepare(sql));
    this.#statements.set(sql, statement);
    return statement;
  }
}

function refusal(message: string): Misfit {
  return { code: 'CONSTRAINT', message, columns: [] };
}

/**
 * Returns a JSON object with the members of `now`, and those of `was` that are not written; null if it has
 * none.
 */
function mergedMembers(was: string, now: string | null, written: ReadonlySet<string>): string | null {
  const old = membersOf(was).filter(({ key }) => !written.has(key));
  const members = [
    ...old.map(({ start, end }) => was.slice(start, end)),
    ...(now === null ? [] : [now.slice(1, -1)]),
  ];
  return members.length === 0 ? null : `{${members.join(',')}}`;
}
