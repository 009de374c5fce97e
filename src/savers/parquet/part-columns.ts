import type { SchemaElement } from 'hyparquet';
import { isInteger64 } from '../../core/record/exact-values.ts';
import { membersOf } from '../../core/record/json-text.ts';

/**
 * Kinds of columns. A number that neither a 64-bit integer nor a double holds makes its column text. Text and JSON do
 * not change any more: DuckDB reads parts of different kinds as one table if the later ones are text, or JSON without
 * earlier text.
 */
export type PartKind = 'boolean' | 'integer' | 'double' | 'text' | 'json';

/** Values of one column of a part as JSON text, undefined for null. */
export interface PartColumn {
  readonly name: string;
  readonly kind: PartKind;
  readonly raws: readonly (string | undefined)[];
}

/** Declaration of a column. */
export interface PartElement {
  readonly name: string;
  readonly repetition_type: 'OPTIONAL';
  readonly type: 'BOOLEAN' | 'INT64' | 'DOUBLE' | 'BYTE_ARRAY';
  readonly converted_type?: 'UTF8' | 'JSON';
}

const TYPES: Readonly<Record<PartKind, Pick<PartElement, 'type' | 'converted_type'>>> = {
  boolean: { type: 'BOOLEAN' },
  integer: { type: 'INT64' },
  double: { type: 'DOUBLE' },
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  json: { type: 'BYTE_ARRAY', converted_type: 'JSON' },
};

/** Returns the declaration of a column. */
export function elementOf({ name, kind }: Pick<PartColumn, 'name' | 'kind'>): PartElement {
  return { name, repetition_type: 'OPTIONAL', ...TYPES[kind] };
}

/** Returns the kind of a column of an existing part. Values of other types are read as text beside ours. */
export function kindOfElement(element: SchemaElement): PartKind {
  const { type, converted_type: converted, logical_type: logical, num_children: children } = element;
  if (children !== undefined || converted === 'JSON' || logical?.type === 'JSON') return 'json';
  if (type === 'BOOLEAN') return 'boolean';
  const isPlain = converted === undefined && logical === undefined;
  const isInteger = logical?.type === 'INTEGER' || /^U?INT_\d+$/.test(converted ?? '');
  if ((type === 'INT64' || type === 'INT32') && (isPlain || isInteger)) return 'integer';
  return (type === 'DOUBLE' || type === 'FLOAT') && isPlain ? 'double' : 'text';
}

/** Returns the kind of a value. @param raw JSON text, not null */
function kindOfValue(raw: string): PartKind {
  const first = raw[0];
  if (first === '"') return 'text';
  if (first === '{' || first === '[') return 'json';
  if (first === 't' || first === 'f') return 'boolean';
  if (isInteger64(raw)) return 'integer';
  const isHeld = /[.eE]/.test(raw) ? Number.isFinite(Number(raw)) : isExact(raw);
  return isHeld ? 'double' : 'text';
}

/** Returns true if a double holds an integer. */
function isExact(raw: string): boolean {
  return raw.length < 16 || (Number.isFinite(Number(raw)) && BigInt(Number(raw)) === BigInt(raw));
}

/** Returns the kind of a column with values of two kinds. */
export function joined(a: PartKind | undefined, b: PartKind): PartKind {
  if (a === undefined || a === b) return b;
  if (a === 'text' || a === 'json') return a;
  if (b === 'text' || b === 'json') return b;
  return a === 'boolean' || b === 'boolean' ? 'text' : 'double';
}

/** Table that sorts the values of a part into columns. */
export class PartTable {
  readonly #known: ReadonlyMap<string, PartKind>;
  readonly #columns = new Map<string, Gathered>();
  #count = 0;

  /** @param known columns of earlier parts, which are also added to this part */
  constructor(known: ReadonlyMap<string, PartKind>) {
    this.#known = known;
    for (const [name, kind] of known) this.#columns.set(name, { kind, isNested: false, raws: [] });
  }

  /** Adds a row. @param values JSON text of each value, by column; undefined or null for none */
  add(values: Iterable<readonly [name: string, raw: string | undefined]>): void {
    const row = this.#count++;
    for (const [name, value] of values) {
      const raw = value === 'null' ? undefined : value;
      const column = this.#columns.get(name) ?? (raw === undefined ? undefined : this.#added(name));
      if (column === undefined) continue;
      column.raws[row] = raw;
      if (raw === undefined) continue;
      const kind = kindOfValue(raw);
      if (kind === 'json') column.isNested = true;
      if (kind !== column.kind) column.kind = joined(column.kind, kind);
    }
  }

  #added(name: string): Gathered {
    const column: Gathered = { kind: undefined, isNested: false, raws: [] };
    this.#columns.set(name, column);
    return column;
  }

  /** Returns the columns. Each has one value for each row. */
  columns(): readonly PartColumn[] {
    return [...this.#columns].map(([name, { kind = 'text', isNested, raws }]) => {
      raws.length = this.#count;
      // Text and nested values of one part are JSON, whichever came first.
      const isJson = isNested && this.#known.get(name) !== 'text';
      const found = isJson ? 'json' : kind;
      return { name, kind: found === 'double' && !areExact(raws) ? 'text' : found, raws };
    });
  }
}

/** A column under construction. */
interface Gathered {
  kind: PartKind | undefined;
  isNested: boolean;
  readonly raws: (string | undefined)[];
}

/** Returns false if a column has an integer that a double would round. */
function areExact(raws: readonly (string | undefined)[]): boolean {
  return raws.every((raw) => raw === undefined || /[.eE]/.test(raw) || isExact(raw));
}

/** Returns the values of a column in the form in which they are written. */
export function cellsOf({ kind, raws }: PartColumn): unknown[] {
  const cells = new Array<unknown>(raws.length);
  const cell = CELLS[kind];
  for (let i = 0; i < cells.length; i++) {
    const raw = raws[i];
    cells[i] = raw === undefined ? null : cell(raw);
  }
  return cells;
}

const CELLS: Readonly<Record<PartKind, (raw: string) => unknown>> = {
  boolean: (raw) => raw === 'true',
  integer: (raw) => BigInt(raw),
  double: Number,
  text: stringOf,
  json: (raw) => raw,
};

/** Returns a string, or the JSON text of another value. */
function stringOf(raw: string): string {
  if (raw[0] !== '"') return raw;
  return raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1);
}

/** Returns the values of a whole record by the names of their columns. */
export function* valuesOf(line: string): Generator<readonly [string, string]> {
  for (const { key, value, end } of membersOf(line)) yield [key, line.slice(value, end)];
}
