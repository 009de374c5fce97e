import type { LeafValues, Shape } from '../../core/record/json-shape.ts';
import { membersOf } from '../../core/record/json-text.ts';
import { columnOf, RUN_COLUMNS } from '../../core/record/run-columns.ts';
import type { Task } from '../../core/record/task.ts';
import { isExactNumber, isTime, NULL_CELL, type TargetColumn } from './postgres-cells.ts';

/** Way in which a cell is made of a value. */
type Making = 'same' | 'quoted' | 'json' | 'number' | 'boolean' | 'time';

/** Cell of a leaf. */
interface LeafCell {
  /** Index of the column. */
  readonly column: number;
  /** Index of the value. */
  readonly at: number;
  readonly making: Making;
}

/** Cell of a nested object, whose text lies between two of its leaves. */
interface ObjectCell {
  readonly column: number;
  /** Indexes of the first and the last value in it. */
  readonly first: number;
  readonly last: number;
  /** Number of characters before the first value and after the last one. */
  readonly before: number;
  readonly after: number;
}

/** Cells of the records of a shape. */
interface Plan {
  readonly leaves: readonly LeafCell[];
  readonly objects: readonly ObjectCell[];
  /** Number of characters between the end of the value before and each value, by its index. */
  readonly gaps: readonly number[];
}

/** Place of a value in a line. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** A plan under construction. */
interface Draft {
  readonly spans: Span[];
  readonly leaves: LeafCell[];
  readonly objects: ObjectCell[];
}

const RUN_PATHS = new Map(Object.entries(RUN_COLUMNS).map(([column, path]) => [path, column]));

/**
 * Encoder of the records with a known shape, for a table of ours: it uses the values that the shape has found. `ColumnRows`
 * encodes the others, and makes the same rows.
 */
export class ShapeRows {
  readonly #columns: readonly TargetColumn[];
  readonly #indexes: ReadonlyMap<string, number>;
  readonly #plans = new Map<Shape, Plan | undefined>();
  /** Cells of the current row; the array is reused for all rows. */
  readonly #cells: string[];

  constructor(columns: readonly TargetColumn[], indexes: ReadonlyMap<string, number>) {
    this.#columns = columns;
    this.#indexes = indexes;
    this.#cells = columns.map(() => NULL_CELL);
  }

  /** Returns the row of a record; undefined if it is not one to which this applies. */
  rowOf(task: Task): string | undefined {
    const { uuid, line, shape } = task;
    // Without a backslash a text is written as it is, and needs no escapes in a row.
    if (shape === undefined || line.includes('\\')) return undefined;
    if (!this.#plans.has(shape)) this.#plans.set(shape, this.#planOf(shape, line));
    const plan = this.#plans.get(shape);
    if (plan === undefined) return undefined;
    const { values } = task; // read only now: once they are, they are read of all records of the shape
    if (values === undefined) return undefined;
    const cells = this.#cells.fill(NULL_CELL);
    cells[0] = uuid;
    for (const { column, at, making } of plan.leaves) {
      const cell = cellOf(values[at] as string, making);
      if (cell === undefined) return undefined;
      cells[column] = cell;
    }
    for (const object of plan.objects) cells[object.column] = textOf(object, plan.gaps, line, values);
    return `${cells.join('\t')}\n`;
  }

  /** Returns the plan for a shape; undefined if a member has no column that takes it as it is. */
  #planOf(shape: Shape, line: string): Plan | undefined {
    const draft: Draft = { spans: [], leaves: [], objects: [] };
    for (const { key, value, end } of membersOf(line)) {
      const isObject = line[value] === '{';
      const first = draft.spans.length + 1;
      if (key === 'run') {
        if (shape.state === 0 || !this.#addRun(draft, line, value, end)) return undefined;
        continue;
      }
      const column = this.#indexes.get(columnOf(key));
      addSpans(draft, line, value, end);
      if (key === 'uuid') continue;
      if (column === undefined) return undefined;
      if (isObject) {
        const last = draft.spans.length;
        if (last < first || this.#columns[column]?.kind !== 'json') return undefined;
        const before = (draft.spans[first - 1] as Span).start - value;
        const after = end - (draft.spans[last - 1] as Span).end;
        draft.objects.push({ column, first, last, before, after });
      } else if (!this.#addLeaf(draft, column, first, line[value] === '"')) return undefined;
    }
    const gaps = draft.spans.map(({ start }, i) => start - (draft.spans[i - 1]?.end ?? 0));
    const isWhole = draft.spans.length === shape.leaves.length;
    return isWhole ? { leaves: draft.leaves, objects: draft.objects, gaps: [0, ...gaps] } : undefined;
  }

  /** Adds the members of a run. Returns false if one has a column that does not take it. */
  #addRun(draft: Draft, line: string, from: number, to: number, path = 'run'): boolean {
    const text = line.slice(from, to);
    for (const { key, value, end } of membersOf(text)) {
      const name = `${path}.${key}`;
      const first = draft.spans.length + 1;
      if (text[value] === '{' && name === 'run.error') {
        if (!this.#addRun(draft, line, from + value, from + end, name)) return false;
        continue;
      }
      addSpans(draft, line, from + value, from + end);
      const found = RUN_PATHS.get(name);
      if (found === undefined) continue;
      const column = this.#indexes.get(found);
      if (column === undefined || text[value] === '{') return false;
      if (!this.#addLeaf(draft, column, first, text[value] === '"')) return false;
    }
    return true;
  }

  #addLeaf({ leaves }: Draft, column: number, at: number, isText: boolean): boolean {
    const making = makingOf(this.#columns[column] as TargetColumn, isText);
    if (making === undefined) return false;
    leaves.push({ column, at, making });
    return true;
  }
}

/** Adds the places of the values from one index of a line to another: one, or those of an object. */
function addSpans({ spans }: Draft, line: string, from: number, to: number): void {
  const first = line[from];
  if (first === '{') {
    for (const { value, end } of membersOf(line.slice(from, to)))
      addSpans({ spans, leaves: [], objects: [] }, line, from + value, from + end);
  } else spans.push(first === '"' ? { start: from + 1, end: to - 1 } : { start: from, end: to });
}

/** Returns the way to make a cell of a value; undefined if the column does not hold values of its kind. */
function makingOf({ kind }: TargetColumn, isText: boolean): Making | undefined {
  if (kind === 'json') return isText ? 'quoted' : 'json';
  if (isText) return kind === 'text' ? 'same' : kind === 'time' ? 'time' : undefined;
  return kind === 'numeric' ? 'number' : kind === 'boolean' ? 'boolean' : undefined;
}

function cellOf(value: string, making: Making): string | undefined {
  if (making === 'same') return value;
  if (making === 'number') return isExactNumber(value) ? value : undefined;
  if (making === 'quoted') return `"${value}"`;
  if (making === 'json') return value === 'null' ? undefined : value;
  if (making === 'time') return isTime(value) ? value : undefined;
  return value === 'true' || value === 'false' ? value : undefined;
}

/** Returns the text of an object in a line. */
function textOf(
  { first, last, before, after }: ObjectCell,
  gaps: readonly number[],
  line: string,
  values: LeafValues,
): string {
  let end = 0;
  let start = 0;
  for (let i = 1; i <= last; i++) {
    const begin = end + (gaps[i] as number);
    if (i === first) start = begin;
    end = begin + (values[i] as string).length;
  }
  return line.slice(start - before, end + after);
}
