/*
 * Savers: turn tasks into rows. Owns the table of formats, the commit order and the rest file. Must not know
 * how tasks were run.
 */
import { isPostgres } from '../core/postgres/postgres-address.ts';
import { isS3 } from '../core/s3/s3-address.ts';
import { CSV, TSV } from '../core/text/csv.ts';
import type { Destination, DestinationOptions, OpenRows } from './contract.ts';
import { unpackedName } from './packed/codec.ts';
import { delimited } from './rows/delimited-rows.ts';
import { ndjson } from './rows/ndjson-rows.ts';

export { FLUSH } from './committer.ts';
export { placesOf } from './file/output-paths.ts';
export { PARQUET_LIMITS } from './parquet/part-limits.ts';
export { type FieldOption, parseFields } from './rows/fields.ts';

export type SaveFormat = 'csv' | 'tsv' | 'ndjson' | 'sqlite' | 'postgres' | 'parquet' | 's3';

/** Options that only some formats use. */
export type SaveOption =
  | ('widen' | 'escapeFormulas' | 'delimiter' | 'bom' | 'partitionBy')
  | ('table' | 'jsonb');

const DELIMITED: readonly SaveOption[] = ['widen', 'escapeFormulas', 'delimiter', 'bom', 'partitionBy'];

/** A kind of output. */
export interface Saver {
  /** Endings of its file names. */
  readonly endings: readonly string[];
  /** Format-specific options that this format uses. */
  readonly uses: readonly SaveOption[];
  /** Opens the rows of a file; absent if the output is not a file of rows. */
  readonly rows?: OpenRows;
  /** Opens an output that is not a file of rows. */
  readonly open?: (options: DestinationOptions) => Promise<Destination>;
}

/** Output formats by name. */
export const savers: Readonly<Record<SaveFormat, Saver>> = {
  csv: { endings: ['.csv'], uses: DELIMITED, rows: delimited(CSV) },
  tsv: { endings: ['.tsv', '.tab'], uses: DELIMITED, rows: delimited(TSV) },
  ndjson: { endings: ['.ndjson', '.jsonl'], uses: ['partitionBy'], rows: ndjson },
  sqlite: {
    endings: ['.db', '.sqlite', '.sqlite3'],
    uses: ['table'],
    async open(options) {
      const { openTable } = await import('./sqlite/index.ts'); // loads SQLite only if it is needed
      return openTable(options);
    },
  },
  postgres: {
    endings: [],
    uses: ['table', 'jsonb'],
    async open(options) {
      const { openPostgresTable } = await import('./postgres/index.ts'); // loads pg only if it is needed
      return openPostgresTable(options);
    },
  },
  parquet: {
    endings: ['.parquet/'],
    uses: [],
    async open(options) {
      const { openParquet } = await import('./parquet/index.ts'); // loads the writer only if it is needed
      return openParquet(options);
    },
  },
  s3: {
    endings: [],
    uses: [],
    async open(options) {
      const { openS3Prefix } = await import('./s3/index.ts'); // loads undici only if it is needed
      return openS3Prefix(options);
    },
  },
};

export const saveFormats: readonly SaveFormat[] = Object.keys(savers) as SaveFormat[];

/** Returns the format of an output by its url or the ending of its name, ignoring `.gz` and `.zst`; undefined if the ending is unknown. */
export function saveFormatOf(path: string): SaveFormat | undefined {
  if (isPostgres(path)) return 'postgres';
  if (isS3(path)) return 's3';
  const isPacked = path !== unpackedName(path);
  const name = unpackedName(path).toLowerCase();
  const format = saveFormats.find((format) => savers[format].endings.some((ending) => name.endsWith(ending)));
  return isPacked && format !== undefined && savers[format].rows === undefined ? undefined : format;
}

/** Reasons that options have no effect on the standard output. */
const UNUSED_ON_STDOUT: Readonly<Record<string, string>> = {
  tee: 'needs a file: the standard output has the rows already',
  overwrite: 'needs a file',
  widen: 'needs a file: rows on the standard output cannot be changed',
  flush: 'needs a file: on the standard output each record is written as it comes',
  flushInterval: 'needs a file: on the standard output each record is written as it comes',
  sync: 'needs a file: the standard output is not synced',
};

/**
 * Returns the options that have no effect on an output.
 * @returns the reason for each, to follow its name in a message
 */
export function unusedOptions(out: string, given?: SaveFormat): ReadonlyMap<string, string> {
  const format = given ?? (out === '-' ? 'ndjson' : saveFormatOf(out));
  const unused = new Map(out === '-' ? Object.entries(UNUSED_ON_STDOUT) : []);
  if (format === undefined) return unused;
  for (const option of new Set(saveFormats.flatMap((one) => savers[one].uses))) {
    if (savers[format].uses.includes(option) || unused.has(option)) continue;
    const users = saveFormats.filter((one) => savers[one].uses.includes(option));
    unused.set(option, `has no effect on ${format}; it is for ${users.join(', ')} (--format)`);
  }
  return unused;
}
