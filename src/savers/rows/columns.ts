import type { LeafValues } from '../../core/record/json-shape.ts';
import { membersOf, minify } from '../../core/record/json-text.ts';
import type { Fields, Task } from '../../core/record/task.ts';
import { leafPaths } from './leaf-paths.ts';
import { ShapeColumns } from './shape-columns.ts';

/** Paths that were asked for and that no record had. */
export interface Unmet {
  readonly names: readonly string[];
  /** Paths that a record had. */
  readonly there: readonly string[];
}

/** Cells of a task; or the paths of attributes without a column; or the paths that two attributes share. */
export type FoundCells =
  | { readonly cells: readonly string[] }
  | { readonly missing: readonly string[] }
  | { readonly shared: readonly string[] };

/** Where an attribute goes: its own column, or the columns of what is nested in it. */
interface Slot {
  readonly name: string;
  /** The index of its column, or -1. */
  readonly column: number;
  /** The level below it, where columns lie there. */
  readonly below: Level | undefined;
}

/** The attributes of one object, by name. */
interface Level {
  /** The names above it, each with a dot. */
  readonly prefix: string;
  readonly slots: Map<string, Slot>;
  /** The slots in the order they were first met: records mostly look alike. */
  readonly order: Slot[];
}

const QUOTE = 34;
const BACKSLASH = 92;
const COLON = 58;
const SPACE = 32;
const COMMA = 44;
const ZERO = 48;
const NINE = 57;
const BRACE = 125;

/** A number token that `String` would not give back, seen from the text before it. May also be met inside a string. */
const ODD_NUMBER = /[:,[\s]-?(?:0(?<=-0)|\d+[.eE]|\d{16})/;

/**
 * Puts records into columns. A nested attribute stands under its path (`result.status`), an array as JSON text, and
 * so does an object that has a column of its own. Numbers keep their digits: `1.10` stays `1.10`. Null is an empty
 * cell, and so never lacks a column; nor does an empty object above columns.
 */
export class ColumnMapper {
  readonly names: readonly string[];
  /** The path of the attribute in each column. */
  readonly paths: readonly string[];
  readonly #indexes: ReadonlyMap<string, number>;
  readonly #nested = new Set<string>();
  readonly #top: Level;
  readonly #isStrict: boolean;
  /** The cells of the record at hand; the same array for all. */
  readonly #cells: (string | undefined)[];
  #missing: string[] = [];
  #shared: string[] = [];
  /** Columns that have the path of an earlier one, and that one. */
  readonly #copies: readonly (readonly [column: number, from: number])[];
  /** The first record. */
  #first = '';
  /** The columns that a record had an attribute for. */
  readonly #found = new Set<number>();
  readonly #shaped: ShapeColumns;
  /** What the fast path reads, and how far it has looked into its text. */
  #line = '';
  #at = 0;
  /** How many members it met. */
  #met = 0;
  /** Whether it met numbers, and skipped objects or arrays, which may have members of the same names. */
  #hasNumbers = false;
  #hasSkipped = false;

  /**
   * @param isStrict whether an attribute without a column is a fault; otherwise it is left out
   * @param paths the path of the attribute for each column, if that is not its name
   */
  constructor(names: readonly string[], isStrict: boolean, paths: readonly string[] = names) {
    this.names = names;
    this.paths = paths;
    this.#indexes = new Map(paths.map((path, i) => [path, i] as const).reverse()); // the first of one path
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
    this.#shaped = new ShapeColumns(paths, isStrict, this.#found);
    this.#cells = new Array(paths.length).fill(undefined);
  }

  cellsOf(task: Task): FoundCells {
    if (this.#first === '') this.#first = task.line;
    const { shape, values } = task;
    const shaped = shape && this.#shaped.cellsOf(shape, values as LeafValues);
    if (shaped !== undefined) return { cells: shaped };
    this.#reset(task.line);
    const isFilled = this.#fillFast(task.fields, this.#top);
    if (!isFilled || (this.#hasNumbers && this.#mayMistake() && ODD_NUMBER.test(task.line))) {
      this.#reset(task.line);
      this.#fillFromText(task.line, this.#top);
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

  /** The columns that no record had an attribute for, and the paths that the first record had; none before that. */
  get unmet(): Unmet {
    if (this.#first === '') return { names: [], there: [] };
    const names = this.paths.filter((path) => !this.#found.has(this.#indexes.get(path) as number));
    return { names, there: names.length === 0 ? [] : leafPaths(this.#first) };
  }

  #reset(line: string): void {
    for (let i = 0; i < this.#cells.length; i++) this.#cells[i] = undefined; // `fill` takes longer for so few
    if (this.#missing.length > 0) this.#missing = [];
    if (this.#shared.length > 0) this.#shared = [];
    this.#line = line;
    this.#at = 0;
    this.#met = 0;
    this.#hasNumbers = false;
    this.#hasSkipped = false;
  }

  /** Whether the digits of a number may have been found in another member of its name. */
  #mayMistake(): boolean {
    return this.#hasSkipped || this.#hasMoreMembers();
  }

  #slotOf(level: Level, name: string): Slot {
    const known = level.slots.get(name);
    if (known !== undefined) return known;
    const path = level.prefix + name;
    const column = this.#indexes.get(path) ?? -1;
    const isAbove = this.#nested.has(path);
    const slot: Slot = {
      name,
      column,
      below: isAbove || column < 0 ? { prefix: `${path}.`, slots: new Map(), order: [] } : undefined,
    };
    // Only names that lead to a column are kept, or names made up of data would pile up here.
    if (column >= 0) this.#found.add(column);
    if (column >= 0 || isAbove) {
      level.slots.set(name, slot);
      level.order.push(slot);
    }
    return slot;
  }

  /** Fills cells from parsed values. Returns false if that would not give the text of the record. */
  #fillFast(fields: Fields, level: Level): boolean {
    let i = 0;
    for (const name in fields) {
      const value = fields[name];
      // Names that are whole numbers come first in an object, wherever they are in the line.
      if (i === 0 && isDigit(name.charCodeAt(0))) this.#hasSkipped = true;
      const expected = level.order[i++];
      const slot = expected?.name === name ? expected : this.#slotOf(level, name);
      if (typeof value === 'string') this.#put(slot, level, value);
      else if (value === null) continue;
      else if (typeof value === 'number') {
        const digits = String(value);
        if (!this.#isInLine(name, digits)) return false;
        this.#put(slot, level, digits);
      } else if (typeof value === 'boolean') this.#put(slot, level, String(value));
      else if (slot.column >= 0 || (this.#isStrict && Array.isArray(value))) return false;
      else if (this.#isStrict || this.#nested.has(level.prefix + name)) {
        if (Array.isArray(value)) this.#hasSkipped = true;
        else if (!this.#fillFast(value as Fields, slot.below as Level)) return false;
      } else this.#hasSkipped = true;
    }
    if (i === 0) this.#addEmpty(level);
    this.#met += i;
    return true;
  }

  /** An empty object is nothing that its columns could not hold; without any it needs one. */
  #addEmpty({ prefix }: Level): void {
    const path = prefix.slice(0, -1);
    if (this.#isStrict && prefix !== '' && !this.#nested.has(path)) this.#missing.push(path);
  }

  /**
   * Whether the next member of this name has these very digits in the line. Members are asked for in their order, so
   * what is found is the right member, unless something was skipped.
   */
  #isInLine(name: string, digits: string): boolean {
    this.#hasNumbers = true;
    const line = this.#line;
    for (let at = line.indexOf(name, this.#at); at > 0; at = line.indexOf(name, at + 1)) {
      let i = at + name.length;
      if (line.charCodeAt(at - 1) !== QUOTE || line.charCodeAt(at - 2) === BACKSLASH) continue;
      if (line.charCodeAt(i) !== QUOTE || line.charCodeAt(i + 1) !== COLON) continue;
      i += line.charCodeAt(i + 2) === SPACE ? 3 : 2;
      this.#at = i + digits.length;
      const after = line.charCodeAt(this.#at);
      return line.startsWith(digits, i) && (after === COMMA || after === BRACE);
    }
    return false;
  }

  /** Whether there may be members that were not met: several of one name, of which the last counts. */
  #hasMoreMembers(): boolean {
    const line = this.#line;
    let members = 0;
    for (let at = line.indexOf(':'); at >= 0; at = line.indexOf(':', at + 1)) {
      const before = line.charCodeAt(at - 1);
      if (before === QUOTE || before <= SPACE) members++;
    }
    return members > this.#met;
  }

  /** The same from the text. */
  #fillFromText(text: string, level: Level): void {
    // As in JSON.parse, the last of several members with one name counts.
    const members = new Map(membersOf(text).map((member) => [member.key, member]));
    if (members.size === 0) this.#addEmpty(level);
    for (const [name, { value, end }] of members) {
      const slot = this.#slotOf(level, name);
      const raw = text.slice(value, end);
      const first = raw[0];
      if (first === '"') this.#put(slot, level, JSON.parse(raw) as string);
      else if (first === '{') {
        if (slot.column >= 0) this.#put(slot, level, minify(raw));
        if (slot.below !== undefined) this.#fillFromText(raw, slot.below);
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

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}
