/*
 * Regular expressions for JSON (RFC 8259). V8 compiles them to machine code: checking a record with one takes a fifth of the
 * time of `JSON.parse`, which builds an object that much work never looks at. The benchmark rows `exec-nested` and
 * `save-nested` justify it. No part of them has two ways to match one text, so text that does not match takes linear time.
 */

/** Part of a string without escapes. */
const PLAIN = '[^"\\\\\\x00-\\x1f]*';
/** A string without its quotes (section 7). The pattern is fast for text without escapes. */
export const TEXT = `${PLAIN}(?:\\\\(?:["\\\\/bfnrt]|u[0-9a-fA-F]{4})${PLAIN})*`;
/** A number, true, false or null (sections 3 and 6). */
export const SCALAR = '-?(?:0|[1-9]\\d*)(?:\\.\\d+)?(?:[eE][+-]?\\d+)?|true|false|null';

/** Levels of objects and arrays in a record that `checkedUuid` reads. */
const LEVELS = 4;

/** Returns a pattern of values of at most this many levels, with at most one space after a comma or colon. */
function valuePattern(levels: number): string {
  if (levels === 0) return `(?:"${TEXT}"|${SCALAR})`;
  const inner = valuePattern(levels - 1);
  // A comma is not the last character; without a comma the end follows.
  const items = (item: string, end: string): string => `(?:${item}(?:, ?(?!${end})|(?=${end})))*${end}`;
  return `(?:"${TEXT}"|${SCALAR}|\\{${items(`"${TEXT}": ?${inner}`, '\\}')}|\\[${items(inner, '\\]')})`;
}

/** A member that is not the uuid. Its name has no escapes, so it cannot be a `uuid` in another spelling. */
const MEMBER = `"(?!uuid")${PLAIN}": ?${valuePattern(LEVELS - 1)}`;
const RECORD = new RegExp(`^\\{(?:${MEMBER}, ?)*"uuid": ?"(${TEXT})"(?:, ?${MEMBER})*\\}$`);

/** Length from which a text is not checked: the stack of regular expressions is limited. */
const LONG = 64 * 1024;

/**
 * Returns the uuid of a record, if its text is certain to be a JSON object with one `uuid` that is a string. Returns undefined
 * for other text, and for some that `JSON.parse` must read: deep, long or laid out text.
 */
export function checkedUuid(line: string): string | undefined {
  if (line.length >= LONG) return undefined;
  const uuid = RECORD.exec(line)?.[1];
  return uuid?.includes('\\') ? (JSON.parse(`"${uuid}"`) as string) : uuid;
}
