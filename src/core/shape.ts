import { membersOf } from './members.ts';

/*
 * Records of one source mostly look alike: the same names in the same order, and only the values differ. Once a few
 * were parsed, an expression made of one of them reads the others in a fifth of the time of `JSON.parse`, and says
 * where each value stands; no object is made until somebody asks for it. (The idea is that of speculative parsing:
 * Li et al., "Mison: a fast JSON parser for data analytics", VLDB 2017.) What it matches is JSON for sure: the text
 * between the values is that of a record that was parsed, and values are strings, numbers, true, false, null, or
 * arrays of these. All else is left to `JSON.parse`.
 */

/** A string without its quotes (RFC 8259, section 7). Few have escapes, so what lies between two is taken at once. */
const PLAIN = '[^"\\\\\\x00-\\x1f]*';
const TEXT = `${PLAIN}(?:\\\\(?:["\\\\/bfnrt]|u[0-9a-fA-F]{4})${PLAIN})*`;
/** Any other value that has nothing nested (RFC 8259, section 6). */
const SCALAR = '-?(?:0|[1-9]\\d*)(?:\\.\\d+)?(?:[eE][+-]?\\d+)?|true|false|null';
/** An array of these, without white space. */
const ITEM = `(?:"${TEXT}"|${SCALAR})`;
const LIST = `\\[(?:${ITEM}(?:,${ITEM})*)?\\]`;
const IS_LIST = new RegExp(`^${LIST}$`);

/** A value that is no object, and no array of such or of arrays. */
export interface Leaf {
  /** The names that lead to it, with dots between them. */
  readonly path: string;
  /** Whether it is a string. */
  readonly isText: boolean;
}

/** What matched: the values of the leaves, from 1: strings as they are meant, others as they are written. */
export type Values = readonly string[];

/** One member of an object: a leaf, or an object itself. */
interface Member {
  readonly key: string;
  /** Where its value is among the `Values`; 0 for an object. */
  readonly at: number;
  readonly isText: boolean;
  readonly below: readonly Member[] | undefined;
}

/** What records that look alike have in common. */
export class Shape {
  /** In the order of their values: that of `leaves[0]` is `values[1]`. */
  readonly leaves: readonly Leaf[];
  /** The paths of the objects in it. */
  readonly objects: readonly string[];
  /** Where the `uuid` is among the values. */
  readonly uuid: number;
  /** Where `run.state` is; 0 where there is no such string. */
  readonly state: number;
  /** Two of the same source are the same. */
  readonly source: string;
  readonly #members: readonly Member[];
  readonly #names: ReadonlySet<string>;
  readonly #expression: RegExp;

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
  }

  /**
   * The shape of a record; undefined where it has none that is of use: an array, a name twice, no text as `uuid`.
   * @param line a JSON object that `JSON.parse` takes
   */
  static of(line: string): Shape | undefined {
    const draft: Draft = { source: '', leaves: [], objects: [] };
    const members = addObject(draft, line, '');
    return members === undefined || textAt(members, ['uuid']) === 0 ? undefined : new Shape(draft, members);
  }

  /** The values of a line, or undefined where it looks otherwise. */
  match(line: string): Values | undefined {
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

  /** Whether the record itself has such an attribute. */
  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** What `JSON.parse` makes of a line that matched. */
  fields(values: Values): Record<string, unknown> {
    return build(this.#members, values);
  }
}

/** What is gathered for a shape. */
interface Draft {
  source: string;
  readonly leaves: Leaf[];
  readonly objects: string[];
}

/** More values than this are no longer quick to match. */
const MOST = 200;

/** Adds the text of an object. @param prefix of the paths in it */
function addObject(draft: Draft, text: string, prefix: string): Member[] | undefined {
  const members: Member[] = [];
  let from = 0;
  for (const { key, value, end } of membersOf(text)) {
    // A name that comes twice counts once, and `__proto__` can't be assigned.
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

/** An expression for this text alone. */
function literal(text: string): string {
  return text.replace(/\W/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Where the string at a path is among the values, or 0. */
function textAt(members: readonly Member[], [name, ...rest]: readonly string[]): number {
  const found = members.find(({ key }) => key === name);
  if (found === undefined) return 0;
  if (rest.length > 0) return textAt(found.below ?? [], rest);
  return found.isText ? found.at : 0;
}

/** `JSON.parse` takes half a microsecond for any string, which is much for a short one, and little for a long one. */
const SHORT = 1000;

const SIGNS: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/** What a string with escapes means. @param first where the first one is */
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

function build(members: readonly Member[], values: Values): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (let i = 0; i < members.length; i++) {
    const { key, at, isText, below } = members[i] as Member;
    if (below !== undefined) fields[key] = build(below, values);
    else fields[key] = isText ? owned(values[at] as string) : scalarOf(values[at] as string);
  }
  return fields;
}

/** A string that is shorter is a copy anyway. */
const SLICED = 13;

/** A string of its own: V8 makes longer ones as views, which would keep the whole chunk of input in memory. */
function owned(text: string): string {
  return text.length < SLICED ? text : ` ${text}`.slice(1);
}

function scalarOf(text: string): unknown {
  if (text === 'null') return null;
  if (text.startsWith('[')) return JSON.parse(text);
  return text === 'true' ? true : text === 'false' ? false : Number(text);
}
