import { type Member, membersOf } from '../../core/record/json-text.ts';
import { columnOf, RUN_COLUMNS } from '../../core/record/run-columns.ts';
import { runOf, type Task } from '../../core/record/task.ts';
import type { Misfit } from '../contract.ts';
import type { Field } from '../rows/fields.ts';
import { rawAt } from '../rows/ndjson-rows.ts';
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

/** SQLite allows 2,000. Records whose names are data would reach that soon, and make each statement slow. */
const MOST_COLUMNS = 1000;

/** A value of a record. */
interface Value {
  /** Name of the attribute; undefined for a member of `run`. */
  readonly attribute: string | undefined;
  readonly column: string;
  /** JSON text; undefined if the record does not have it. */
  readonly raw: string | undefined;
}

/** A row while it is made. */
interface Draft {
  /** New columns, by their names in lower case. */
  readonly added: Map<string, TableColumn>;
  readonly placed: { readonly column: TableColumn; readonly raw: string }[];
  /** Members of the columns `exact` and `others`. */
  readonly exact: string[];
  readonly others: string[];
}

/** Turns tasks into rows of a table, and keeps the list of the columns that these need. */
export class TableRows {
  /** Whether `--fields` chooses the columns; the others of a row are then left as they are. */
  readonly isPartial: boolean;
  readonly #path: string;
  readonly #table: UserTable;
  readonly #fields: readonly Field[] | undefined;
  readonly #columns: TableColumn[];
  /** Places of the columns by their names. */
  #places = new Map<string, number>();
  /** The same by their names in lower case: SQLite does not tell `Name` from `name`. */
  #twins = new Map<string, number>();
  #generation = 0;

  constructor(path: string, table: UserTable, fields: readonly Field[] | undefined) {
    this.#path = path;
    this.#table = table;
    this.#fields = fields?.filter((field) => field.path !== 'uuid');
    this.isPartial = fields !== undefined;
    const chosen = new Set(['uuid', ...(this.#fields ?? []).map(columnOfField)]);
    this.#columns = table.columns.filter(
      (column) => !this.isPartial || chosen.has(column.name) || isSide(column),
    );
    this.#index();
  }

  /** All columns so far, `uuid` first. The table may not have the last ones yet. */
  get columns(): readonly TableColumn[] {
    return this.#columns;
  }

  /** Number that changes when rows that were encoded before are no longer right. */
  get generation(): number {
    return this.#generation;
  }

  /** Names of the columns and attributes that `--fields` chooses. */
  get written(): ReadonlySet<string> {
    return new Set((this.#fields ?? []).flatMap((field) => [field.path, columnOfField(field)]));
  }

  /** Takes over the columns that the table has: another task-save may have made some meanwhile, of another kind. */
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
    const draft: Draft = { added: new Map(), placed: [], exact: [], others: [] };
    for (const value of this.#fields === undefined ? allOf(task) : chosenOf(task, this.#fields)) {
      const misfit = this.#place(value, task, draft);
      if (misfit !== undefined) return misfit;
    }
    this.#placeSide('exact', draft.exact, draft);
    this.#placeSide('others', draft.others, draft);
    for (const [key, column] of draft.added) {
      this.#places.set(column.name, this.#columns.length);
      this.#twins.set(key, this.#columns.length);
      this.#columns.push(column);
    }
    const cells = new Array<string>(this.#columns.length).fill('null');
    cells[0] = JSON.stringify(task.uuid);
    for (const { column, raw } of draft.placed) {
      cells[this.#places.get(column.name) as number] = cellText(raw, column.kind);
    }
    return `[${this.#generation},${cells.join(',')}],`;
  }

  /** Finds the cell for a value, or a place in `others`. */
  #place(value: Value, task: Task, draft: Draft): Misfit | undefined {
    const { attribute, raw = 'null' } = value;
    const column = this.#columnFor(value.column, draft) ?? this.#added(value, task, draft);
    if (column === undefined || column.name !== value.column || isSide(column))
      return this.#placeOutside(value, column, draft);
    const why = spoilt(raw, column);
    if (why !== undefined) return { code: 'VALUE', message: `${this.#path}: ${why}`, columns: [] };
    draft.placed.push({ column, raw });
    if (attribute === undefined || value.raw === undefined) return undefined;
    const entry = exactFor(raw, column);
    if (entry !== undefined && (raw !== 'null' || this.#table.isOurs))
      draft.exact.push(`${JSON.stringify(column.name)}:${entry}`);
    return undefined;
  }

  #columnFor(name: string, { added }: Draft): TableColumn | undefined {
    const place = this.#places.get(name);
    if (place !== undefined) return this.#columns[place];
    const key = name.toLowerCase();
    return this.#columns[this.#twins.get(key) ?? -1] ?? added.get(key);
  }

  /** Adds a column for a value; undefined if it can have none. */
  #added({ column: name, raw, attribute }: Value, task: Task, { added }: Draft): TableColumn | undefined {
    const isWanted = this.isPartial || attribute === undefined || (raw ?? 'null') !== 'null';
    const { isStrict, generated } = this.#table;
    if (!isWanted || isStrict || !isColumnName(name) || generated.has(name.toLowerCase())) return undefined;
    if (attribute !== undefined && this.#columns.length + added.size >= MOST_COLUMNS) return undefined;
    const kind =
      attribute === undefined ? 'any' : name === resultOf(task) ? 'json' : kindOfValue(raw ?? 'null');
    const column = newColumn(name, kind);
    added.set(name.toLowerCase(), column);
    return column;
  }

  /** Puts an attribute without a column into `others`, in a table of ours. @param twin the column that has its name */
  #placeOutside(
    { attribute, column, raw }: Value,
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

  /** Adds the cell of `exact` or `others`, with the column for it if the table has none. */
  #placeSide(kind: 'exact' | 'others', members: readonly string[], draft: Draft): void {
    if (members.length === 0) return;
    const found = this.#columns.find((column) => column.kind === kind);
    const column = found ?? newColumn(this.#freeName(kind, draft), kind);
    if (found === undefined) draft.added.set(column.name.toLowerCase(), column);
    draft.placed.push({ column, raw: JSON.stringify(`{${members.join(',')}}`) });
  }

  #freeName(name: string, draft: Draft): string {
    const isTaken = this.#columnFor(name, draft) !== undefined || this.#table.generated.has(name);
    return isTaken ? this.#freeName(`${name}_`, draft) : name;
  }
}

function isSide({ kind }: TableColumn): boolean {
  return kind === 'exact' || kind === 'others';
}

/** Returns all values of a record. */
function allOf({ line, fields }: Task): readonly Value[] {
  const run = runOf(fields);
  // Like JSON.parse, takes the last of several members of one name.
  const members = new Map<string, Member>(membersOf(line).map((member) => [member.key, member]));
  members.delete('uuid');
  if (run !== undefined) members.delete('run');
  const values: Value[] = [...members].map(([key, { value, end }]) => ({
    attribute: key,
    column: columnOf(key),
    raw: line.slice(value, end),
  }));
  if (run === undefined) return values;
  const ran = Object.entries(RUN_COLUMNS).map(([column, path]) => ({
    attribute: undefined,
    column,
    raw: rawAt(line, path),
  }));
  return [...values, ...ran];
}

function chosenOf({ line }: Task, fields: readonly Field[]): readonly Value[] {
  return fields.map((field) => {
    const column = columnOfField(field);
    const attribute = Object.hasOwn(RUN_COLUMNS, column) ? undefined : field.path;
    return { attribute, column, raw: rawAt(line, field.path) };
  });
}

/** Returns the column of a field. Without a name of its own, a member of `run` has the column of a whole record. */
export function columnOfField({ name, path }: Field): string {
  const column = Object.keys(RUN_COLUMNS).find((key) => RUN_COLUMNS[key] === path);
  return column !== undefined && (name === path || name === column) ? column : columnOf(name);
}

/** Returns the column of the result: JSON whatever the first one is, as the next may be an object. */
function resultOf({ fields }: Task): string {
  const as = runOf(fields)?.as;
  return typeof as === 'string' ? columnOf(as) : 'result';
}
