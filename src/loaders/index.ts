import { decodeStart } from '../core/text.ts';
import { delimited } from './delimited.ts';
import { json } from './json.ts';
import type { Loader, Opener } from './loader.ts';
import { ndjson } from './ndjson.ts';

export type { Columns } from './columns.ts';
export type { Loaded, Loader, ReadOptions, Shape } from './loader.ts';
export { PlainRows } from './plain-rows.ts';

export type Format = 'csv' | 'tsv' | 'ndjson' | 'json' | 'lines' | 'sqlite';

interface Entry {
  readonly endings: readonly string[];
  /** Reads its bytes. */
  readonly read?: Loader;
  /** Reads it by its path, where it is no stream of bytes. */
  readonly open?: Opener;
  /** Whether its first row is none of a task. */
  readonly hasHeader?: boolean;
}

/** The formats that are read, by name: the endings of their files, and what reads them. */
const loaders: Readonly<Record<Format, Entry>> = {
  csv: { endings: ['.csv'], read: delimited(','), hasHeader: true },
  tsv: { endings: ['.tsv', '.tab'], read: delimited('\t'), hasHeader: true },
  ndjson: { endings: ['.ndjson', '.jsonl'], read: ndjson },
  json: { endings: ['.json'], read: json },
  lines: {
    endings: ['.txt', '.list', '.lst'],
    read: async function* (...args) {
      const { lines } = await import('./lines.ts'); // and split2, which other formats do not need
      yield* lines(...args);
    },
  },
  sqlite: {
    endings: ['.db', '.sqlite', '.sqlite3'],
    open: async function* (...args) {
      const { sqlite } = await import('./sqlite.ts');
      yield* sqlite(...args);
    },
  },
};

export const formats: readonly Format[] = Object.keys(loaders) as Format[];

/** The format of a file by its ending, `.gz` left out of account; undefined where that tells nothing. */
export function formatOf(path: string): Format | undefined {
  const name = path.toLowerCase().replace(/\.gz$/, '');
  return formats.find((format) => loaders[format].endings.some((ending) => name.endsWith(ending)));
}

/** How many bytes of a file are looked at to tell its format. */
const SNIFFED = 4096;

/** Whether these bytes, with which a file begins, tell its format: its first line is there. */
export function canSniff(first: Buffer): boolean {
  return first.length >= SNIFFED || /^\s*(?:[{[]|\S.*[\r\n])/.test(decodeStart(first));
}

/** The likely format of a file by its first bytes. One column of CSV can't be told from plain lines, and is those. */
export function sniffFormat(bytes: Buffer): Format {
  if (bytes.toString('latin1', 0, 15) === 'SQLite format 3') return 'sqlite';
  const start = decodeStart(bytes.subarray(0, SNIFFED)).trimStart();
  if (start.startsWith('{')) return 'ndjson';
  if (start.startsWith('[')) return 'json';
  const first = start.slice(0, start.search(/[\r\n]|$/));
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(first)) return 'lines';
  if (first.includes('\t')) return 'tsv';
  return first.includes(',') ? 'csv' : 'lines';
}

/** What reads the bytes of a format; undefined where it is no stream of them. */
export function loaderFor(format: Format): Loader | undefined {
  return loaders[format].read;
}

/** Whether a file of a format begins with a row that is no task. */
export function hasHeader(format: Format): boolean {
  return loaders[format].hasHeader === true;
}

/** What reads a format by its path, where it is no stream of bytes. */
export function openerFor(format: Format): Opener | undefined {
  return loaders[format].open;
}
