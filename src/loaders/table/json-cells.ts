/*
 * Bytes of cells as JSON text. Most cells are the same bytes in JSON; the others have characters that JSON escapes, or
 * quotes that the file doubles.
 */

const QUOTE = 34;
const BACKSLASH = 92;

/** Kinds of cells: the same bytes in JSON, an unquoted cell with escapes, and a quoted one with escapes. */
export const SAME = 0;
export const UNQUOTED = 1;
export const QUOTED = 2;

/** Maximum number of bytes by which the JSON text of one byte is longer than the byte, as for `\u0001`. */
export const MOST_ADDED = 5;

/** Table of bytes: 1 if JSON must escape the byte. */
export const escapedBytes: Uint8Array = new Uint8Array(256).fill(1, 0, 0x20);
escapedBytes[QUOTE] = 1;
escapedBytes[BACKSLASH] = 1;

/** JSON text of the bytes that it must escape. */
const ESCAPES: readonly Buffer[] = Array.from({ length: BACKSLASH + 1 }, (_, byte) =>
  Buffer.from(JSON.stringify(String.fromCharCode(byte)).slice(1, -1)),
);

/** Number of bytes above which a call copies faster than a loop. */
const MANY = 100;

/** Copies bytes. Returns the end of the copy. */
export function put(bytes: Buffer, from: number, before: number, to: Buffer, at: number): number {
  if (before - from > MANY) return at + bytes.copy(to, at, from, before);
  let end = at;
  for (let i = from; i < before; i++) to[end++] = bytes[i] as number;
  return end;
}

/** Copies the bytes of a cell of a kind that is not `SAME` as JSON text. Returns the end of the copy. */
export function putEscaped(
  bytes: Buffer,
  from: number,
  before: number,
  to: Buffer,
  at: number,
  kind: number,
): number {
  let end = at;
  for (let next = from; next < before; ) {
    let stop = next;
    while (stop < before && escapedBytes[bytes[stop] as number] === 0) stop++;
    end = put(bytes, next, stop, to, end);
    if (stop === before) break;
    const byte = bytes[stop] as number;
    const json = ESCAPES[byte] as Buffer;
    end = put(json, 0, json.length, to, end);
    next = stop + (byte === QUOTE && kind === QUOTED ? 2 : 1); // a doubled quote is one
  }
  return end;
}
