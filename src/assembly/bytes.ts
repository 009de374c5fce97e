/* Bytes that CSV or JSON treat in a special way, and the search for them. */

export const QUOTE: u8 = 34;
export const BACKSLASH: u8 = 92;
export const RETURN: u8 = 13;
export const NEWLINE: u8 = 10;
export const SPACE: u8 = 32;
export const COMMA: u8 = 44;
export const COLON: u8 = 58;
export const OPEN_ARRAY: u8 = 91;
export const CLOSE_ARRAY: u8 = 93;
export const OPEN_OBJECT: u8 = 123;
export const CLOSE_OBJECT: u8 = 125;

/** Returns the next byte that is below 32, a quote, a backslash or `other`. The last byte of the input is one. */
export function nextStop(from: usize, other: u8): usize {
  const others = i8x16.splat(other);
  let at = from;
  while (true) {
    const bytes = v128.load(at);
    const marks = v128.or(i8x16.eq(bytes, i8x16.splat(QUOTE)), i8x16.eq(bytes, i8x16.splat(BACKSLASH)));
    const controls = v128.or(i8x16.lt_u(bytes, i8x16.splat(32)), i8x16.eq(bytes, others));
    const stops = i8x16.bitmask(v128.or(marks, controls));
    if (stops !== 0) return at + ctz(stops);
    at += 16;
  }
}
