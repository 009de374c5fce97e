/* Strings of JSON that have several spellings: writes the canonical one, that of `JSON.stringify`, or the text itself. */

import { BACKSLASH, NEWLINE, nextStop, QUOTE, RETURN } from '../bytes';

const LETTER_U: u8 = 117;
/** `\u`, as a 16-bit number. */
const CODE: u16 = 0x755c;

/** End of what is written. */
let to: usize = 0;
/** True if the text itself is written. */
let isText: bool = false;

/** Writes the canonical spelling of a string to `target`. Returns its end. @see readString */
export function respell(from: usize, target: usize): usize {
  return readString(from, target, false);
}

/** Writes the text of a string to `target`, as UTF-8. Returns its end. @see readString */
export function decodeString(from: usize, target: usize): usize {
  return readString(from, target, true);
}

/** Address of the quote that ends the last string. */
export let quoteAt: usize = 0;

/**
 * Writes what a string stands for, which is never longer than the string. Returns its end; 0 if the string is invalid or
 * has half of a surrogate pair.
 * @param from address just past the first quote
 * @param target has room for 16 more bytes
 */
function readString(from: usize, target: usize, asText: bool): usize {
  to = target;
  isText = asText;
  let at = from;
  while (at !== 0) {
    const stop = load<u8>(at) === BACKSLASH ? at : nextStop(at, QUOTE);
    copy(at, stop - at);
    if (load<u8>(stop) !== BACKSLASH) {
      quoteAt = stop;
      return load<u8>(stop) === QUOTE ? to : 0;
    }
    at = readEscape(stop + 1);
  }
  return 0;
}

function copy(from: usize, length: usize): void {
  if (length > 256) memory.copy(to, from, length);
  else for (let i: usize = 0; i < length; i += 16) v128.store(to + i, v128.load(from + i));
  to += length;
}

/** Writes what an escape stands for. Returns the address just past it, or 0. @param at address just past the backslash */
function readEscape(at: usize): usize {
  const letter = load<u8>(at);
  if (letter === LETTER_U) return readCode(at + 1);
  const byte = byteOf(letter);
  if (byte === 0) return 0;
  putByte(byte);
  return at + 1;
}

/** Returns the byte that a letter after a backslash stands for, or 0. */
function byteOf(letter: u8): u8 {
  if (letter === QUOTE || letter === BACKSLASH || letter === 47) return letter; // the slash
  if (letter === 110) return NEWLINE; // n
  if (letter === 114) return RETURN; // r
  if (letter === 116) return 9; // t
  if (letter === 98) return 8; // b
  return letter === 102 ? 12 : 0; // f
}

/** Reads the digits of an escape by number, and those of the second half of a surrogate pair. */
function readCode(from: usize): usize {
  let code = hexOf(from);
  let at = from + 4;
  if ((code & 0xf800) === 0xd800) {
    if (code >= 0xdc00 || load<u16>(at) !== CODE) return 0;
    const low = hexOf(at + 2);
    if ((low & ~0x3ff) !== 0xdc00) return 0;
    code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
    at += 6;
  }
  if (code < 0) return 0;
  if (code < 0x80) putByte(<u8>code);
  else putCharacter(code);
  return at;
}

/** Returns the number of four hexadecimal digits; -1 if they are not digits. */
function hexOf(at: usize): i32 {
  const word = load<u32>(at);
  const bytes = i32x4.splat(word);
  const letters = v128.or(bytes, i8x16.splat(32));
  const isDigit = i8x16.lt_u(i8x16.sub(bytes, i8x16.splat(48)), i8x16.splat(10));
  const isLetter = i8x16.lt_u(i8x16.sub(letters, i8x16.splat(97)), i8x16.splat(6)); // a to f
  if (!i8x16.all_true(v128.or(isDigit, isLetter))) return -1;
  const digits = (word & 0x0f0f0f0f) + 9 * ((word >> 6) & 0x01010101);
  const pairs = (digits << 4) | (digits >> 8);
  return ((pairs & 0xff) << 8) | ((pairs >> 16) & 0xff);
}

/** Writes a character of ASCII. */
function putByte(byte: u8): void {
  const isPlain = byte >= 32 && byte !== QUOTE && byte !== BACKSLASH;
  if (isPlain || isText) store<u8>(to++, byte);
  else to = writeEscape(byte, to);
}

/** Writes a character above ASCII in UTF-8. */
function putCharacter(code: u32): void {
  const last = 0x80 | (code & 0x3f);
  if (code < 0x800) {
    store<u16>(to, <u16>(0xc0 | (code >> 6) | (last << 8)));
    to += 2;
    return;
  }
  const third = 0x80 | ((code >> 6) & 0x3f);
  if (code < 0x10000) {
    store<u32>(to, 0xe0 | (code >> 12) | (third << 8) | (last << 16));
    to += 3;
    return;
  }
  store<u32>(to, 0xf0 | (code >> 18) | ((0x80 | ((code >> 12) & 0x3f)) << 8) | (third << 16) | (last << 24));
  to += 4;
}

/** Writes the escape of a byte to `target`, which has room for 6 bytes. Returns its end. */
export function writeEscape(byte: u8, target: usize): usize {
  store<u8>(target, BACKSLASH);
  const letter = letterOf(byte);
  if (letter !== 0) {
    store<u8>(target + 1, letter);
    return target + 2;
  }
  store<u32>(target + 1, 0x30303075); // u000
  store<u8>(target + 4, 48 + (byte >> 4));
  const low: u8 = byte & 15;
  store<u8>(target + 5, low < 10 ? 48 + low : 87 + low);
  return target + 6;
}

/** Returns the letter that stands for a byte after a backslash, or 0. */
function letterOf(byte: u8): u8 {
  if (byte === QUOTE || byte === BACKSLASH) return byte;
  if (byte === NEWLINE) return 110; // n
  if (byte === RETURN) return 114; // r
  if (byte === 9) return 116; // t
  if (byte === 8) return 98; // b
  return byte === 12 ? 102 : 0; // f
}
