import { RUN_COLUMNS } from '../../core/record/run-columns.ts';
import type { Task } from '../../core/record/task.ts';
import type { Misfit } from '../contract.ts';
import type { Field } from '../rows/fields.ts';
import {
  chosenValues,
  columnOfChosen,
  columnOfResult,
  type FoundValue,
  valuesOf,
} from '../rows/record-values.ts';
import {
  cellText,
  exactFor,
  isColumnName,
  kindOfValue,
  newColumn,
  spoilt,
  type TableColumn,
} from './sqlite-cells.ts';
import type { UserTable } from './user-table.ts';

/**
 * Limit of columns. SQLite allows 2,000, but records with data as names would soon make each statement slow.
 */
const MOST_COLUMNS = 1000;

const RUN_NAMES = Object.keys(RUN_COLUMNS);

/** A row under construction. */
interface Draft {
  /** JSON text of each cell, for the columns so far and then the new ones. */
  readonly cells: string[];
  /** New columns by lower-case name. */
  readonly added: Map<string, TableColumn>;
  /** Members of the columns `exact` and `others`. */
  readonly exact: string[];
  readonly others: string[];
}

/** Converter of tasks to rows of a table, with the list of columns that the rows need. */
export class TableRows {
  /** True if `--fields` chooses the columns; the other columns of a row then stay unchanged. */
  readonly isPartial: boolean;
  readonly #path: string;
  readonly #table: UserTable;
  readonly #fields: readonly Field[] | undefined;
  readonly #columns: TableColumn[];
  /** Column indexes by name. */
  #places = new Map<string, number>();
  /** Column indexes by lower-case name: to SQLite, `Name` and `name` are the same. */
  #twins = new Map<string, number>();
  #generation = 0;

  constructor(path: string, table: UserTable, fields: readonly Field[] | undefined) {
    this.#path = path;
    this.#table = table;
    this.#fields = fields?.filter((field) => field.path !== 'uuid');
    this.isPartial = fields !== undefined;
    const chosen = new Set(['uuid', ...(this.#fields ?? []).map(columnOfChosen)]);
    this.#columns = table.columns.filter(
      (column) => !this.isPartial || chosen.has(column.name) || isSide(column),
    );
    this.#index();
  }

  /** Columns so far, `uuid` first. The table may not have the last ones yet. */
  get columns(): readonly TableColumn[] {
    return this.#columns;
  }

  /** Number that changes when rows that were encoded before become invalid. */
  get generation(): number {
    return this.#generation;
  }

  /** Names of the columns and attributes that `--fields` chooses. */
  get written(): ReadonlySet<string> {
    return new Set((this.#fields ?? []).flatMap((field) => [field.path, columnOfChosen(field)]));
  }

  /** Adopts the columns of the table: another task-save may have added some meanwhile, of another kind. */
  adopt(there: readonly TableColumn[]): void {
    for (const column of there) {
      const place = this.#twins.get(column.name.toLowerCase());
      const known = this.#columns[place ?? -1];
      if (place === undefined || known === undefined) {
        if (!this.isPartial) this.#columns.push(column);
      } else if (known.name !== column.name || known.kind !== column.kind) {
        this.#columns[place] = column;
        this.#generation++;
      }
    }
    this.#index();
  }

  #index(): void {
    this.#places = new Map(this.#columns.map(({ name }, i) => [name, i]));
    this.#twins = new Map(this.#columns.map(({ name }, i) => [name.toLowerCase(), i]));
  }

  /** Returns a row as JSON text with a comma at its end: the generation, then the cells. See `cellsOf`. */
  encode(task: Task): string | Misfit {
    const cells = new Array<string>(this.#columns.length).fill('null');
    cells[0] = JSON.stringify(task.uuid);
    const draft: Draft = { cells, added: new Map(), exact: [], others: [] };
    const values = this.#fields === undefined ? valuesOf(task) : chosenValues(task, this.#fields);
    for (const value of values) {
      if (value.attribute === undefined && !this.isPartial) this.#addRun(task, draft);
      const misfit = this.#place(value, task, draft);
      if (misfit !== undefined) return misfit;
    }
    if (draft.exact.length > 0) this.#placeSide('exact', draft.exact, draft);
    if (draft.others.length > 0) this.#placeSide('others', draft.others, draft);
    for (const [key, column] of draft.added) {
      this.#places.set(column.name, this.#columns.length);
      this.#twins.set(key, this.#columns.length);
      this.#columns.push(column);
    }
    while (cells.length < this.#columns.length) cells.push('null');
    return `[${this.#generation},${cells.join(',')}],`;
  }

  /** Adds the columns of `run` that the table lacks: all of them with the first one, in one order. */
  #addRun(task: Task, draft: Draft): void {
    for (const column of RUN_NAMES) {
      if (this.#columnFor(column, draft) === undefined)
        this.#added({ attribute: undefined, column, raw: undefined }, task, draft);
    }
  }

  /** Puts a value into a column, or into `others`. Returns the misfit if there is no place for it. */
  #place(value: FoundValue, task: Task, draft: Draft): Misfit | undefined {
    const { attribute, raw = 'null' } = value;
    const column = this.#columnFor(value.column, draft) ?? this.#added(value, task, draft);
    if (column === undefined || column.name !== value.column || isSide(column))
      return this.#placeOutside(value, column, draft);
    const why = spoilt(raw, column);
    if (why !== undefined) return { code: 'VALUE', message: `${this.#path}: ${why}`, columns: [] };
    this.#fill(column, raw, draft);
    if (attribute === undefined || value.raw === undefined) return undefined;
    const entry = exactFor(raw, column);
    if (entry !== undefined && (raw !== 'null' || this.#table.isOurs))
      draft.exact.push(`${JSON.stringify(column.name)}:${entry}`);
    return undefined;
  }

  #fill(column: TableColumn, raw: string, { cells, added }: Draft): void {
    const place = this.#places.get(column.name) ?? this.#columns.length + [...added.values()].indexOf(column);
    while (cells.length < place) cells.push('null');
    cells[place] = cellText(raw, column.kind);
  }

  #columnFor(name: string, { added }: Draft): TableColumn | undefined {
    const place = this.#places.get(name);
    if (place !== undefined) return this.#columns[place];
    const key = name.toLowerCase();
    return this.#columns[this.#twins.get(key) ?? -1] ?? added.get(key);
  }

  /** Adds a column for a value. Returns undefined if the value needs none or cannot have one. */
  #added(
    { column: name, raw, attribute }: FoundValue,
    task: Task,
    { added }: Draft,
  ): TableColumn | undefined {
    const isWanted = this.isPartial || attribute === undefined || (raw ?? 'null') !== 'null';
    const { isStrict, generated } = this.#table;
    if (!isWanted || isStrict || !isColumnName(name) || generated.has(name.toLowerCase())) return undefined;
    if (attribute !== undefined && this.#columns.length + added.size >= MOST_COLUMNS) return undefined;
    const kind =
      attribute === undefined ? 'any' : name === columnOfResult(task) ? 'json' : kindOfValue(raw ?? 'null');
    const column = newColumn(name, kind);
    added.set(name.toLowerCase(), column);
    return column;
  }

  /**
   * Puts an attribute without a column into `others`, in a table of ours.
   * @param twin column that takes its name
   */
  #placeOutside(
    { attribute, column, raw }: FoundValue,
    twin: TableColumn | undefined,
    draft: Draft,
  ): Misfit | undefined {
    if (raw === undefined) return undefined;
    if (attribute === undefined || !this.#table.isOurs)
      return raw === 'null' ? undefined : this.#noColumn(attribute ?? column, twin);
    draft.others.push(`${JSON.stringify(attribute)}:${raw}`);
    return undefined;
  }

  #noColumn(attribute: string, twin: TableColumn | undefined): Misfit {
    const name = JSON.stringify(attribute);
    const message = (why: string): Misfit => ({
      code: 'COLUMNS',
      message: `${this.#path}: ${why}`,
      columns: [],
    });
    const { isStrict, generated } = this.#table;
    if (twin !== undefined)
      return message(
        `its column ${JSON.stringify(twin.name)} takes the name of ${name}; task-load --rename gives that another name`,
      );
    if (generated.has(attribute.toLowerCase()))
      return message(`its column ${name} is generated; leave ${name} out with --fields`);
    if (isStrict)
      return message(`its table is STRICT and has no column ${name}; name those to keep with --fields`);
    return message(`no column can be added for ${name.slice(0, 60)}; name those to keep with --fields`);
  }

  /** Adds the cell of `exact` or `others`, and the column for it if the table has none. */
  #placeSide(kind: 'exact' | 'others', members: readonly string[], draft: Draft): void {
    const found = this.#columns.find((column) => column.kind === kind);
    const column = found ?? newColumn(this.#freeName(kind, draft), kind);
    if (found === undefined) draft.added.set(column.name.toLowerCase(), column);
    this.#fill(column, JSON.stringify(`{${members.join(',')}}`), draft);
  }

  #freeName(name: string, draft: Draft): string {
    const isTaken = this.#columnFor(name, draft) !== undefined || this.#table.generated.has(name);
    return isTaken ? this.#freeName(`${name}_`, draft) : name;
  }
}

function isSide({ kind }: TableColumn): boolean {
  return kind === 'exact' || kind === 'others';
}
