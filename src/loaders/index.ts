/*
 * Loaders: turn bytes into records, one format per file. Owns the table of formats and their recognition.
 * Must not know ledgers, limits or output: these belong to the stage.
 */
import { isPostgres } from '../core/postgres/postgres-address.ts';
import { CSV, TSV } from '../core/text/csv.ts';
import type { Format, FormatOption, Loader, Opener } from './contract.ts';
import { json } from './json/json-loader.ts';
import { ndjson } from './json/ndjson-loader.ts';
import { sniffFormat } from './source/sniff.ts';
import { delimited } from './table/delimited-loader.ts';

export type { Format, FormatOption, Loaded, Loader, ReadOptions, Reshape } from './contract.ts';
export { canSniff, sniffFormat } from './source/sniff.ts';
export { sizeOf } from './source/sources.ts';
export { PlainRows } from './table/plain-rows.ts';
export type { Columns } from './table/table-columns.ts';

interface Entry {
  readonly endings: readonly string[];
  /** Reader of its bytes. */
  readonly read?: Loader;
  /** Reader by path, if it is not a stream of bytes. */
  readonly open?: Opener;
  /** True if its first row is a header by default. */
  readonly hasHeader?: boolean;
  /** Format-specific options that this format uses. */
  readonly uses: readonly FormatOption[];
}

/** Options that turn plain lines into a table. */
const TABLE: readonly FormatOption[] = ['delimiter', 'quote', 'escape', 'header', 'columns'];
const TEXT: readonly FormatOption[] = ['encoding', 'maxLine'];
const LINES: readonly FormatOption[] = [...TEXT, 'skip', 'comment'];

/** Input formats by name, with the endings of their files and their readers. */
const loaders: Readonly<Record<Format, Entry>> = {
  csv: { endings: ['.csv'], read: delimited(CSV), hasHeader: true, uses: [...LINES, ...TABLE] },
  tsv: { endings: ['.tsv', '.tab'], read: delimited(TSV), hasHeader: true, uses: [...LINES, ...TABLE] },
  ndjson: { endings: ['.ndjson', '.jsonl'], read: ndjson, uses: TEXT },
  json: { endings: ['.json'], read: json, uses: TEXT },
  lines: {
    endings: ['.txt', '.list', '.lst'],
    uses: [...LINES, 'field', 'null'],
    read: async function* (bytes, options) {
      if (options.null) {
        const { names } = await import('./null-loader.ts');
        yield* names(bytes, options);
        return;
      }
      const { lines } = await import('./lines-loader.ts'); // loads split2 only if it is needed
      yield* lines(bytes, options);
    },
  },
  sitemap: {
    endings: [],
    uses: TEXT,
    read: async function* (bytes, options) {
      const { sitemap } = await import('./sitemap/sitemap-loader.ts'); // loads saxes only if it is needed
      yield* sitemap(bytes, options);
    },
  },
  sqlite: {
    endings: ['.db', '.sqlite', '.sqlite3'],
    uses: ['query', 'table'],
    open: async function* (...args) {
      const { sqlite } = await import('./sqlite/sqlite-loader.ts');
      yield* sqlite(...args);
    },
  },
  xlsx: {
    endings: ['.xlsx', '.xlsm'],
    hasHeader: true,
    uses: ['sheet', 'header', 'columns', 'skip', 'maxLine'],
    open: async function* (...args) {
      const { workbook } = await import('./workbook/workbook-loader.ts'); // loads yauzl and saxes
      yield* workbook(...args);
    },
  },
  parquet: {
    endings: ['.parquet', '.pq'],
    uses: [],
    open: async function* (...args) {
      const { parquet } = await import('./parquet/parquet-loader.ts'); // loads hyparquet only if it is needed
      yield* parquet(...args);
    },
  },
  postgres: {
    endings: [],
    uses: ['query', 'table'],
    open: async function* (...args) {
      const { postgres } = await import('./postgres/postgres-loader.ts'); // loads pg only if it is needed
      yield* postgres(...args);
    },
  },
};

export const formats: readonly Format[] = Object.keys(loaders) as Format[];

/**
 * Returns the given options that none of the used formats uses.
 * @returns the reason for each, to follow its name in a message
 */
export function unusedOptions(
  given: Iterable<string>,
  used: readonly Format[],
): ReadonlyMap<FormatOption, string> {
  const unused = new Map<FormatOption, string>();
  for (const name of given as Iterable<FormatOption>) {
    const users = formats.filter((format) => loaders[format].uses.includes(name));
    if (users.length === 0 || users.some((format) => used.includes(format))) continue;
    const kinds = [...new Set(used)].join(' and ');
    unused.set(name, `has no effect on ${kinds}; it is for ${users.join(', ')} (--format)`);
  }
  return unused;
}

/** Options that decide the format of a file if its name and beginning fit several formats. */
export interface Hints {
  readonly format?: Format | undefined;
  readonly header?: boolean | undefined;
  readonly delimiter?: string | undefined;
  readonly quote?: string | undefined;
  readonly escape?: string | undefined;
  readonly columns?: readonly string[] | undefined;
  readonly field?: string | undefined;
  readonly null?: boolean | undefined;
  readonly query?: string | undefined;
  readonly table?: string | undefined;
}

function isTable(hints: Hints): boolean {
  return (
    hints.header === false ||
    TABLE.some((name) => name !== 'header' && hints[name as keyof Hints] !== undefined)
  );
}

/** Returns the format of a file by its name and the options; undefined if only its first bytes can show it. */
export function formatByName(path: string, hints: Hints): Format | undefined {
  if (isPostgres(path)) return 'postgres';
  const byName = hints.format ?? formatOf(path) ?? (hints.null ? 'lines' : undefined);
  // Spreadsheets also save tables as .txt.
  if (byName === 'lines' && hints.format === undefined && isTable(hints)) return 'csv';
  const isDatabase = hints.query !== undefined || hints.table !== undefined;
  return byName ?? (isDatabase && !isTable(hints) ? 'sqlite' : undefined);
}

/** Returns the format of a file by its first bytes and the options. */
export function formatByStart(first: Buffer, hints: Hints): Format {
  const format = sniffFormat(first);
  if (format !== 'lines' && format !== 'csv' && format !== 'tsv') return format;
  if (isTable(hints)) return format === 'tsv' && hints.delimiter === undefined ? 'tsv' : 'csv';
  return hints.field === undefined ? format : 'lines';
}

/**
 * Returns the format of a file by its ending, ignoring `.gz` and `.zst`; undefined if the ending is unknown.
 */
export function formatOf(path: string): Format | undefined {
  const name = path.toLowerCase().replace(/\.(?:gz|zst)$/, '');
  return formats.find((format) => loaders[format].endings.some((ending) => name.endsWith(ending)));
}

/** Returns the reader of a format's bytes; undefined if it is not a stream of bytes. */
export function loaderFor(format: Format): Loader | undefined {
  return loaders[format].read;
}

/** Returns true if files of a format begin with a header by default. */
export function hasHeader(format: Format): boolean {
  return loaders[format].hasHeader === true;
}

/** Returns the reader of a format by path; undefined if it is a stream of bytes. */
export function openerFor(format: Format): Opener | undefined {
  return loaders[format].open;
}
