import { membersOf, minify } from '../core/members.ts';
import type { Values } from '../core/shape.ts';
import type { Fields, Task } from '../core/task.ts';
import { ShapeColumns } from './shape-columns.ts';

/** Names that were asked for and that no record had. */
export interface Unmet {
  readonly names: readonly string[];
  /** Names that a record had. */
  readonly there: readonly string[];
}

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

/** The paths of the leaves of a record, with dots between names: its uuid, then the others in order. */
export function leafPaths(fields: Fields): string[] {
  const paths = new Set(['uuid']);
  addPaths(fields, '', paths);
  return [...paths];
}

function addPaths(fields: Fields, prefix: string, paths: Set<string>): void {
  for (const [name, value] of Object.entries(fields)) {
    if (isObject(value)) addPaths(value, `${prefix}${name}.`, paths);
    else paths.add(prefix + name);
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const QUOTE = 34;
const BACKSLASH = 92;
const COLON = 58;
const SPACE = 32;
const COMMA = 44;
const BRACE = 125;

/** A number token that `String` would not give back, seen from the text before it. May also be met inside a string. */
const ODD_NUMBER = /[:,[\s]-?(?:0(?<=-0)|\d+[.eE]|\d{16})/;

/**
 * Puts records into columns. A nested attribute stands under its path (`result.status`), an array as JSON text, and
 * so does an object where there is a column of its very name. Numbers keep their digits: `1.10` stays `1.10`. Null is
 * an empty cell, and so never lacks a column.
 */
export class Columns {
  readonly names: readonly string[];
  readonly #indexes: ReadonlyMap<string, number>;
  readonly #nested = new Set<string>();
  readonly #top: Level;
  readonly #isStrict: boolean;
  /** The cells of the record at hand; the same array for all. */
  readonly #cells: (string | undefined)[];
  #missing: string[] = [];
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
  /** Whether it met numbers, and passed over objects or arrays, which may have members of the same names. */
  #hasNumbers = false;
  #hasSkipped = false;

  /** @param isStrict whether an attribute without a column is a fault; otherwise it is left out */
  constructor(names: readonly string[], isStrict: boolean) {
    this.names = names;
    this.#indexes = new Map(names.map((name, i) => [name, i]));
    for (const name of names) {
      for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
        this.#nested.add(name.slice(0, dot));
      }
    }
    this.#top = { prefix: '', slots: new Map(), order: [] };
    this.#isStrict = isStrict;
    this.#shaped = new ShapeColumns(names, isStrict, this.#found);
    this.#cells = new Array(names.length).fill(undefined);
  }

  /** The cells of a task, or the paths of the attributes that have no column. */
  cellsOf(task: Task): { cells: readonly string[] } | { missing: readonly string[] } {
    if (this.#first === '') this.#first = task.line;
    const { shape, values } = task;
    const shaped = shape && this.#shaped.cellsOf(shape, values as Values);
    if (shaped !== undefined) return { cells: shaped };
    this.#reset(task.line);
    const isFilled = this.#fillFast(task.fields, this.#top);
    if (!isFilled || (this.#hasNumbers && this.#mayMistake() && ODD_NUMBER.test(task.line))) {
      this.#reset(task.line);
      this.#fillFromText(task.line, this.#top);
    }
    if (this.#missing.length > 0) return { missing: [...new Set(this.#missing)] };
    const cells = this.#cells;
    for (let i = 0; i < cells.length; i++) cells[i] ??= '';
    return { cells: cells as string[] };
  }

  /** The columns that no record had an attribute for, and the paths that the first record had; none before that. */
  get unmet(): Unmet {
    if (this.#first === '') return { names: [], there: [] };
    const names = this.names.filter((_, i) => !this.#found.has(i));
    return { names, there: names.length === 0 ? [] : leafPaths(JSON.parse(this.#first) as Fields) };
  }

  #reset(line: string): void {
    for (let i = 0; i < this.#cells.length; i++) this.#cells[i] = undefined; // `fill` takes longer for so few
    if (this.#missing.length > 0) this.#missing = [];
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

  /** Fills cells from parsed values. Returns false where that would not give the text of the record. */
  #fillFast(fields: Fields, level: Level): boolean {
    let i = 0;
    for (const name in fields) {
      const value = fields[name];
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
    this.#met += i;
    return true;
  }

  /**
   * Whether the next member of this name has these very digits in the line. Members are asked for in their order, so
   * what is found is the member that is meant, unless something was passed over.
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
    // As JSON.parse has it, the last of several members of one name counts.
    const members = new Map(membersOf(text).map((member) => [member.key, member]));
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
    // Two attributes of one path (`{"a.b":1,"a":{"b":2}}`) do not fit either.
    if (slot.column >= 0 && this.#cells[slot.column] === undefined) this.#cells[slot.column] = cell;
    else if (slot.column >= 0 || this.#isStrict) this.#missing.push(level.prefix + slot.name);
  }
}
