import { parseRecord } from '../../core/record/ndjson.ts';
import { decodeStart } from '../../core/text/encoding.ts';
import type { Format } from '../contract.ts';

/** How many bytes of a file are looked at to tell its format. */
const SNIFFED = 4096;

/** Whether these bytes, with which a file begins, tell its format: its first line is there, or a bracket. */
export function canSniff(first: Buffer): boolean {
  return first.length >= SNIFFED || /^\s*(?:[[\x1e]|\S.*[\r\n])/.test(decodeStart(first));
}

/** The likely format of a file by its first bytes. A column of CSV cannot be told from plain lines, and is those. */
export function sniffFormat(bytes: Buffer): Format {
  if (bytes.toString('latin1', 0, 15) === 'SQLite format 3') return 'sqlite';
  const start = decodeStart(bytes.subarray(0, SNIFFED)).trimStart();
  const first = start.slice(0, start.search(/[\r\n]|$/));
  if (start.startsWith('{')) return isRecord(first) ? 'ndjson' : 'json';
  if (/^[[\x1e]/.test(start)) return 'json';
  if (/^"?sep=.{1,3}$/i.test(first)) return 'csv';
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(first)) return 'lines';
  if (first.includes('\t')) return 'tsv';
  return first.includes(',') ? 'csv' : 'lines';
}

/** Whether a line is a whole JSON object; others on lines of their own will follow it. */
export function isRecord(line: string): boolean {
  const record = parseRecord(line);
  return record !== undefined && !('code' in record);
}

/** A delimiter that the first line of a file may have, if that is read as a plain line. */
export function delimiterIn(bytes: Buffer): string | undefined {
  const start = decodeStart(bytes.subarray(0, SNIFFED)).trimStart();
  const first = start.slice(0, start.search(/[\r\n]|$/));
  return /^[^\s;|]+(?: [^\s;|]+)*([;|])[^\s;|]/.exec(first)?.[1];
}
