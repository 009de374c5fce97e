/*
 * Finds the values of columns in records of JSON. The paths of the columns are a tree of names; each node keeps the place
 * of its value in the last record.
 */

import {
  BACKSLASH,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COMMA,
  nextStop,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  SPACE,
} from '../bytes';
import { nameEnd } from '../json/json-names';
import { decodeString, quoteAt } from '../json/respell';
import { scalarEnd } from '../json/scan-json';
import { MOST_LEVELS, SCRATCH } from '../layout';

const DOT: u8 = 46;
const NULL: u32 = 0x6c6c756e;

/** Offsets in a node: address and length of its name, address and number of its children, and whether it is a column. */
const NAME_AT: usize = 0;
const NAME_LENGTH: usize = 4;
const CHILD: usize = 8;
const CHILDREN: usize = 12;
const IS_COLUMN: usize = 16;
/** Number of the last record that has it, counted from 1; and the place and kind of its value there. */
const RECORD: usize = 20;
export const FROM: usize = 24;
export const BEFORE: usize = 28;
export const KIND: usize = 32;
/** 1 if a row was written with its value. */
export const IS_USED: usize = 36;
export const NODE: usize = 40;

/** Kinds of values: null; text without escapes; text with escapes; other JSON. */
export const NOTHING: u32 = 0;
export const TEXT: u32 = 1;
export const ESCAPED: u32 = 2;
export const OTHER: u32 = 3;

let nodes: usize = 0;
let isStrict: bool = false;
/** Number of the current record. */
let current: u32 = 0;
/** Position in the input; 0 after text that is not supported. */
let at: usize = 0;
/** True if the last string has an escape. */
let hasEscape: bool = false;
/** True if there was a space between two tokens. */
let hasSpace: bool = false;

/** Sets the tree: its nodes, the first of which is the root. @param strict 1 if an attribute without a column is not supported */
export function setTree(address: usize, strict: i32): void {
  nodes = address;
  isStrict = strict !== 0;
}

/** Finds the values of a record. Returns the address just past it, or 0 for text that is not supported. */
export function findCells(start: usize): usize {
  current++;
  at = start;
  if (load<u8>(at) !== OPEN_OBJECT) return 0;
  object(nodes, 1);
  return at;
}

/** Returns whether the last record has the value of a node. */
export function isFound(node: usize): bool {
  return load<u32>(node + RECORD) === current;
}

/** Reads an object whose node has children, or in which nothing is looked for if `node` is 0. */
function object(node: usize, level: i32): void {
  at++;
  if (load<u8>(at) === CLOSE_OBJECT) {
    at++;
    return;
  }
  let next: usize = 0;
  while (true) {
    const name = at + 1;
    const end = nameEnd(at);
    if (end === 0) {
      at = 0;
      return;
    }
    at = end + 2;
    skipSpace();
    if (node === 0) skipValue(level + 1);
    else {
      const child = childOf(node, name, end - name, next);
      if (child !== 0) {
        next = child + NODE;
        readValue(child, level + 1);
      } else if (hasDot(name, end) || (isStrict && load<u32>(at) !== NULL)) {
        at = 0;
        return;
      } else skipValue(level + 1);
    }
    if (at === 0) return;
    if (load<u8>(at) === CLOSE_OBJECT) break;
    if (!skipComma()) return;
  }
  at++;
}

/** Returns the child with a name, or 0. @param expected node that is compared first: most records have one order */
function childOf(node: usize, name: usize, length: usize, expected: usize): usize {
  const first = load<u32>(node + CHILD);
  const before = first + NODE * load<u32>(node + CHILDREN);
  if (expected !== 0 && expected < before && isNamed(expected, name, length)) return expected;
  for (let child: usize = first; child < before; child += NODE)
    if (isNamed(child, name, length)) return child;
  return 0;
}

function isNamed(node: usize, name: usize, length: usize): bool {
  if (load<u32>(node + NAME_LENGTH) !== <u32>length) return false;
  const known = load<u32>(node + NAME_AT);
  for (let i: usize = 0; i < length; i++) if (load<u8>(known + i) !== load<u8>(name + i)) return false;
  return true;
}

/** Returns whether a name has a dot: it may be the path of a column, too. */
function hasDot(from: usize, before: usize): bool {
  for (let i = from; i < before; i++) if (load<u8>(i) === DOT) return true;
  return false;
}

/** Reads the value of a node. */
function readValue(node: usize, level: i32): void {
  if (isFound(node)) {
    at = 0;
    return;
  } // a name twice
  store<u32>(node + RECORD, current);
  store<u32>(node + KIND, NOTHING);
  const first = load<u8>(at);
  const from = at;
  if (first === OPEN_OBJECT && load<u32>(node + CHILDREN) !== 0) {
    if (level > MOST_LEVELS) at = 0;
    else object(node, level);
    return;
  }
  hasSpace = false;
  skipValue(level);
  if (at === 0) return;
  if (isStrict && load<u32>(node + IS_COLUMN) === 0) {
    at = 0;
    return;
  }
  if (first === QUOTE) place(node, from + 1, at - 1, hasEscape ? ESCAPED : TEXT);
  else if (load<u32>(from) !== NULL) place(node, from, at, OTHER);
}

function place(node: usize, from: usize, before: usize, kind: u32): void {
  if (kind === OTHER && hasSpace) {
    at = 0;
    return;
  }
  store<u32>(node + FROM, <u32>from);
  store<u32>(node + BEFORE, <u32>before);
  store<u32>(node + KIND, kind);
}

/** Reads a value. */
function skipValue(level: i32): void {
  const first = load<u8>(at);
  if (first === QUOTE) {
    const end = textEnd(at + 1);
    at = end === 0 ? 0 : end + 1;
  } else if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
    if (level > MOST_LEVELS) at = 0;
    else if (first === OPEN_OBJECT) object(0, level);
    else skipArray(level);
  } else at = scalarEnd(at);
}

function skipArray(level: i32): void {
  at++;
  if (load<u8>(at) !== CLOSE_ARRAY) {
    while (true) {
      skipValue(level + 1);
      if (at === 0) return;
      if (load<u8>(at) === CLOSE_ARRAY) break;
      if (!skipComma()) return;
    }
  }
  at++;
}

function skipComma(): bool {
  if (load<u8>(at) !== COMMA) {
    at = 0;
    return false;
  }
  at++;
  skipSpace();
  return true;
}

function skipSpace(): void {
  if (load<u8>(at) !== SPACE) return;
  at++;
  hasSpace = true;
}

/** Returns the address of the quote that ends a text, and sets `hasEscape`; 0 for text that is not supported. */
function textEnd(from: usize): usize {
  const end = nextStop(from, QUOTE);
  hasEscape = load<u8>(end) === BACKSLASH;
  if (hasEscape) return decodeString(from, SCRATCH) === 0 ? 0 : quoteAt;
  return load<u8>(end) === QUOTE ? end : 0;
}
