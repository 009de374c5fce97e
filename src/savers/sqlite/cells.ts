import { type Member, membersOf, minify } from '../../core/members.ts';
import { COLUMN_TYPES, type ColumnKind, columnOf, RUN_COLUMNS } from '../../core/run-columns.ts';
import { type Cell, identifier } from '../../core/sqlite.ts';
import { runOf, type Task } from '../../core/task.ts';
import type { Field } from '../fields.ts';
import { rawAt } from '../ndjson.ts';
import type { Misfit } from '../saver.ts';

/** A column of a table. */
export interface Column {
  readonly name: string;
  readonly kind: ColumnKind;
}

/** SQLite takes 2,000, and names that are data would make a table of as many. */
const MOST_COLUMNS = 1000;

/** A value of a record: what it is an attribute of, and its JSON text. */
interface Value {
  readonly column: string;
  readonly raw: string;
}

/** Tasks to rows of a table, which gets a column for each attribute that has none. */
export class TableRows {
  readonly #path: string;
  readonly #fields: readonly Field[] | undefined;
  readonly #columns: Column[];
  /** By their names in lower case, as SQLite tells them apart. */
  readonly #places: Map<string, number>;

  /** @param columns those that the table has; the first is `uuid` */
  constructor(path: string, columns: readonly Column[], fields: readonly Field[] | undefined) {
    this.#path = path;
    this.#fields = fields?.filter(({ path }) => path !== 'uuid');
    this.#columns = [...columns];
    this.#places = new Map(columns.map(({ name }, i) => [name.toLowerCase(), i]));
  }

  /** All columns so far: the table need not have those at the end yet. */
  get columns(): readonly Column[] {
    return this.#columns;
  }

  /** A row as JSON text, with a comma at its end; see `cellsOf`. */
  encode(task: Task): string | Misfit {
    const values = this.#fields === undefined ? allOf(task) : chosenOf(task, this.#fields);
    const added = this.#addedFor(task, values);
    if ('code' in added) return added;
    for (const column of added) {
      this.#places.set(column.name.toLowerCase(), this.#columns.length);
      this.#columns.push(column);
    }
    const cells = new Array<string>(this.#columns.length).fill('null');
    cells[0] = JSON.stringify(task.uuid);
    for (const { column, raw } of values) {
      const place = this.#places.get(column.toLowerCase());
      if (place !== undefined) cells[place] = cellText(raw, (this.#columns[place] as Column).kind);
    }
    return `[${cells.join(',')}],`;
  }

  /** The columns that the table has to get for these values, or why they can be in no row. */
  #addedFor(task: Task, values: readonly Value[]): readonly Column[] | Misfit {
    const added = new Map<string, Column>();
    const add = (name: string, kind: ColumnKind): void => void added.set(name.toLowerCase(), { name, kind });
    if (this.#fields === undefined && runOf(task.fields) !== undefined) {
      for (const name of Object.keys(RUN_COLUMNS)) if (!this.#places.has(name)) add(name, 'any');
    }
    for (const { column, raw } of values) {
      if (hasNoText(raw) || !isText(column)) return NOT_TEXT;
      const key = column.toLowerCase();
      const there = this.#columns[this.#places.get(key) ?? -1] ?? added.get(key);
      if (there === undefined) {
        if (raw !== 'null') add(column, column === resultOf(task) ? 'json' : kindOfValue(raw));
      } else if (there.name !== column) {
        const message = `${this.#path} cannot tell ${JSON.stringify(column)} from its column ${JSON.stringify(there.name)}; task-load --rename gives it another name`;
        return { code: 'COLUMNS', message, columns: [] };
      }
    }
    if (this.#columns.length + added.size <= MOST_COLUMNS) return [...added.values()];
    const message = `${this.#path} would get over ${MOST_COLUMNS} columns; --fields names those to keep`;
    return { code: 'COLUMNS', message, columns: [] };
  }
}

/** All that a record says, by column. */
function allOf({ line, fields }: Task): readonly Value[] {
  const run = runOf(fields);
  // As JSON.parse has it, the last of several members of one name counts.
  const members = new Map<string, Member>(membersOf(line).map((member) => [member.key, member]));
  members.delete('uuid');
  if (run !== undefined) members.delete('run');
  const values = [...members].map(([key, { value, end }]) => ({
    column: columnOf(key),
    raw: line.slice(value, end),
  }));
  if (run === undefined) return values;
  const ran = Object.entries(RUN_COLUMNS).map(([column, path]) => ({
    column,
    raw: rawAt(line, path) ?? 'null',
  }));
  return [...values, ...ran];
}

function chosenOf({ line }: Task, fields: readonly Field[]): readonly Value[] {
  return fields.map((field) => ({ column: columnOfField(field), raw: rawAt(line, field.path) ?? 'null' }));
}

/** Returns the column of a field. Without a name of its own, what a run says has the column of a whole record. */
export function columnOfField({ name, path }: Field): string {
  const column = Object.keys(RUN_COLUMNS).find((key) => RUN_COLUMNS[key] === path);
  return column !== undefined && (name === path || name === column) ? column : columnOf(name);
}

/** The column of the result: JSON whatever the first is, as the next may be an object. */
function resultOf({ fields }: Task): string {
  const as = runOf(fields)?.as;
  return typeof as === 'string' ? columnOf(as) : 'result';
}

function kindOfValue(raw: string): ColumnKind {
  if (raw.startsWith('{') || raw.startsWith('[')) return 'json';
  return raw === 'true' || raw === 'false' ? 'boolean' : 'any';
}

/** A column as it is declared. */
export function declared({ name, kind }: Column): string {
  return identifier(name) + COLUMN_TYPES[kind];
}

const NOT_TEXT: Misfit = {
  code: 'VALUE',
  message: 'a value or a name has a NUL or half of a surrogate pair, which a column of text cannot hold',
  columns: [],
};

function isText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** Whether a string, which has escapes for it, holds what no text can. An object stays JSON, with its escapes. */
function hasNoText(raw: string): boolean {
  return raw.startsWith('"') && /\\u(?:0000|d[89a-f])/i.test(raw) && !isText(JSON.parse(raw) as string);
}

/** A cell as JSON: a whole number over 53 bits is an array of its digits. */
function cellText(raw: string, kind: ColumnKind): string {
  const first = raw[0];
  if (raw === 'null') return raw;
  if (kind === 'json' || first === '{' || first === '[') return JSON.stringify(minify(raw));
  if (first === '"' || first === 't' || first === 'f') return raw;
  if (isInteger(raw)) return Number.isSafeInteger(Number(raw)) ? raw : `["${raw}"]`;
  return String(Number(raw)) === raw ? raw : `"${raw}"`; // 1.10 and 1e999 keep their digits as text
}

/** Whether digits are a whole number of 64 bits. */
function isInteger(raw: string): boolean {
  if (!/^-?[1-9]\d{0,18}$/.test(raw)) return false;
  const value = BigInt(raw);
  return BigInt.asIntN(64, value) === value;
}

/** What is bound to a statement for a row that was encoded when there were fewer columns, or as many. */
export function cellsOf(row: readonly unknown[], width: number): readonly Cell[] {
  const cells = new Array<Cell>(width).fill(null);
  for (let i = 0; i < row.length; i++) {
    const value = row[i];
    if (typeof value === 'number') cells[i] = Number.isSafeInteger(value) ? BigInt(value) : value;
    else if (typeof value === 'boolean') cells[i] = value ? 1n : 0n;
    else cells[i] = Array.isArray(value) ? BigInt(value[0] as string) : (value as string | null);
  }
  return cells;
}
