import { SCALAR, TEXT } from './json-grammar.ts';
import { membersOf } from './json-text.ts';

/*
 * Records of one source mostly have one shape: the same names in the same order, with different values. After a few
 * records, a regular expression made from one of them reads the others in a fifth of the time of `JSON.parse` and
 * locates each value; no object is built until it is needed. (This is speculative parsing: Li et al., "Mison: a fast
 * JSON parser for data analytics", VLDB 2017.) A match is always valid JSON: the text between the values is that of a
 * parsed record, and values are strings, numbers, true, false, null, or arrays of these. `JSON.parse` reads all other
 * records.
 */

/** An array of such values, without white space. */
const ITEM = `(?:"${TEXT}"|${SCALAR})`;
const LIST = `\\[(?:${ITEM}(?:,${ITEM})*)?\\]`;
const IS_LIST = new RegExp(`^${LIST}$`);

/** A value that is a scalar or an array of scalars. */
export interface Leaf {
  /** Path of names, separated by dots. */
  readonly path: string;
  /** True for a string. */
  readonly isText: boolean;
}

/** Values of the leaves, from index 1: strings unescaped, others as written. */
export type LeafValues = readonly string[];

/** One member of an object: a leaf, or an object itself. */
interface Member {
  readonly key: string;
  /** Index of its value in `LeafValues`; 0 for an object. */
  readonly at: number;
  readonly isText: boolean;
  readonly below: readonly Member[] | undefined;
}

/** The common shape of records: names, order and kinds of values. */
export class Shape {
  /** Leaves in the order of their values: `leaves[0]` has `values[1]`. */
  readonly leaves: readonly Leaf[];
  /** Paths of the nested objects. */
  readonly objects: readonly string[];
  /** Index of the `uuid` in the values. */
  readonly uuid: number;
  /** Index of `run.state` in the values; 0 if there is no such string. */
  readonly state: number;
  /** Source of the regular expression: equal sources mean equal shapes. */
  readonly source: string;
  readonly #members: readonly Member[];
  readonly #names: ReadonlySet<string>;
  readonly #expression: RegExp;
  /** The same expression with the uuid as its only group, so that unused values are not kept. */
  readonly #scanner: RegExp;
  /** True once something has read the values of a record: it will probably read those of the next ones, too. */
  isRead = false;

  private constructor({ source, leaves, objects }: Draft, members: readonly Member[]) {
    this.leaves = leaves;
    this.objects = objects;
    this.#members = members;
    this.#names = new Set(members.map(({ key }) => key));
    const at = (path: readonly string[]): number => textAt(members, path);
    this.uuid = at(['uuid']);
    this.state = at(['run', 'state']);
    this.source = source;
    this.#expression = new RegExp(`^${source}$`);
    this.#scanner = new RegExp(`^${withOneGroup(source, this.uuid)}$`);
  }

  /**
   * Returns the shape of a record; undefined if it has nested arrays, a duplicate name, or no string `uuid`.
   * @param line the text of a valid JSON object
   */
  static of(line: string): Shape | undefined {
    const draft: Draft = { source: '', leaves: [], objects: [] };
    const members = addObject(draft, line, '');
    return members === undefined || textAt(members, ['uuid']) === 0 ? undefined : new Shape(draft, members);
  }

  /** Returns the values of a line, or undefined if it has another shape. */
  match(line: string): LeafValues | undefined {
    const values = this.#expression.exec(line) ?? undefined;
    if (values === undefined || !line.includes('\\')) return values;
    for (let i = 1; i < values.length; i++) {
      if (this.leaves[i - 1]?.isText !== true) continue;
      const text = values[i] as string;
      const first = text.indexOf('\\');
      if (first >= 0) values[i] = unescaped(text, first);
    }
    return values;
  }

  /** Returns the uuid of a line, or undefined if it has another shape. */
  scan(line: string): string | undefined {
    const uuid = this.#scanner.exec(line)?.[1];
    const first = uuid?.indexOf('\\') ?? -1;
    return first < 0 ? uuid : unescaped(uuid as string, first);
  }

  /** Returns whether records of this shape have a top-level attribute. */
  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Builds the object that `JSON.parse` returns for a line that matched. */
  fields(values: LeafValues): Record<string, unknown> {
    return build(this.#members, values);
  }
}

/** A shape under construction. */
interface Draft {
  source: string;
  readonly leaves: Leaf[];
  readonly objects: string[];
}

/** Maximum number of values; matching more is not fast. */
const MOST = 200;

/** Adds an object to a draft. @param prefix put before the paths in it */
function addObject(draft: Draft, text: string, prefix: string): Member[] | undefined {
  const members: Member[] = [];
  let from = 0;
  for (const { key, value, end } of membersOf(text)) {
    // `JSON.parse` keeps the last of duplicate names, and `__proto__` cannot be assigned.
    if (key === '__proto__' || members.some((other) => other.key === key)) return undefined;
    draft.source += literal(text.slice(from, value));
    const member = addValue(draft, text.slice(value, end), prefix + key, key);
    if (member === undefined) return undefined;
    members.push(member);
    from = end;
  }
  draft.source += literal(text.slice(from));
  return members;
}

function addValue(draft: Draft, raw: string, path: string, key: string): Member | undefined {
  const first = raw[0];
  const isList = first === '[';
  if ((isList && !IS_LIST.test(raw)) || draft.leaves.length === MOST) return undefined;
  if (first === '{') {
    draft.objects.push(path);
    const below = addObject(draft, raw, `${path}.`);
    return below && { key, at: 0, isText: false, below };
  }
  const isText = first === '"';
  draft.source += isText ? `"(${TEXT})"` : `(${isList ? LIST : SCALAR})`;
  const at = draft.leaves.push({ path, isText });
  return { key, at, isText, below: undefined };
}

/** Escapes text for a regular expression. */
function literal(text: string): string {
  return text.replace(/\W/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Returns the source of an expression with one of its groups, from 1, in place of all. Other parts have no such groups. */
function withOneGroup(source: string, kept: number): string {
  let group = 0;
  return source.replace(/\((?!\?)/g, () => (++group === kept ? '(' : '(?:'));
}

/** Returns the index of the string at a path in the values, or 0. */
function textAt(members: readonly Member[], [name, ...rest]: readonly string[]): number {
  const found = members.find(({ key }) => key === name);
  if (found === undefined) return 0;
  if (rest.length > 0) return textAt(found.below ?? [], rest);
  return found.isText ? found.at : 0;
}

/** Longest string that `unescaped` decodes without `JSON.parse`, whose fixed cost only matters for short strings. */
const SHORT = 1000;

const SIGNS: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/** Decodes the escapes of a string. @param first index of the first one */
function unescaped(text: string, first: number): string {
  if (text.length > SHORT) return JSON.parse(`"${text}"`) as string;
  let meant = '';
  let from = 0;
  for (let at = first; at >= 0; at = text.indexOf('\\', from)) {
    const sign = text.charAt(at + 1);
    meant += text.slice(from, at);
    from = at + (sign === 'u' ? 6 : 2);
    meant +=
      sign === 'u' ? String.fromCharCode(Number(`0x${text.slice(at + 2, from)}`)) : (SIGNS[sign] ?? sign);
  }
  return meant + text.slice(from);
}

function build(members: readonly Member[], values: LeafValues): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (let i = 0; i < members.length; i++) {
    const { key, at, isText, below } = members[i] as Member;
    if (below !== undefined) fields[key] = build(below, values);
    else fields[key] = isText ? owned(values[at] as string) : scalarOf(values[at] as string);
  }
  return fields;
}

/** Length from which V8 makes substrings as views. */
const SLICED = 13;

/** Copies a string: a view would keep the whole chunk of input in memory. */
function owned(text: string): string {
  return text.length < SLICED ? text : ` ${text}`.slice(1);
}

function scalarOf(text: string): unknown {
  if (text === 'null') return null;
  if (text.startsWith('[')) return JSON.parse(text);
  return text === 'true' ? true : text === 'false' ? false : Number(text);
}
