import type { LeafValues } from '../../core/record/json-shape.ts';
import { membersOf, minify } from '../../core/record/json-text.ts';
import type { Fields, Task } from '../../core/record/task.ts';
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
  /** Index of its column, or -1. */
  readonly column: number;
  /** Level of the nested attributes; undefined if none of them can have a column and it has one itself. */
  readonly below: Level | undefined;
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
const BACKSLASH = 92;
const COLON = 58;
const SPACE = 32;
const COMMA = 44;
const ZERO = 48;
const NINE = 57;
const BRACE = 125;

/** Number that `String` may not reproduce, with the character before it. Also matches inside strings. */
const ODD_NUMBER = /[:,[\s]-?(?:0(?<=-0)|\d+[.eE]|\d{16})/;

/**
 * Puts records into columns. A nested attribute goes to the column of its path (`result.status`). An array,
 * or an object that has its own column, becomes JSON text. Numbers keep their digits: `1.10` stays `1.10`.
 * Null is an empty cell and needs no column; an empty object needs none if there are columns below it.
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
  readonly #found = new Set<number>();
  readonly #shaped: ShapeColumns;
  /** Line that the fast path reads, and the position that its search has reached. */
  #line = '';
  #at = 0;
  /** Number of members that the fast path visited. */
  #met = 0;
  /**
   * True if it visited numbers, and true if it skipped objects or arrays, which may have members of the same
   * names.
   */
  #hasNumbers = false;
  #hasSkipped = false;

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

  /**
   * Paths of columns that no record had an attribute for, and paths of the first record; empty before that.
   */
  get unusedFields(): UnusedFields {
    if (this.#first === '') return { names: [], there: [] };
    const names = this.paths.filter((path) => !this.#found.has(this.#indexes.get(path) as number));
    return { names, there: names.length === 0 ? [] : leafPaths(this.#first) };
  }

  #reset(line: string): void {
    for (let i = 0; i < this.#cells.length; i++) this.#cells[i] = undefined; // `fill` is slower for so few
    if (this.#missing.length > 0) this.#missing = [];
    if (this.#shared.length > 0) this.#shared = [];
    this.#line = line;
    this.#at = 0;
    this.#met = 0;
    this.#hasNumbers = false;
    this.#hasSkipped = false;
  }

  /** Returns true if the digits of a number may have been found in another member of the same name. */
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
    // Keep only names that lead to a column: names made from data would use up memory.
    if (column >= 0) this.#found.add(column);
    if (column >= 0 || isAbove) {
      level.slots.set(name, slot);
      level.order.push(slot);
    }
    return slot;
  }

  /** Fills cells from parsed values. Returns false if these do not give the exact text of the record. */
  #fillFast(fields: Fields, level: Level): boolean {
    let i = 0;
    for (const name in fields) {
      const value = fields[name];
      // JavaScript puts names that are whole numbers first, wherever they are in the line.
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

  /** Reports an empty object as missing if there are no columns for its attributes. */
  #addEmpty({ prefix }: Level): void {
    const path = prefix.slice(0, -1);
    if (this.#isStrict && prefix !== '' && !this.#nested.has(path)) this.#missing.push(path);
  }

  /**
   * Returns true if the next member of this name has exactly these digits in the line. Members are looked up
   * in their order, so the match is the right member, unless something was skipped.
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

  /**
   * Returns true if the line may have members that were not visited: of several with one name, only the last
   * counts.
   */
  #hasMoreMembers(): boolean {
    const line = this.#line;
    let members = 0;
    for (let at = line.indexOf(':'); at >= 0; at = line.indexOf(':', at + 1)) {
      const before = line.charCodeAt(at - 1);
      if (before === QUOTE || before <= SPACE) members++;
    }
    return members > this.#met;
  }

  /** Fills cells from the text of a record. */
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
