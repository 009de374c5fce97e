/* One table of values through every loader: values that a format can hold are read unchanged. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import { Zstd } from '@hpcc-js/wasm-zstd';
import { expect, test } from 'vitest';
import { openDatabase } from '../../src/core/storage/sqlite-database.ts';
import { load } from '../../src/stages/load/load.ts';
import { NUMBERS, TEXTS } from '../support/awkward-values.ts';
import { duckdb } from '../support/duckdb.ts';
import { needsPostgres, startPostgres } from '../support/postgres.ts';
import { freshFolder } from '../support/run.ts';
import { workbookOf } from '../support/zip.ts';

interface Format {
  readonly name: string;
  /** True if a number stays a number; otherwise it is text. */
  readonly isTyped: boolean;
  write(path: string): Promise<void> | void;
}

const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
const csv = (): string =>
  `n,v\n${[...TEXTS, ...NUMBERS].map((value, i) => `${i},${quoted(value)}\n`).join('')}`;
const records = (): string[] => [
  ...TEXTS.map((value, i) => `{"n":${i},"v":${JSON.stringify(value)}}`),
  ...NUMBERS.map((value, i) => `{"n":${TEXTS.length + i},"v":${value}}`),
];
const ndjson = (): string => records().join('\n');
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('_x', '_x005F_x');
const sqlText = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const FORMATS: readonly Format[] = [
  { name: 'a.csv', isTyped: false, write: (path) => writeFileSync(path, csv()) },
  { name: 'a.csv.gz', isTyped: false, write: (path) => writeFileSync(path, zlib.gzipSync(csv())) },
  {
    name: 'a.tsv',
    isTyped: false,
    write: (path) => {
      const cell = (text: string): string =>
        text.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n');
      writeFileSync(
        path,
        `n\tv\n${[...TEXTS, ...NUMBERS].map((value, i) => `${i}\t${cell(value)}\n`).join('')}`,
      );
    },
  },
  { name: 'a.ndjson', isTyped: true, write: (path) => writeFileSync(path, ndjson()) },
  {
    name: 'a.ndjson.zst',
    isTyped: true,
    write: async (path) => writeFileSync(path, (await Zstd.load()).compress(Buffer.from(ndjson()))),
  },
  { name: 'a.json', isTyped: true, write: (path) => writeFileSync(path, `[${records().join(',\n')}]`) },
  {
    name: 'a.db',
    isTyped: true,
    async write(path) {
      const database = await openDatabase(path);
      const rows = [...TEXTS.map(sqlText), ...NUMBERS].map((value, i) => `(${i}, ${value})`);
      await database.exec(`create table tasks (n integer, v); insert into tasks values ${rows.join(', ')}`);
      database.close();
    },
  },
  {
    name: 'a.xlsx',
    isTyped: true,
    write(path) {
      const texts = TEXTS.map(
        (value, i) =>
          `<row><c><v>${i}</v></c><c t="inlineStr"><is><t xml:space="preserve">${escaped(value)}</t></is></c></row>`,
      );
      const numbers = NUMBERS.map(
        (value, i) => `<row><c><v>${TEXTS.length + i}</v></c><c><v>${value}</v></c></row>`,
      );
      const header = '<row><c t="str"><v>n</v></c><c t="str"><v>v</v></c></row>';
      writeFileSync(path, workbookOf(header + texts.join('') + numbers.join('')));
    },
  },
  {
    name: 'a.parquet',
    isTyped: false,
    async write(path) {
      const rows = [...TEXTS, ...NUMBERS].map((value, i) => `(${i}, ${sqlText(value)})`);
      await duckdb(`copy (select * from (values ${rows.join(', ')}) t(n, v)) to '${path}' (format parquet)`);
    },
  },
];

/** Expects that a loader gives the values of the table. @param isTyped true if a number stays a number */
async function expectValues(place: string, isTyped: boolean): Promise<void> {
  const found: string[] = [];
  for await (const tasks of load(place, { duplicates: 'keep' }))
    for (const { line } of tasks) found.push(line.replace(/^.*?"v":/s, '').slice(0, -1));
  expect(TEXTS.length + NUMBERS.length).toBeGreaterThanOrEqual(40);
  const texts = found.slice(0, TEXTS.length).map((json) => JSON.parse(json) as unknown);
  expect(texts).toEqual(TEXTS);
  const numbers = found.slice(TEXTS.length);
  expect(numbers).toEqual(isTyped ? NUMBERS : NUMBERS.map((value) => JSON.stringify(value)));
}

test.each(FORMATS)('$name keeps the values of the table', async ({ name, isTyped, write }) => {
  const path = join(freshFolder(), name);
  await write(path);
  await expectValues(path, isTyped);
});

test('PostgreSQL keeps the values of the table', async (context) => {
  await needsPostgres(context);
  const { sql, url } = await startPostgres();
  const values = [...TEXTS.map((text) => JSON.stringify(text)), ...NUMBERS];
  const rows = values.map((value, i) => `(${i}, ${sqlText(value)})`);
  sql(`create table tasks (n int, v json); insert into tasks values ${rows.join(', ')}`);
  await expectValues(url, true);
}, 60_000);
