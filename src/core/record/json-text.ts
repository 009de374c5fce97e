/**
 * Functions that read and edit the text of a JSON object without serializing it again, so that members that a
 * stage does not own keep their bytes. All of them except `minify`, `opensDeeper` and `elementsOf` expect
 * text that `JSON.parse` accepts as an object.
 */

/** One top-level member of an object's text: `text.slice(start, end)` is `"key" : value`. */
export interface Member {
  /** The key, unescaped. */
  readonly key: string;
  readonly start: number;
  /** Index at which the value begins. */
  readonly value: number;
  readonly end: number;
}

const QUOTE = 34;
const BACKSLASH = 92;

/** Returns the index of the first character from `from` on that is not white space. */
export function skipSpace(text: string, from: number): number {
  let i = from;
  while (text.charCodeAt(i) <= 32) i++;
  return i;
}

/** Returns the index just past the string that begins at `from`. */
export function skipString(text: string, from: number): number {
  let i = text.indexOf('"', from + 1);
  for (;;) {
    let slashes = 0;
    while (text.charCodeAt(i - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return i + 1;
    i = text.indexOf('"', i + 1);
  }
}

/** Returns the index just past the value that begins at `from`. */
export function skipValue(text: string, from: number): number {
  let i = from;
  let depth = 0;
  for (;;) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      i = skipString(text, i);
      if (depth === 0) return i;
      continue;
    }
    if (c === 123 || c === 91) depth++;
    else if (c === 125 || c === 93) {
      if (depth === 0) return i;
      if (--depth === 0) return i + 1;
    } else if (depth === 0 && (c === 44 || c <= 32)) return i;
    else if (Number.isNaN(c)) return i;
    i++;
  }
}

/** Returns the top-level members of an object's text, in order. */
export function membersOf(text: string): Member[] {
  const members: Member[] = [];
  let i = skipSpace(text, text.indexOf('{') + 1);
  while (text.charCodeAt(i) === QUOTE) {
    const start = i;
    i = skipString(text, i);
    const quoted = text.slice(start, i);
    const key = quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
    const value = skipSpace(text, text.indexOf(':', i) + 1);
    const end = skipValue(text, value);
    members.push({ key, start, value, end });
    i = skipSpace(text, end);
    if (text.charCodeAt(i) === 44) i = skipSpace(text, i + 1);
  }
  return members;
}

/** Returns the texts of the elements of an array's text, in order. */
export function elementsOf(text: string): string[] {
  return elementsFrom(text, text.indexOf('[')).elements;
}

/** Returns the texts of the elements of the array that begins at `from`, in order, and the index just past it. */
export function elementsFrom(text: string, from: number): { elements: string[]; end: number } {
  const elements: string[] = [];
  let i = skipSpace(text, from + 1);
  while (text.charCodeAt(i) !== 93) {
    const end = skipValue(text, i);
    elements.push(text.slice(i, end));
    i = skipSpace(text, end);
    if (text.charCodeAt(i) === 44) i = skipSpace(text, i + 1);
  }
  return { elements, end: i + 1 };
}

/**
 * Returns an object's text without the members for which `drop` returns true. All else keeps its bytes,
 * including white space.
 */
export function withoutMembers(text: string, drop: (key: string) => boolean): string {
  let kept = '';
  let from = 0;
  let lastKept = -1; // end of the last kept member in `kept`
  const members = membersOf(text);
  for (const [i, member] of members.entries()) {
    const next = members[i + 1];
    if (!drop(member.key)) {
      kept += text.slice(from, member.end);
      lastKept = kept.length;
      from = member.end;
    } else if (next !== undefined) {
      kept += text.slice(from, member.start);
      from = next.start;
    } else {
      // The last member is removed together with the comma before it.
      if (lastKept >= 0) kept = kept.slice(0, lastKept);
      else kept += text.slice(from, member.start);
      from = member.end;
    }
  }
  return kept + text.slice(from);
}

/** Text whose white space is all inside of strings. */
const COMPACT = /^[^"\s]*(?:"[^"\\]*(?:\\.[^"\\]*)*"[^"\s]*)*$/;
/** Length from which a text is not matched: the stack of regular expressions is limited. */
const LONG = 64 * 1024;

/**
 * Returns JSON text on one line: white space between tokens is removed, and every token keeps its bytes.
 * @param text any valid JSON text
 */
export function minify(text: string): string {
  if (!hasSpace(text) || (text.length < LONG && COMPACT.test(text))) return text;
  const parts: string[] = [];
  // String by string: a single regular expression over the whole text fails for a string of 16 MB.
  for (let i = 0; i < text.length; ) {
    const quote = text.indexOf('"', i);
    const end = quote < 0 ? text.length : quote;
    const between = text.slice(i, end);
    parts.push(hasSpace(between) ? between.replace(/\s+/g, '') : between);
    i = quote < 0 ? end : skipString(text, quote);
    if (quote >= 0) parts.push(text.slice(quote, i));
  }
  return parts.join('');
}

/** Returns whether a text has white space. Four searches for a character are faster than one for a class. */
function hasSpace(text: string): boolean {
  return text.includes(' ') || text.includes('\n') || text.includes('\t') || text.includes('\r');
}

/** Returns whether text, JSON or not, has more than `levels` brackets open at once. */
export function opensDeeper(text: string, levels: number): boolean {
  let depth = 0;
  let isQuoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) isQuoted = !isQuoted;
    else if (isQuoted) {
      if (c === BACKSLASH) i++;
    } else if (c === 123 || c === 91) {
      if (++depth > levels) return true;
    } else if (c === 125 || c === 93) depth--;
  }
  return false;
}
