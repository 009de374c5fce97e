/*
 * Regular expressions for JSON (RFC 8259). V8 compiles them to machine code: a check by regular expression takes a
 * fifth of the time of `JSON.parse`, which builds an object that is often not needed. The benchmark rows
 * `exec-nested` and `save-nested` justify it. No part of them can match a text in two ways, so text that does not
 * match takes linear time.
 */

/** Part of a string without escapes. */
const PLAIN = '[^"\\\\\\x00-\\x1f]*';
/** A string without its quotes (section 7). The pattern is fast for text without escapes. */
export const TEXT = `${PLAIN}(?:\\\\(?:["\\\\/bfnrt]|u[0-9a-fA-F]{4})${PLAIN})*`;
/** A number, true, false or null (sections 3 and 6). */
export const SCALAR = '-?(?:0|[1-9]\\d*)(?:\\.\\d+)?(?:[eE][+-]?\\d+)?|true|false|null';

/** Levels of objects and arrays in a record that are read. */
const LEVELS = 4;

/** Returns a pattern of values of at most this many levels, with at most one space after a comma or colon. */
function valuePattern(levels: number): string {
  if (levels === 0) return `(?:"${TEXT}"|${SCALAR})`;
  const inner = valuePattern(levels - 1);
  // A comma is not the last character; without a comma the end follows.
  const items = (item: string, end: string): string => `(?:${item}(?:, ?(?!${end})|(?=${end})))*${end}`;
  return `(?:"${TEXT}"|${SCALAR}|\\{${items(`"${TEXT}": ?${inner}`, '\\}')}|\\[${items(inner, '\\]')})`;
}

/**
 * Returns a pattern of a member with another name than this one. The name in the text has no escapes, so it cannot be
 * this name in another spelling.
 */
function memberExcept(name: string): string {
  return `"(?!${name}")${PLAIN}": ?${valuePattern(LEVELS - 1)}`;
}

/** Length from which a text is not checked: the stack of regular expressions is limited. */
const LONG = 64 * 1024;

/**
 * Number of texts that `JSON.parse` reads first: compiling an expression takes as long as parsing a thousand texts.
 */
const PATIENCE = 500;

/** Returns a function that matches an expression, which is compiled after enough texts. */
function patient(source: () => string, patience: number): (text: string) => RegExpExecArray | null {
  let left = patience;
  let expression: RegExp | undefined;
  return (text) => {
    if (text.length >= LONG || left-- > 0) return null;
    left = 0;
    expression ??= new RegExp(source());
    return expression.exec(text);
  };
}

/**
 * Returns a function that returns the value of a name in a record, if the record is certain to be a JSON object with one
 * member of this name, a string. It returns undefined for other text, and for some that `JSON.parse` must read: deep, long
 * or laid out text, and the first ones.
 * @param name of letters, digits and `_`
 * @param patience number of texts for which it returns undefined
 */
export function stringFinder(name: string, patience = PATIENCE): (record: string) => string | undefined {
  const match = patient(() => {
    const other = memberExcept(name);
    return `^\\{(?:${other}, ?)*"${name}": ?"(${TEXT})"(?:, ?${other})*\\}$`;
  }, patience);
  return (record) => {
    const value = match(record)?.[1];
    return value?.includes('\\') ? (JSON.parse(`"${value}"`) as string) : value;
  };
}

/**
 * Returns a function that returns true if a text is certain to be a JSON object that is not empty. It returns false for some
 * that `JSON.parse` must read: deep, long or laid out text, and the first ones.
 * @param patience number of texts for which it returns false
 */
export function recordChecker(patience = PATIENCE): (record: string) => boolean {
  const member = (): string => `"${TEXT}": ?${valuePattern(LEVELS - 1)}`;
  const match = patient(() => `^\\{(?:${member()}(?:, ?(?!\\})|(?=\\})))+\\}$`, patience);
  return (record) => match(record) !== null;
}
