import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { openDatabase } from '../../../src/core/storage/sqlite-database.ts';
import { readDelimited } from '../support/oracle.ts';
import { delimitedEdits } from './delimited.ts';
import type { Edit } from './edit.ts';
import { ndjsonEdits } from './ndjson.ts';
import { sqliteEdits } from './sqlite.ts';

/** Format with its edits and an independent reader. */
export interface Format {
  readonly out: string;
  readonly edits: readonly Edit[];
  /** Reads the uuids of the rows in order. Throws if it cannot read the file. */
  readonly uuids: (path: string) => Promise<readonly string[]>;
  /** Reads what a run must keep: the bytes of a file, or the cells of a table. */
  readonly content: (path: string) => Promise<string>;
  /**
   * Returns whether the later content, together with the files that a message named, has all of the earlier
   * one.
   */
  readonly isKept: (before: string, after: string, asides: readonly string[]) => boolean;
  /** True if a later record replaces the row of its uuid. */
  readonly replaces: boolean;
}

const bytesOf = async (path: string): Promise<string> =>
  existsSync(path) ? readFileSync(path, 'latin1') : '';

/** Returns whether the bytes that were cut off are in the named file and were the end of the output. */
function isKeptText(before: string, after: string, asides: readonly string[]): boolean {
  return (
    after.startsWith(before.slice(0, before.length - asides.join('').length)) &&
    before.endsWith(asides.join(''))
  );
}

const text = { content: bytesOf, isKept: isKeptText, replaces: false };

function delimited(out: string, delimiter: ',' | '\t'): Format {
  return {
    ...text,
    out,
    edits: delimitedEdits(delimiter),
    async uuids(path) {
      const lines = plainText(path);
      const [header = [], ...rows] = readDelimited(
        lines.endsWith('\n') ? lines : `${lines}\n`,
        delimiter,
      ).rows;
      const at = header.indexOf('uuid');
      return rows.flatMap((row) => row[at] || []);
    },
  };
}

/** Returns the text of a file without its byte order mark, and with `\n` as line end. */
function plainText(path: string): string {
  return existsSync(path)
    ? readFileSync(path, 'utf8')
        .replace(/^\ufeff/, '')
        .replaceAll('\r\n', '\n')
    : '';
}

export const formats: readonly Format[] = [
  delimited('out.csv', ','),
  delimited('out.tsv', '\t'),
  {
    ...text,
    out: 'out.ndjson',
    edits: ndjsonEdits,
    async uuids(path) {
      const lines = plainText(path)
        .split('\n')
        .filter((line) => line.trim() !== '');
      return lines.flatMap((line) => (JSON.parse(line) as { uuid?: string }).uuid || []);
    },
  },
  {
    out: 'out.db',
    edits: sqliteEdits,
    replaces: true,
    uuids: async (path) => (await tableOf(path)).flatMap(({ uuid }) => (uuid ? String(uuid) : [])),
    content: async (path) => JSON.stringify(await tableOf(path)),
    isKept(before, after) {
      const rows = JSON.parse(after) as Row[];
      const has = (row: Row): boolean =>
        rows.some((other) => Object.entries(row).every(([name, cell]) => other[name] === cell));
      return (JSON.parse(before) as Row[]).every(has);
    },
  },
];

type Row = Readonly<Record<string, string | null>>;

/** Reads the rows of a table from a copy. A database that cannot be read has its bytes as its only row. */
async function tableOf(path: string): Promise<readonly Row[]> {
  if (!existsSync(path)) return [];
  const copy = `${path}.look`;
  for (const ending of ['', '-wal', '-shm'])
    if (existsSync(path + ending)) cpSync(path + ending, copy + ending, { dereference: true });
  try {
    const database = await openDatabase(copy);
    try {
      const names = (
        await database.all('select name from pragma_table_xinfo(?) where hidden = 0', ['tasks'])
      ).map(([name]) => String(name));
      if (names.length === 0) return [];
      const rows = await database.all(`select ${names.map((name) => `"${name}"`).join()} from tasks`);
      return rows.map((row) =>
        Object.fromEntries(names.map((name, i) => [name, row[i] === null ? null : String(row[i])])),
      );
    } finally {
      database.close();
    }
  } catch {
    return [{ bytes: readFileSync(path, 'latin1') }];
  } finally {
    for (const ending of ['', '-wal', '-shm']) rmSync(copy + ending, { force: true });
  }
}
