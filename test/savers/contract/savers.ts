/*
 * Savers, and what the contract tests need of each. A new saver is one more entry: all cases then run against it. What
 * it has saved is read by other code than ours, or by other programs.
 */
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { openDatabase } from '../../../src/core/storage/sqlite-database.ts';
import { contentsOf } from '../../faults/support/contents.ts';
import { finishedIn, readDelimited } from '../../faults/support/oracle.ts';
import { duckdb } from '../../support/duckdb.ts';
import type { TestPostgres } from '../../support/postgres.ts';

/** Place that a saver writes to: a fresh folder, and for a server a fresh table. */
export interface Place {
  readonly cwd: string;
  readonly table: string;
  /** Server of PostgreSQL, which only its savers use. */
  readonly server: TestPostgres | undefined;
}

/** Uuid and attribute `n` of a row. */
export type Row = readonly [uuid: string, n: number];

/** Kind of output. */
export interface Saver {
  readonly name: string;
  /** Returns the output for `task-save`, with its options. */
  output(place: Place): string;
  /** Returns the place of the same tasks for `task-load`. */
  source(place: Place): string;
  /** Returns the ledger. */
  ledger(place: Place): string;
  /** Returns the uuids that are finished. */
  finished(place: Place): ReadonlySet<string>;
  /** Reads all rows that are complete. */
  read(place: Place): Promise<readonly Row[]>;
  /** Returns the JSON text of a number after `task-save` and `task-load`. */
  kept(number: string): string;
  /** True if two processes may save at once. */
  readonly isShared: boolean;
  /** Name of the file or folder; undefined for a table of a server. */
  readonly path?: string;
  /** Leaves what a crash in the middle of a commit leaves. Undefined for a server, which repairs its tables itself. */
  readonly tear?: (cwd: string) => void;
  /** Takes away the last rows, as another program may do. */
  cut(place: Place): void;
  /** Takes away the output. */
  remove(place: Place): void;
}

const asText = (number: string): string => JSON.stringify(number);
const asNumber = (number: string): string => number;

/** Returns the saver of a file or folder with a ledger in a file. */
function fileSaver(
  output: string,
  more: Pick<Saver, 'kept'> & {
    /** Name of a file with rows. Default: the output. */
    readonly file?: string;
    /** Name of the file or folder. Default: the output. */
    readonly path?: string;
    readonly source?: string;
    /** Beginning of a row, which a crash leaves at the end of the file. Default: that of a packed member. */
    readonly torn?: string;
    readonly tear?: Saver['tear'];
    readonly isShared?: boolean;
    read(cwd: string): Promise<readonly Row[]> | readonly Row[];
  },
): Saver {
  const { file = output, path = output, source = output, torn } = more;
  const tear = (cwd: string): void => {
    const at = join(cwd, file);
    appendFileSync(at, torn ?? readFileSync(at).subarray(0, 20));
  };
  return {
    ...{ name: output, kept: more.kept, isShared: more.isShared ?? false, path, tear: more.tear ?? tear },
    output: () => output,
    source: () => source,
    ledger: () => 'l.jsonl',
    finished: ({ cwd }) => finishedIn(join(cwd, 'l.jsonl')),
    read: async ({ cwd }) => more.read(cwd),
    cut: ({ cwd }) => cutShort(join(cwd, file)),
    remove: ({ cwd }) => rmSync(join(cwd, path), { recursive: true }),
  };
}

/** Cuts a file in the middle of its last row or part. */
function cutShort(path: string): void {
  const lines = readFileSync(path, 'latin1').split('\n');
  const isText = /\.(?:csv|tsv|ndjson)$/.test(path);
  // the first two characters of the last line are left; others are too short to be whole without their last bytes
  const gone = isText ? (lines.at(-2) as string).length - 1 : 3;
  truncateSync(path, statSync(path).size - gone);
}

/** Returns the rows of a file of cells. */
function delimitedRows(path: string, delimiter: string): Row[] {
  const [header = [], ...rows] = readDelimited(contentsOf(path), delimiter).rows;
  const [uuid, n] = [header.indexOf('uuid'), header.indexOf('n')];
  return rows
    .filter((row) => row.length === header.length)
    .map((row): Row => [row[uuid] as string, Number(row[n])]);
}

/** Returns the records of the complete lines of a file. */
function jsonRows(path: string): Row[] {
  const lines = contentsOf(path).split('\n').slice(0, -1);
  return lines.map((line): Row => {
    const { uuid, n } = JSON.parse(line);
    return [uuid, n];
  });
}

/** Returns the rows of all files below the folders of an output that is divided. */
function dividedRows(folder: string, read: (folder: string) => Row[]): Row[] {
  if (!existsSync(folder)) return [];
  const parts = readdirSync(folder).filter((name) => name.includes('='));
  return parts.flatMap((name) => read(join(folder, name)));
}

async function databaseRows(path: string): Promise<Row[]> {
  if (!existsSync(path)) return [];
  const database = await openDatabase(path);
  try {
    const tables = await database.all("select 1 from pragma_table_info('tasks') where name = 'n'");
    const rows = tables.length === 0 ? [] : await database.all('select uuid, n from tasks');
    return rows.map(([uuid, n]): Row => [String(uuid), Number(n)]);
  } finally {
    database.close();
  }
}

async function parquetRows(folder: string): Promise<Row[]> {
  const hasParts = existsSync(folder) && readdirSync(folder).some((name) => /^[^.].*\.parquet$/.test(name));
  if (!hasParts) return [];
  const parts = join(folder, '*.parquet');
  const rows = await duckdb(`select uuid, n from read_parquet('${parts}', union_by_name = true)`);
  return rows.map(([uuid, n]): Row => [String(uuid), Number(n)]);
}

/** Returns the saver of a table of PostgreSQL, with its ledger in the same database. */
function tableSaver(name: string, options: string, n: string, kept: Saver['kept']): Saver {
  const at = ({ server }: Place): TestPostgres => server as TestPostgres;
  /** Returns the rows that a table has, none if it is not there. */
  const rowsOf = (place: Place, table: string, columns: string): string[][] => {
    const { sql } = at(place);
    if (sql(`select to_regclass('${table}') is not null`) !== 't') return [];
    const lines = sql(`select ${columns} from ${table} t`).split('\n').filter(Boolean);
    return lines.map((line) => line.split('|'));
  };
  return {
    ...{ name, kept, isShared: true },
    output: (place) => `'${at(place).url}' --table ${place.table} ${options}`,
    source: (place) => `'${at(place).url}' --table ${place.table}`,
    ledger: (place) => `'${at(place).url}?ledger=${place.table}'`,
    finished(place) {
      const marks = rowsOf(place, 'taskpipe_marks', 'ledger, finished, uuid');
      const ours = marks.filter(([ledger, finished]) => ledger === place.table && finished === 't');
      return new Set(ours.map(([, , uuid]) => uuid as string));
    },
    read: async (place) =>
      rowsOf(place, place.table, `uuid, ${n}`).map(([uuid, value]): Row => [uuid as string, Number(value)]),
    cut: (place) => void at(place).sql(`delete from ${place.table} where uuid = 'u1'`),
    remove: (place) => void at(place).sql(`drop table ${place.table}`),
  };
}

/** Savers of files and folders. */
export const FILES: readonly Saver[] = [
  fileSaver('out.csv', {
    ...{ kept: asText, torn: 'u98,p0,98,"to' },
    read: (cwd) => delimitedRows(join(cwd, 'out.csv'), ','),
  }),
  fileSaver('out.tsv', {
    ...{ kept: asText, torn: 'u98\tp0\t9' },
    read: (cwd) => delimitedRows(join(cwd, 'out.tsv'), '\t'),
  }),
  fileSaver('out.ndjson', {
    ...{ kept: asNumber, torn: '{"uuid":"u98","part":"p0","n":98,' },
    read: (cwd) => jsonRows(join(cwd, 'out.ndjson')),
  }),
  fileSaver('out.csv.gz', { kept: asText, read: (cwd) => delimitedRows(join(cwd, 'out.csv.gz'), ',') }),
  fileSaver('out.ndjson.zst', { kept: asNumber, read: (cwd) => jsonRows(join(cwd, 'out.ndjson.zst')) }),
  fileSaver('out.db', {
    ...{ kept: asNumber, isShared: true },
    read: (cwd) => databaseRows(join(cwd, 'out.db')),
    tear: (cwd) => appendFileSync(join(cwd, 'out.db-wal'), 'the beginning of a frame'),
  }),
  fileSaver('out.parquet/', {
    ...{ kept: asText, file: 'out.parquet/part-000001.parquet', path: 'out.parquet' },
    source: 'out.parquet/*.parquet',
    read: (cwd) => parquetRows(join(cwd, 'out.parquet')),
    tear: (cwd) => writeFileSync(join(cwd, 'out.parquet/.part-000009.parquet.new'), 'PAR1 torn'),
  }),
  fileSaver('out/rows.csv --partition-by part', {
    ...{ kept: asText, torn: 'u98,p0,98,"to', file: 'out/part=p0/rows.csv', path: 'out' },
    source: 'out/*/rows.csv',
    read: (cwd) => dividedRows(join(cwd, 'out'), (folder) => delimitedRows(join(folder, 'rows.csv'), ',')),
  }),
  fileSaver('out/rows.ndjson.gz --partition-by part', {
    ...{ kept: asNumber, file: 'out/part=p0/rows.ndjson.gz', path: 'out' },
    source: 'out/*/rows.ndjson.gz',
    read: (cwd) => dividedRows(join(cwd, 'out'), (folder) => jsonRows(join(folder, 'rows.ndjson.gz'))),
  }),
];

/** Savers of tables in PostgreSQL. */
export const TABLES: readonly Saver[] = [
  tableSaver('PostgreSQL', '', "to_jsonb(t)->>'n'", asNumber),
  tableSaver('PostgreSQL --jsonb', '--jsonb', "record->>'n'", (number) =>
    // jsonb writes numbers without an exponent
    number === '1e+300' ? `1${'0'.repeat(300)}` : number,
  ),
];
