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
  type CellValue,
  canBeColumn,
  copyCell,
  foreignCell,
  kindOfFirst,
  NULL_CELL,
  ownCell,
  type PostgresKind,
  type PostgresOwnKind,
  type TargetColumn,
} from './postgres-cells.ts';
import { ShapeRows } from './shape-rows.ts';
import type { TargetTable } from './target-table.ts';

/** Limit of columns: a row of more would not fit into a page of the server if all of its values were long. */
const MOST_COLUMNS = 300;

/** Kinds of the columns of `run`. */
const RUN_KINDS: Readonly<Record<string, PostgresOwnKind>> = {
  attempts: 'numeric',
  at: 'time',
  ms: 'numeric',
};

/** A row under construction. */
interface RowDraft {
  readonly cells: string[];
  /** Columns that were not written before. */
  readonly added: TargetColumn[];
  /** Members of the columns `exact` and `others`. */
  readonly exact: string[];
  readonly others: string[];
}

/** Rows of a table in the text format of COPY. */
export interface CopyRows {
  /** Columns of a row, `uuid` first. The table may not have the last ones yet. */
  readonly columns: readonly TargetColumn[];
  /** Number that changes when rows that were encoded before become invalid. */
  readonly version: number;
  /** Names of the columns that `--fields` chooses; undefined if rows have all attributes. */
  readonly written: ReadonlySet<string> | undefined;
  encode(task: Task): string | Misfit;
  /** Adopts the columns of the table: another task-save may have added some meanwhile, of another kind. */
  adopt(there: readonly TargetColumn[]): void;
}

/** Encoder of rows with a column for each attribute. It keeps the list of columns that the rows need. */
export class ColumnRows implements CopyRows {
  readonly written: ReadonlySet<string> | undefined;
  version = 0;
  readonly #place: string;
  readonly #table: TargetTable;
  readonly #fields: readonly Field[] | undefined;
  /** Columns of the table by name. */
  #known: Map<string, TargetColumn>;
  #columns: readonly TargetColumn[];
  #indexes = new Map<string, number>();
  /** Maker of the rows of most records; undefined if only the columns of `--fields`, or of another program, are written. */
  #shapes: ShapeRows | undefined;

  constructor(place: string, table: TargetTable, fields: readonly Field[] | undefined) {
    this.#place = place;
    this.#table = table;
    this.#fields = fields?.filter((field) => field.path !== 'uuid');
    this.written =
      fields && new Set((this.#fields ?? []).flatMap((field) => [field.path, columnOfChosen(field)]));
    this.#known = new Map(table.columns.map((column) => [column.name, column]));
    const [uuid] = table.columns;
    const writesAll = table.isOurs && fields === undefined;
    this.#columns = writesAll ? table.columns : [uuid as TargetColumn];
    this.#index();
  }

  get columns(): readonly TargetColumn[] {
    return this.#columns;
  }

  adopt(there: readonly TargetColumn[]): void {
    this.#known = new Map(there.map((column) => [column.name, column]));
    const writesAll = this.#table.isOurs && this.written === undefined;
    const next = this.#columns.map((column) => this.#known.get(column.name) ?? column);
    if (writesAll) for (const column of there) if (!this.#indexes.has(column.name)) next.push(column);
    const isSame =
      next.length === this.#columns.length && next.every((one, i) => one.kind === this.#columns[i]?.kind);
    if (!isSame) this.#change(next);
  }

  #change(columns: readonly TargetColumn[]): void {
    this.#columns = columns;
    this.version++;
    this.#index();
  }

  #index(): void {
    this.#indexes = new Map(this.#columns.map(({ name }, i) => [name, i]));
    const isWhole = this.#table.isOurs && this.#fields === undefined;
    this.#shapes = isWhole ? new ShapeRows(this.#columns, this.#indexes) : undefined;
  }

  encode(task: Task): string | Misfit {
    const fault = this.#table.uuidFault(task.uuid);
    if (fault !== undefined) return this.#misfit(fault);
    return this.#shapes?.rowOf(task) ?? this.#rowOf(task);
  }

  #rowOf(task: Task): string | Misfit {
    const cells = new Array<string>(this.#columns.length).fill(NULL_CELL);
    cells[0] = copyCell(task.uuid);
    const draft: RowDraft = { cells, added: [], exact: [], others: [] };
    for (const value of this.#fields === undefined ? valuesOf(task) : chosenValues(task, this.#fields)) {
      const why = this.#put(value, task, draft);
      if (why !== undefined) return this.#misfit(why);
    }
    if (draft.exact.length > 0) this.#putSide('exact', draft.exact, draft);
    if (draft.others.length > 0) this.#putSide('others', draft.others, draft);
    if (draft.added.length > 0) this.#change([...this.#columns, ...draft.added]);
    return `${cells.join('\t')}\n`;
  }

  #misfit(why: string): Misfit {
    return { code: 'VALUE', message: `${this.#place}: ${why}`, columns: [] };
  }

  /** Puts a value into its cell, or into `others`. Returns the reason there is no place for it. */
  #put(value: FoundValue, task: Task, draft: RowDraft): string | undefined {
    const { attribute, raw, column: name } = value;
    if (raw === undefined && this.written === undefined) return undefined;
    const isNull = raw === undefined || raw === 'null';
    const isFull = attribute !== undefined && this.#columns.length + draft.added.length >= MOST_COLUMNS;
    const kindOf = isNull || isFull ? undefined : () => this.#newKind(value, task);
    const index = this.#indexOf(name, kindOf, draft);
    const column = index === undefined ? undefined : this.#columnAt(index, draft);
    if (column === undefined || isSide(column)) return this.#putOutside(value, draft);
    if (isNull) {
      if (raw !== undefined && attribute !== undefined && this.#table.isOurs)
        draft.exact.push(`${JSON.stringify(name)}:null`);
      return undefined;
    }
    const cell = this.#table.isOurs ? ownCell(raw, column.kind) : foreignCell(raw, column);
    if (typeof cell === 'string') return cell;
    if (cell === undefined) return this.#putOutside(value, draft);
    this.#fill(index as number, cell, draft);
    if (cell.entry !== undefined && attribute !== undefined)
      draft.exact.push(`${JSON.stringify(name)}:${cell.entry}`);
    return undefined;
  }

  #fill(index: number, { text }: CellValue, { cells }: RowDraft): void {
    while (cells.length <= index) cells.push(NULL_CELL);
    cells[index] = copyCell(text);
  }

  #columnAt(index: number, { added }: RowDraft): TargetColumn | undefined {
    return this.#columns[index] ?? added[index - this.#columns.length];
  }

  /**
   * Returns the index of a column; adds the column if the row needs one.
   * @param kindOf returns the kind of a new column; undefined if none must be added
   */
  #indexOf(name: string, kindOf: (() => PostgresKind) | undefined, { added }: RowDraft): number | undefined {
    const index = this.#indexes.get(name);
    if (index !== undefined) return index;
    const width = this.#columns.length;
    const near = added.findIndex((column) => column.name === name);
    if (near >= 0) return width + near;
    const there = this.#known.get(name);
    if (there === undefined) {
      if (kindOf === undefined || this.#table.generated.has(name) || !canBeColumn(name)) return undefined;
    }
    added.push(there ?? { name, kind: kindOf?.() ?? 'text', fallback: undefined });
    return width + added.length - 1;
  }

  #newKind({ attribute, column, raw }: FoundValue, task: Task): PostgresKind {
    if (attribute === undefined) return RUN_KINDS[column] ?? 'text';
    return column === columnOfResult(task) ? 'json' : kindOfFirst(raw ?? 'null');
  }

  /** Puts an attribute into `others`, in a table of ours. Returns the reason if it has no place. */
  #putOutside({ attribute, column, raw }: FoundValue, draft: RowDraft): string | undefined {
    if (raw === undefined) return undefined;
    if (attribute !== undefined && this.#table.isOurs) {
      draft.others.push(`${JSON.stringify(attribute)}:${raw}`);
      return undefined;
    }
    if (raw === 'null') return undefined;
    const name = JSON.stringify(attribute ?? column).slice(0, 70);
    if (attribute === undefined)
      return `run.${column} is ${raw.slice(0, 60)}, which the column ${name} cannot hold`;
    if (this.#table.generated.has(column))
      return `its column ${name} is generated; leave ${name} out with --fields`;
    return `no column can be added for ${name}; name those to keep with --fields`;
  }

  /** Fills the cell of `exact` or `others`, and adds the column if the table has none. */
  #putSide(kind: 'exact' | 'others', members: readonly string[], draft: RowDraft): void {
    const isKind = (column: TargetColumn): boolean => column.kind === kind;
    const there = [...this.#columns, ...draft.added].find(isKind) ?? [...this.#known.values()].find(isKind);
    let name = there?.name ?? kind;
    const isTaken = (): boolean =>
      this.#known.has(name) || this.#indexes.has(name) || draft.added.some((column) => column.name === name);
    if (there === undefined) while (isTaken()) name += '_';
    const index = this.#indexOf(name, () => kind, draft) as number;
    this.#fill(index, { text: `{${members.join(',')}}` }, draft);
  }
}

function isSide({ kind }: TargetColumn): boolean {
  return kind === 'exact' || kind === 'others';
}
