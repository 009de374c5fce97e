/*
 * Canonical JSON text: the same for all texts of the same value. Names are sorted by code point, at every level; white
 * space is removed; strings are written as `JSON.stringify` and Python's `json.dumps(..., ensure_ascii=False)` write
 * them; numbers keep their digits. All functions expect text that `JSON.parse` accepts.
 */

/** Members of an object: names, and their values as canonical JSON text. */
export type CanonicalMembers = ReadonlyMap<string, string>;

/** Returns the canonical text of a JSON value. */
export function canonicalJson(text: string): string {
  return new Scanner(text).value();
}

/** Returns the members of an object's text. The last of duplicate names wins, as with `JSON.parse`. */
export function canonicalMembers(text: string): Map<string, string> {
  return new Scanner(text).members();
}

/** Returns the canonical text of an object that has these members. */
export function canonicalObject(members: CanonicalMembers): string {
  const names = [...members.keys()].sort(byCodePoint);
  let text = '{';
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string;
    text += i === 0 ? quotedName(name) : `,${quotedName(name)}`;
    text += members.get(name);
  }
  return `${text}}`;
}

/** Names with quotes and a colon: most records have the names of earlier ones. */
const quotedNames = new Map<string, string>();
/** Number of names that are kept: names may be made from data. */
const KEPT = 1000;

function quotedName(name: string): string {
  const known = quotedNames.get(name);
  if (known !== undefined) return known;
  const quoted = `${JSON.stringify(name)}:`;
  if (quotedNames.size < KEPT && name.length < KEPT) quotedNames.set(name, quoted);
  return quoted;
}

/**
 * Returns whether canonical text has half of a surrogate pair, which UTF-8 cannot express. `JSON.stringify`
 * writes one as `\udXXX`, and all other characters above U+001F unescaped.
 */
export function hasHalf(canonical: string): boolean {
  return canonical.includes('\\ud') && /(?<!\\)(?:\\\\)*\\ud/.test(canonical);
}

/** Compares texts by code point, as Python's `sorted` does. `<` compares UTF-16 units: an emoji comes before U+FFFD. */
export function byCodePoint(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = rank(a.charCodeAt(i)) - rank(b.charCodeAt(i));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/**
 * Returns the rank of a UTF-16 unit. Surrogates, which are parts of the highest code points, rank above all
 * other units.
 */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

const QUOTE = 34;
const COMMA = 44;
const OPEN_ARRAY = 91;
const BACKSLASH = 92;
const CLOSE_ARRAY = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

/** Scanner that reads a text once, from the beginning to the end. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): string {
    this.#skipSpace();
    const code = this.#text.charCodeAt(this.#at);
    if (code === QUOTE) return this.#string();
    if (code === OPEN_OBJECT) return canonicalObject(this.members());
    return code === OPEN_ARRAY ? this.#array() : this.#word();
  }

  members(): Map<string, string> {
    const members = new Map<string, string>();
    this.#skipSpace();
    this.#at++;
    while (!this.#isPast(CLOSE_OBJECT)) {
      const token = this.#string();
      const name = token.includes('\\') ? (JSON.parse(token) as string) : token.slice(1, -1);
      this.#skipSpace();
      this.#at++; // the colon
      members.set(name, this.value());
    }
    return members;
  }

  #array(): string {
    const items: string[] = [];
    this.#at++;
    while (!this.#isPast(CLOSE_ARRAY)) items.push(this.value());
    return `[${items.join(',')}]`;
  }

  /** Moves to the next member or item, or past the closing bracket. Returns whether it was the bracket. */
  #isPast(close: number): boolean {
    this.#skipSpace();
    if (this.#text.charCodeAt(this.#at) === COMMA) {
      this.#at++;
      this.#skipSpace();
    }
    const isClosed = this.#text.charCodeAt(this.#at) === close;
    if (isClosed) this.#at++;
    return isClosed;
  }

  #string(): string {
    const text = this.#text;
    const start = this.#at;
    let end = text.indexOf('"', start + 1);
    while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
    this.#at = end + 1;
    const token = text.slice(start, this.#at);
    return token.includes('\\') ? JSON.stringify(JSON.parse(token)) : token;
  }

  /** Reads a number, `true`, `false` or `null`. */
  #word(): string {
    const start = this.#at;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      const isEnd = code === COMMA || code === CLOSE_ARRAY || code === CLOSE_OBJECT;
      if (isEnd || code <= 32 || Number.isNaN(code)) break;
      this.#at++;
    }
    return this.#text.slice(start, this.#at);
  }

  #skipSpace(): void {
    while (this.#text.charCodeAt(this.#at) <= 32) this.#at++;
  }
}

/**
 * Returns whether the quote at `quote` is part of the string: it is if an odd number of backslashes precedes
 * it.
 */
function isEscaped(text: string, quote: number): boolean {
  let at = quote - 1;
  while (text.charCodeAt(at) === BACKSLASH) at--;
  return (quote - at) % 2 === 0;
}
