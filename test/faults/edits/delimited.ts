import { readDelimited } from '../support/oracle.ts';
import type { Edit, Kind } from './edit.ts';
import { textEdit, texts } from './texts.ts';
import { wholeFiles } from './whole-files.ts';

/** Table as its header and its rows. */
type Table = readonly [readonly string[], ...(readonly string[])[]];

/** Escapes of TSV, which has no quotes. */
const TSV_ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** Returns the edits of CSV or TSV. */
export function delimitedEdits(delimiter: ',' | '\t'): readonly Edit[] {
  const quote = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;
  const escaped = (cell: string): string =>
    cell.replace(/[\\\t\n\r]/g, (sign) => TSV_ESCAPES[sign] as string);
  const plain = (cell: string): string => {
    if (delimiter === '\t') return escaped(cell);
    return /[",\t\n]/.test(cell) ? quote(cell) : cell;
  };
  const write = (table: Table, cellOf = plain): string =>
    table.map((row) => `${row.map(cellOf).join(delimiter)}\n`).join('');
  const edit = (name: string, kind: Kind, change: (table: Table) => Table, cellOf = plain): Edit =>
    textEdit(name, kind, (text) =>
      write(change(readDelimited(text, delimiter).rows as unknown as Table), cellOf),
    );
  const rows = (
    name: string,
    kind: Kind,
    change: (rows: readonly (readonly string[])[]) => (readonly string[])[],
  ): Edit => edit(name, kind, ([header, ...others]) => [header, ...change(others)]);
  const cells = (
    name: string,
    kind: Kind,
    change: (row: readonly string[], i: number) => readonly string[],
  ): Edit => edit(name, kind, (table) => table.map(change) as unknown as Table);
  const other = delimiter === ',' ? '\t' : ',';
  return [
    ...wholeFiles,
    ...texts,
    edit('every cell quoted', 'harmless', (table) => table, quote),
    edit('quotes where they are needed', 'harmless', (table) => table),
    cells('the columns reversed', 'harmless', (row) => row.toReversed()),
    cells('the uuid last', 'harmless', ([uuid = '', ...more]) => [...more, uuid]),
    cells('a column added', 'harmless', (row, i) => [...row, i === 0 ? 'note' : '']),
    cells('a column added before the others', 'harmless', (row, i) => [
      i === 0 ? 'note' : 'seen, "ok"',
      ...row,
    ]),
    cells('a column removed', 'harmless', (row) => row.slice(0, 2)),
    cells('a column renamed', 'harmless', (row, i) => (i === 0 ? ['uuid', 'n', 'words'] : row)),
    rows('sorted', 'harmless', (all) => all.toSorted()),
    rows('upside down', 'harmless', (all) => all.toReversed()),
    rows('a row added', 'harmless', (all) => [...all, ['mine', '8', 'by hand']]),
    rows('a row added before the others', 'harmless', (all) => [['mine', '8', 'by hand'], ...all]),
    textEdit(
      'a row added without a line end',
      'harmless',
      (text) => `${text}${['mine', '8', 'x'].join(delimiter)}`,
    ),
    rows('a row added for the next task', 'harmless', (all) => [...all, ['new', '7', 'by hand']]),
    rows('a row doubled', 'harmless', (all) => [...all, all[1] as string[]]),
    rows('all rows doubled', 'harmless', (all) => [...all, ...all]),
    rows('two uuids swapped', 'harmless', ([a = [], b = [], ...more]) => [
      [b[0] ?? '', ...a.slice(1)],
      [a[0] ?? '', ...b.slice(1)],
      ...more,
    ]),
    rows('a cell with lines and quotes', 'harmless', ([a = [], ...more]) => [
      [a[0] ?? '', '1', 'a\n"b"\n'],
      ...more,
    ]),
    rows('the header twice', 'harmless', (all) => [
      ...all.slice(0, 2),
      ['uuid', 'n', 'text'],
      ...all.slice(2),
    ]),
    textEdit('the file twice, with its header', 'harmless', (text) => text + text),
    rows('the first row deleted', 'lossy', (all) => all.slice(1)),
    rows('the last row deleted', 'lossy', (all) => all.slice(0, -1)),
    rows('a row deleted in the middle', 'lossy', (all) => all.filter((_, i) => i !== 2)),
    rows('all rows deleted', 'lossy', () => []),
    textEdit('the header left, without a line end', 'lossy', (text) => text.slice(0, text.indexOf('\n'))),
    rows('a row deleted, and others added', 'lossy', (all) => [
      ...all.slice(1),
      ['x', '8', ''],
      ['y', '9', ''],
    ]),
    cells('one uuid emptied', 'lossy', (row, i) => (i === 2 ? ['', ...row.slice(1)] : row)),
    cells('all uuids emptied', 'lossy', (row, i) => (i > 0 ? ['', ...row.slice(1)] : row)),
    cells('one uuid blanked', 'lossy', (row, i) => (i === 2 ? ['  ', ...row.slice(1)] : row)),
    cells('a uuid made a number', 'lossy', (row) => [
      row[0] === '0003' ? '3' : String(row[0]),
      ...row.slice(1),
    ]),
    cells('the uuids in capitals', 'lossy', (row, i) =>
      i > 0 ? [String(row[0]).toUpperCase(), ...row.slice(1)] : row,
    ),
    textEdit('cut in the middle of the last row', 'lossy', (text) =>
      text.slice(0, text.lastIndexOf('t6') + 3),
    ),
    textEdit('a row without a uuid', 'unclear', (text) => `${text}${['', '9', 'total'].join(delimiter)}\n`),
    cells('the uuid column removed', 'unclear', (row) => row.slice(1)),
    cells('the uuid column renamed', 'unclear', (row, i) => (i === 0 ? ['id', ...row.slice(1)] : row)),
    edit('the header removed', 'unclear', ([, ...others]) => others as unknown as Table),
    cells('a cell too many', 'broken', (row, i) => (i === 3 ? [...row, 'x'] : row)),
    cells('a cell too few', 'broken', (row, i) => (i === 3 ? row.slice(0, -1) : row)),
    ...(delimiter === ','
      ? [textEdit('a quote opened and not closed', 'broken', (text) => text.replace('plain', '"plain'))]
      : []),
    textEdit(
      'the header again at the end, without a line end',
      'broken',
      (text) => text + text.slice(0, text.search(/\r?\n/)),
    ),
    textEdit('a comment', 'broken', (text) => `${text}# checked\n`),
    textEdit('a comment without a line end', 'broken', (text) => `${text}# checked`),
    edit(
      'semicolons',
      'broken',
      (table) => table.map((row) => [row.map(plain).join(';')]) as unknown as Table,
      String,
    ),
    edit(
      'the other delimiter',
      'broken',
      (table) => table.map((row) => [row.map(plain).join(other)]) as unknown as Table,
      String,
    ),
    textEdit('a first line for Excel', 'broken', (text) => `sep=;\n${text}`),
  ];
}
