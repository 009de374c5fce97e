/* Ends of the tokens of JSON (RFC 8259). Each function returns 0 for text that it does not support, valid or not. */

import { BACKSLASH, nextStop, QUOTE } from '../bytes';

/** True if the last string has an escape. */
export let hasEscape: bool = false;

/**
 * Returns the address of the quote that ends a string. Only escapes that have no other spelling are supported.
 * @param from address just past the first quote
 */
export function stringEnd(from: usize): usize {
  let at = nextStop(from, QUOTE);
  hasEscape = false;
  while (load<u8>(at) === BACKSLASH) {
    if (!isLetter(load<u8>(at + 1))) return 0;
    hasEscape = true;
    at = nextStop(at + 2, QUOTE);
  }
  return load<u8>(at) === QUOTE ? at : 0;
}

/** Returns whether a byte after a backslash is how `JSON.stringify` writes a character: as in `\n`, but not in `\/`. */
function isLetter(byte: u8): bool {
  if (byte === QUOTE || byte === BACKSLASH) return true;
  return byte === 98 || byte === 102 || byte === 110 || byte === 114 || byte === 116; // b f n r t
}

/** Returns the address just past a number, `true`, `false` or `null`. */
export function scalarEnd(from: usize): usize {
  let at = from;
  let byte = load<u8>(at);
  if (byte === 45) byte = load<u8>(++at); // -
  if (byte === 48) at++;
  else if (isDigit(byte)) at = digitsEnd(at);
  else return at === from ? wordEnd(at) : 0;
  if (load<u8>(at) === 46) {
    if (!isDigit(load<u8>(++at))) return 0;
    at = digitsEnd(at);
  }
  if ((load<u8>(at) | 32) !== 101) return at; // e, E
  byte = load<u8>(++at);
  if (byte === 43 || byte === 45) byte = load<u8>(++at); // + -
  return isDigit(byte) ? digitsEnd(at) : 0;
}

function isDigit(byte: u8): bool {
  return byte >= 48 && byte <= 57;
}

function digitsEnd(from: usize): usize {
  let at = from;
  while (isDigit(load<u8>(at))) at++;
  return at;
}

function wordEnd(from: usize): usize {
  const word = load<u32>(from);
  if (word === 0x65757274 || word === 0x6c6c756e) return from + 4; // true, null
  return word === 0x736c6166 && load<u8>(from + 4) === 101 ? from + 5 : 0; // false
}
