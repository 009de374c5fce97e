import { isUtf8 } from 'node:buffer';
import type { IdSet } from '../../core/ids/index.ts';
import { uuidFault } from '../../core/record/task.ts';
import type { Entry, Seal } from '../contract.ts';

/**
 * A line of a ledger: `{"uuid","at"}`, from a saver also `"out"`, and for files `"end"`. `"undone":true`
 * takes the uuid back; with `"out"`, its row is no longer in that output either. A line with `"out"` and
 * `"end"` but no `"uuid"` states the size up to which an output is known. At the end of a run it also has the
 * seal (`"stamp"`, `"rows"`, `"uuids"`).
 */
export interface LedgerLine {
  readonly uuid: string | undefined;
  readonly undone: boolean;
  readonly out: string | undefined;
  readonly end: number | undefined;
  readonly seal: Seal | undefined;
}

/**
 * Returns the text of lines, each with its newline.
 * @param out name of the output that the lines are about
 */
export function linesOf(entries: readonly Entry[], out: string | undefined, at: string): string {
  const after = `,"at":"${at}"`;
  const place = out === undefined ? '' : `,"out":${JSON.stringify(out)}`;
  let text = '';
  for (const { uuid, undone, gone, end } of entries) {
    text += `{"uuid":${JSON.stringify(uuid)}`;
    if (undone) text += `,"undone":true${after}${gone ? place : ''}}\n`;
    else text += `${after}${place}${place === '' || end === undefined ? '' : `,"end":${end}`}}\n`;
  }
  return text;
}

/** Characters that JSON may escape in a string. */
const ESCAPED = /["\\\p{Cc}\p{Cs}]/u;

/** Returns the text of lines for rows; see `LedgerWriter.appendRows`. */
export function linesOfRows(
  uuids: readonly string[],
  ends: readonly number[],
  from: number,
  out: string | undefined,
  at: string,
): string {
  const isPlain = !ESCAPED.test(uuids.join(' '));
  const place = out === undefined ? '' : `,"out":${JSON.stringify(out)}`;
  const after = `,"at":"${at}"${place}`;
  const placed = place === '' ? undefined : `"${after},"end":`;
  let text = '';
  for (let i = 0; i < uuids.length; i++) {
    const uuid = isPlain ? uuids[i] : JSON.stringify(uuids[i]).slice(1, -1);
    const end = ends[i] as number;
    if (placed === undefined || end < 0) text += `{"uuid":"${uuid}"${after}}\n`;
    else text += `{"uuid":"${uuid}${placed}${from + end}}\n`;
  }
  return text;
}

/** Parses any line. Returns its fault if it is invalid, and undefined if it is blank. */
export function parseLine(bytes: Buffer): LedgerLine | string | undefined {
  if (!isUtf8(bytes)) return 'not valid UTF-8';
  const text = bytes.toString().trim();
  if (text === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'torn, or not JSON';
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'no JSON object';
  const { uuid, undone, out, end, at, ...more } = value as Readonly<Record<string, unknown>>;
  const isPlaced = typeof out === 'string' && Number.isSafeInteger(end) && (end as number) >= 0;
  const fault = uuidFault(uuid);
  // The line of a row with a renamed "uuid" does not state the size up to which the output is known.
  const isKnown = uuid === undefined && isPlaced && Object.keys(more).every((key) => SEAL_KEYS.has(key));
  if (fault !== undefined && !isKnown) return fault;
  return {
    uuid: uuid as string | undefined,
    undone: undone === true,
    out: typeof out === 'string' ? out : undefined,
    end: isPlaced ? (end as number) : undefined,
    seal: uuid === undefined ? sealIn(more) : undefined,
  };
}

/** Members of a seal. */
const SEAL_KEYS: ReadonlySet<string> = new Set(['rows', 'uuids', 'stamp']);

/** Returns the line that states the size up to which an output is known. */
export function knownLine(out: string, end: number, at: string, seal?: Seal): string {
  const { stamp, rows, hasUuid } = seal ?? {};
  return `${JSON.stringify({ out, end, rows, uuids: hasUuid, stamp, at })}\n`;
}

function sealIn({ stamp, rows, uuids }: Readonly<Record<string, unknown>>): Seal | undefined {
  if (typeof stamp !== 'string' || !Number.isSafeInteger(rows)) return undefined;
  return { stamp, rows: rows as number, hasUuid: uuids !== false };
}

const HEAD = Buffer.from('{"uuid":"');
const AT = Buffer.from('","at":"');
const OUT = Buffer.from('","out":');
const END = Buffer.from(',"end":');
/** Length of an ISO 8601 time in UTC with milliseconds. */
const TIME = 24;
const SPACE = 32;
const QUOTE = 34;
const BACKSLASH = 92;
/** Limit of digits: numbers of up to 15 digits are exact. */
const MAX_DIGITS = 15;

/** Result of `readFast`. It is reused for all lines, because an object per line would cost more than reading it. */
export interface Fast {
  /** Start of the uuid, which is plain ASCII without escapes, and its end below. */
  from: number;
  to: number;
  /** The `end` of the line, or -1 if it has no `out`. */
  end: number;
}

/**
 * Reads a line in the exact form that this project writes, byte by byte. This is the fast path: any other
 * line, whole or torn, is left to `parseLine`.
 * @param outText the `out` that a line may have, as JSON text
 * @returns offset of the newline, or -1 if the line has another form
 */
export function readFast(
  bytes: Uint8Array,
  start: number,
  limit: number,
  outText: Uint8Array | undefined,
  found: Fast,
): number {
  if (!matches(bytes, start, HEAD)) return -1;
  const from = start + HEAD.length;
  if (bytes[from] === SPACE) return -1; // a uuid of blanks is invalid
  let to = from;
  for (let byte = bytes[to] as number; byte !== QUOTE; byte = bytes[++to] as number) {
    if (byte < 32 || byte > 126 || byte === BACKSLASH || to >= limit) return -1;
  }
  const time = to + AT.length;
  const at = time + TIME;
  if (at + 2 >= limit || to === from || to - from > 256 || !matches(bytes, to, AT)) return -1;
  if (!isTime(bytes, time) || bytes[at] !== QUOTE) return -1;
  found.from = from;
  found.to = to;
  found.end = -1;
  if (bytes[at + 1] === 125 && bytes[at + 2] === 10) return at + 2;
  return outText === undefined ? -1 : readPlace(bytes, at, limit, outText, found);
}

/**
 * Reads `"out"` and `"end"` of a line from the quote that closes its time. Returns the same as `readFast`.
 */
function readPlace(bytes: Uint8Array, from: number, limit: number, outText: Uint8Array, found: Fast): number {
  const first = from + OUT.length + outText.length + END.length;
  if (first + MAX_DIGITS + 2 > limit) return -1;
  if (!matches(bytes, from, OUT) || !matches(bytes, from + OUT.length, outText)) return -1;
  if (!matches(bytes, first - END.length, END)) return -1;
  let at = first;
  let end = 0;
  for (let digit = digitAt(bytes, at); digit >= 0 && at - first < MAX_DIGITS; digit = digitAt(bytes, ++at)) {
    end = end * 10 + digit;
  }
  if (at === first || (bytes[first] === 48 && at > first + 1)) return -1;
  if (bytes[at] !== 125 || bytes[at + 1] !== 10) return -1;
  found.end = end;
  return at + 1;
}

function matches(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
  return true;
}

/**
 * Returns true if the bytes are from `+` to `Z`. These include all characters of a time, but no quote or
 * backslash.
 */
function isTime(bytes: Uint8Array, at: number): boolean {
  for (let i = at; i < at + TIME; i++) {
    const byte = bytes[i] as number;
    if (byte < 43 || byte > 90) return false;
  }
  return true;
}

function digitAt(bytes: Uint8Array, at: number): number {
  const digit = (bytes[at] as number) - 48;
  return digit <= 9 ? digit : -1;
}

/** Adds the uuid that `readFast` found to a set. */
export function addFound(bytes: Buffer, { from, to }: Fast, ids: IdSet): void {
  if (to - from !== 36 || !ids.addBytes(bytes, from)) ids.add(bytes.toString('latin1', from, to));
}

/** Returns the uuid that `readFast` found. */
export function uuidFound(bytes: Buffer, { from, to }: Fast): string {
  return bytes.toString('latin1', from, to);
}
