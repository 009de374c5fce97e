import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { contentsOf } from './contents.ts';
import type { Breach } from './report.ts';

/* Promises about an output and its ledger, checked by independent code: a plain CSV reader and JSON.parse. */

/** Files that a run has left, with the expected records. */
export interface Remains {
  readonly folder: string;
  /** Path of the output: `.csv`, `.tsv` or `.ndjson`. Its rows must have a uuid. */
  readonly out: string;
  readonly ledger?: string | undefined;
  /** Uuids that must have exactly one row each; undefined if the run was interrupted. */
  readonly rows?: Iterable<string> | undefined;
  /** Uuids that `--tee` acknowledged: they must have a row whenever the run was ended. */
  readonly acknowledged?: Iterable<string> | undefined;
  /** Text before each breach. */
  readonly label?: string | undefined;
}

/** Returns the broken promises. Without `rows`, a torn end is allowed, because the next start repairs it. */
export function breachesOf({ folder, out, ledger, rows, acknowledged = [], label = '' }: Remains): Breach[] {
  const breaches: Breach[] = [];
  const add = (kind: Breach['kind'], words: string): void =>
    void breaches.push({ kind, words: `${label} ${words}` });
  const { uuids, isWhole } = rowsOf(join(folder, out));
  const there = new Set(uuids);
  if (there.size < uuids.length) add('double', `${uuids.length - there.size} rows of ${uuids.length}`);
  for (const uuid of acknowledged)
    if (!there.has(uuid)) add('lost', `${uuid} was acknowledged, and has no row`);
  if (ledger !== undefined) {
    for (const uuid of finishedIn(join(folder, ledger))) {
      if (!there.has(uuid)) add('false ledger line', `${uuid} is in the ledger, and has no row`);
    }
  }
  if (rows === undefined) return breaches;
  if (!isWhole) add('torn', `${out} does not end whole`);
  const wanted = new Set(rows);
  for (const uuid of wanted) if (!there.has(uuid)) add('lost', `${uuid} has no row`);
  for (const uuid of there)
    if (!wanted.has(uuid)) add('other', `${JSON.stringify(uuid)} has a row, and should not`);
  return breaches;
}

/**
 * Returns the uuids of the complete rows of an output, in order, and whether nothing follows them. A missing
 * file has no rows.
 */
export function rowsOf(path: string): { uuids: string[]; isWhole: boolean } {
  if (!existsSync(path)) return { uuids: [], isWhole: true };
  const text = contentsOf(path);
  const name = path.replace(/\.(?:gz|zst)$/, '');
  return /\.(csv|tsv)$/.test(name) ? delimitedRows(text, name.endsWith('.tsv') ? '\t' : ',') : jsonRows(text);
}

function jsonRows(text: string): { uuids: string[]; isWhole: boolean } {
  const lines = text.split('\n');
  const tail = lines.pop();
  const uuids: string[] = [];
  for (const line of lines) {
    const uuid = uuidOfJson(line);
    if (uuid === undefined) return { uuids, isWhole: false };
    uuids.push(uuid);
  }
  return { uuids, isWhole: tail === '' };
}

function uuidOfJson(line: string): string | undefined {
  try {
    return (JSON.parse(line) as { uuid?: string }).uuid;
  } catch {
    return undefined;
  }
}

function delimitedRows(text: string, delimiter: string): { uuids: string[]; isWhole: boolean } {
  const { rows, isWhole } = readDelimited(text, delimiter);
  const [header = [], ...others] = rows;
  const at = header.indexOf('uuid');
  const bad = others.findIndex(
    (row) => row.length !== header.length || row.some((cell) => cell.includes('\0')),
  );
  const good = bad < 0 ? others : others.slice(0, bad);
  return { uuids: good.map((row) => row[at] as string), isWhole: isWhole && bad < 0 };
}

/**
 * Reads CSV by RFC 4180, or TSV, which has no quotes unless the first cell is in quotes, up to the first row
 * without an end.
 */
export function readDelimited(text: string, delimiter: string): { rows: string[][]; isWhole: boolean } {
  if (delimiter === '\t' && !text.startsWith('"')) {
    const lines = text.split('\n');
    const tail = lines.pop();
    return {
      rows: lines.filter((line) => line !== '').map((line) => line.split('\t')),
      isWhole: tail === '',
    };
  }
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = '';
  let isQuoted = false;
  let isEmpty = true;
  for (let i = 0; i < text.length; i++) {
    const character = text[i] as string;
    isEmpty = false;
    if (isQuoted) {
      if (character !== '"') cell += character;
      else if (text[i + 1] === '"') cell += text[i++];
      else isQuoted = false;
    } else if (character === '"') isQuoted = true;
    else if (character === delimiter || character === '\n') {
      row.push(cell);
      cell = '';
      if (character === '\n') {
        rows.push(row);
        row = [];
        isEmpty = true;
      }
    } else cell += character;
  }
  return { rows, isWhole: isEmpty };
}

/**
 * Returns the finished uuids of a ledger: the last line of each uuid counts, and lines that are not JSON are
 * skipped.
 */
export function finishedIn(path: string): Set<string> {
  const finished = new Set<string>();
  if (!existsSync(path)) return finished;
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    let value: { uuid?: unknown; undone?: unknown };
    try {
      value = JSON.parse(line);
    } catch {
      continue;
    }
    if (typeof value !== 'object' || value === null || typeof value.uuid !== 'string') continue;
    if (value.undone === true) finished.delete(value.uuid);
    else finished.add(value.uuid);
  }
  return finished;
}
