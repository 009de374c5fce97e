import type { LeafValues } from '../../core/record/json-shape.ts';
import { membersOf, minify, skipSpace, skipString, skipValue } from '../../core/record/json-text.ts';
import type { Task } from '../../core/record/task.ts';
import { leafPaths } from './leaf-paths.ts';
import { ShapeColumns } from './shape-columns.ts';

/** Paths that were requested but that no record had. */
export interface UnusedFields {
  readonly names: readonly string[];
  /** Paths that the first record had. */
  readonly there: readonly string[];
}

/** Cells of a task, paths of attributes without a column, or paths that two attributes share. */
export type FoundCells =
  | { readonly cells: readonly string[] }
  | { readonly missing: readonly string[] }
  | { readonly shared: readonly string[] };

/** Target of an attribute: its own column, the columns of attributes nested in it, or both. */
interface Slot {
  readonly name: string;
  /** The name in its usual spelling, in quotes. */
  readonly quoted: string;
  /** Position in the `order` of its level. */
  readonly at: number;
  /** Index of its column, or -1. */
  readonly column: number;
  /**
   * Level of the nested attributes; undefined if the attribute itself has a column and nested ones cannot have any.
   */
  readonly below: Level | undefined;
  /** True if attributes nested in it have columns. */
  readonly isAbove: boolean;
  /** Number of the last record that has it. */
  record: number;
}

/** Attributes of one object, by name. */
interface Level {
  /** Names of the enclosing objects, each with a dot. */
  readonly prefix: string;
  readonly slots: Map<string, Slot>;
  /** Slots in the order in which they first occurred: most records have the same order. */
  readonly order: Slot[];
}

const QUOTE = 34;
const COMMA = 44;
const OPEN_OBJECT = 123;

/** Slot of all attributes that are left out. */
const NOWHERE: Slot = {
  ...{ name: '', quoted: '', at: -1, column: -1, below: undefined, isAbove: false },
  record: 0,
};

/**
 * Mapper of records to columns. A nested attribute goes to the column of its path (`result.status`). An array, or an
 * object that has its own column, becomes JSON text. Numbers keep their digits: `1.10` stays `1.10`. Null is an empty
 * cell and needs no column; an empty object needs none if there are columns below it.
 */
export class ColumnMapper {
  readonly names: readonly string[];
  /** Path of the attribute in each column. */
  readonly paths: readonly string[];
  readonly #indexes: ReadonlyMap<string, number>;
  readonly #nested = new Set<string>();
  readonly #top: Level;
  readonly #isStrict: boolean;
  /** Cells of the current record; the array is reused for all records. */
  readonly #cells: (string | undefined)[];
  #missing: string[] = [];
  #shared: string[] = [];
  /** Columns with the same path as an earlier one, and that earlier column. */
  readonly #copies: readonly (readonly [column: number, from: number])[];
  /** Text of the first record. */
  #first = '';
  /** Columns that some record had an attribute for. */
  readonly found: Set<number> = new Set<number>();
  readonly #shaped: ShapeColumns;
  /** Number of the current record. */
  #record = 0;
  /** True if the current record has two members of one name. */
  #hasDuplicates = false;

  /**
   * @param isStrict true if an attribute without a column is a fault; otherwise it is left out
   * @param paths path of the attribute for each column; default: the column name
   */
  constructor(names: readonly string[], isStrict: boolean, paths: readonly string[] = names) {
    this.names = names;
    this.paths = paths;
    this.#indexes = new Map(paths.map((path, i) => [path, i] as const).reverse()); // first one of each path
    this.#copies = paths.flatMap((path, i) => {
      const from = paths.indexOf(path);
      return from === i ? [] : [[i, from] as const];
    });
    for (const path of paths) {
      for (let dot = path.indexOf('.'); dot >= 0; dot = path.indexOf('.', dot + 1)) {
        this.#nested.add(path.slice(0, dot));
      }
    }
    this.#top = { prefix: '', slots: new Map(), order: [] };
    this.#isStrict = isStrict;
    this.#shaped = new ShapeColumns(paths, isStrict, this.found);
    this.#cells = new Array(paths.length).fill(undefined);
  }

  /** Notes a record whose cells were found by another. */
  pass(task: Task): void {
    if (this.#first === '') this.#first = task.line;
  }

  cellsOf(task: Task): FoundCells {
    this.pass(task);
    const { shape, values } = task;
    const shaped = shape && this.#shaped.cellsOf(shape, values as LeafValues);
    if (shaped !== undefined) return { cells: shaped };
    this.#reset();
    this.#fill(task.line, task.line.indexOf('{'), this.#top);
    if (this.#hasDuplicates || this.#missing.length > 0) {
      this.#reset();
      this.#fillFromLast(task.line, this.#top);
    }
    if (this.#missing.length > 0) {
      const missing = [...new Set(this.#missing)];
      if (missing.length === this.#missing.length && this.#shared.length === 0) return { missing };
      const twice = this.#missing.filter((path, i) => this.#missing.indexOf(path) < i);
      this.#shared.push(...twice);
    }
    if (this.#shared.length > 0) return { shared: [...new Set(this.#shared)] };
    const cells = this.#cells;
    if (this.#copies.length > 0) for (const [column, from] of this.#copies) cells[column] = cells[from];
    for (let i = 0; i < cells.length; i++) cells[i] ??= '';
    return { cells: cells as string[] };
  }

  /**
   * Paths of columns that no record had an attribute for, and paths of the first record; empty before that.
   */
  get unusedFields(): UnusedFields {
    if (this.#first === '') return { names: [], there: [] };
    const names = this.paths.filter((path) => !this.found.has(this.#indexes.get(path) as number));
    return { names, there: names.length === 0 ? [] : leafPaths(this.#first) };
  }

  #reset(): void {
    for (let i = 0; i < this.#cells.length; i++) this.#cells[i] = undefined; // `fill` is slower for few paths
    if (this.#missing.length > 0) this.#missing = [];
    if (this.#shared.length > 0) this.#shared = [];
    this.#record++;
    this.#hasDuplicates = false;
  }

  #slotOf(level: Level, name: string): Slot {
    const known = level.slots.get(name);
    if (known !== undefined) return known;
    const path = level.prefix + name;
    const column = this.#indexes.get(path) ?? -1;
    const isAbove = this.#nested.has(path);
    if (column < 0 && !isAbove && !this.#isStrict) return NOWHERE;
    const slot: Slot = {
      name,
      quoted: JSON.stringify(name),
      at: level.order.length,
      column,
      below: isAbove || column < 0 ? { prefix: `${path}.`, slots: new Map(), order: [] } : undefined,
      isAbove,
      record: 0,
    };
    // Keep only names that lead to a column: names made from data would take too much memory.
    if (column >= 0) this.found.add(column);
    if (column >= 0 || isAbove) {
      level.slots.set(name, slot);
      level.order.push(slot);
    }
    return slot;
  }

  /**
   * Fills cells from the text of an object, which begins at `from`, in one pass. Known names mostly appear in the
   * same order, so most names are compared instead of looked up.
   * @returns the index just past the object
   */
  #fill(text: string, from: number, level: Level): number {
    const { order } = level;
    let next = 0;
    let at = skipSpace(text, from + 1);
    if (text.charCodeAt(at) !== QUOTE) this.#addEmpty(level);
    while (text.charCodeAt(at) === QUOTE) {
      const expected = order[next];
      let slot: Slot;
      if (expected !== undefined && text.startsWith(expected.quoted, at)) {
        slot = expected;
        at += slot.quoted.length;
      } else {
        const end = skipString(text, at);
        slot = this.#slotOf(level, unquoted(text, at, end));
        at = end;
      }
      if (slot !== NOWHERE) {
        if (slot.record === this.#record) this.#hasDuplicates = true;
        slot.record = this.#record;
        if (order[slot.at] === slot) next = slot.at + 1;
      }
      at = skipSpace(text, at); // to the colon
      at = this.#fillValue(text, skipSpace(text, at + 1), slot, level);
      at = skipSpace(text, at);
      if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
    }
    return at + 1;
  }

  /** Fills the cells of the value that begins at `from`. Returns the index just past it. */
  #fillValue(text: string, from: number, slot: Slot, level: Level): number {
    const { column, below, isAbove } = slot;
    const first = text.charCodeAt(from);
    const isObject = first === OPEN_OBJECT;
    const isNeeded = this.#isStrict || column >= 0 || (isObject && isAbove);
    if (isObject && column < 0 && isNeeded) return this.#fill(text, from, below as Level);
    const end = first === QUOTE ? skipString(text, from) : skipValue(text, from);
    if (!isNeeded) return end;
    if (first === QUOTE) this.#put(slot, level, unquoted(text, from, end));
    else {
      const raw = text.slice(from, end);
      if (raw !== 'null') this.#put(slot, level, minify(raw));
      if (isObject && below !== undefined) this.#fill(text, from, below);
    }
    return end;
  }

  /** Reports an empty object as missing if there are no columns for its attributes. */
  #addEmpty({ prefix }: Level): void {
    const path = prefix.slice(0, -1);
    if (this.#isStrict && prefix !== '' && !this.#nested.has(path)) this.#missing.push(path);
  }

  /** Fills cells like `#fill`, but if several members have the same name, the last one counts, as in `JSON.parse`. */
  #fillFromLast(text: string, level: Level): void {
    const members = new Map(membersOf(text).map((member) => [member.key, member]));
    if (members.size === 0) this.#addEmpty(level);
    for (const [name, { value, end }] of members) {
      const slot = this.#slotOf(level, name);
      const raw = text.slice(value, end);
      const first = raw[0];
      if (first === '"') this.#put(slot, level, JSON.parse(raw) as string);
      else if (first === '{') {
        if (slot.column >= 0) this.#put(slot, level, minify(raw));
        if (slot.below !== undefined) this.#fillFromLast(raw, slot.below);
      } else if (first === '[') this.#put(slot, level, minify(raw));
      else if (raw !== 'null') this.#put(slot, level, raw);
    }
  }

  #put(slot: Slot, level: Level, cell: string): void {
    if (slot.column < 0) {
      if (this.#isStrict) this.#missing.push(level.prefix + slot.name);
    } else if (this.#cells[slot.column] === undefined) this.#cells[slot.column] = cell;
    else this.#shared.push(level.prefix + slot.name); // as in {"a.b":1,"a":{"b":2}}
  }
}

/** Returns the string between quotes at these places. */
function unquoted(text: string, from: number, to: number): string {
  const inner = text.slice(from + 1, to - 1);
  return inner.includes('\\') ? (JSON.parse(`"${inner}"`) as string) : inner;
}
