/* Tables as made by spreadsheets, databases and people. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { LoadOptions } from '../../src/stages/load/load.ts';
import { loaded, tasksOf } from '../support/loaded.ts';
import { freshFolder, sh } from '../support/run.ts';

const csv: LoadOptions = { format: 'csv' };
const tsv: LoadOptions = { format: 'tsv' };
const ONE = [{ id: '1', url: 'http://h/,1' }];

describe('a first line "sep=;"', () => {
  const rows = (delimiter: string): string => `\r\nid${delimiter}url\r\n1${delimiter}"http://h/,1"\r\n`;
  const utf16 = Buffer.from(`\ufeffsep=;${rows(';')}`, 'utf16le');

  test.each([
    ['a semicolon', `sep=;${rows(';')}`],
    ['a comma', `sep=,${rows(',')}`],
    ['a tab by its escape', `sep=\\t${rows('\t')}`],
    ['a tab', `sep=\t${rows('\t')}`],
    ['in quotes', `"sep=;"${rows(';')}`],
    ['in capitals', `SEP=|${rows('|')}`],
    ['after a byte order mark', `\ufeffsep=;${rows(';')}`],
    ['in UTF-16', utf16],
    ['in UTF-16 the other way round', Buffer.from(utf16).swap16()],
  ])('sets the delimiter: %s', async (_, input) => {
    expect(await tasksOf(input, csv)).toEqual(ONE);
    expect((await loaded(input)).tasks).toEqual(ONE);
    expect(await tasksOf(input, tsv)).toEqual(ONE);
  });

  test('is never a row, whatever the other options', async () => {
    const input = `sep=;${rows(';')}`;
    const names = { columns: ['a', 'b'] };
    const values = [{ a: '1', b: 'http://h/,1' }];
    expect(await tasksOf(input, { ...csv, delimiter: ';' })).toEqual(ONE);
    expect(await tasksOf(input, { ...csv, delimiter: ';', ...names })).toEqual(values);
    expect(await tasksOf(input, { ...csv, ...names })).toEqual(values);
    expect(await tasksOf(input, { ...csv, header: false })).toHaveLength(2);
  });

  test('is noted if --delimiter differs, and rejected if it is invalid', async () => {
    const { notes } = await loaded('sep=;\na,b\n1,2\n', { ...csv, delimiter: ',' });
    expect(notes).toEqual(['stdin:1: the line "sep=" names the delimiter ";", but --delimiter "," is used']);
    for (const line of ['sep=;;', 'sep='])
      await expect(loaded(`${line}\na;b\n`, csv)).rejects.toThrow('stdin:1: the line "sep=" must name');
  });

  test('keeps the line numbers of rows', async () => {
    expect((await loaded('sep=;\na;b\n1\n', csv)).bad).toMatchObject([{ line: 3 }]);
  });
});

describe('quotes and escapes', () => {
  test('TSV has no quotes: each line is a row', async () => {
    expect(await tasksOf('id\ttitle\n1\t"Foo\n2\tbar"\n3\t5" pipe\n', tsv)).toEqual([
      { id: '1', title: '"Foo' },
      { id: '2', title: 'bar"' },
      { id: '3', title: '5" pipe' },
    ]);
  });

  test('TSV uses the escapes of PostgreSQL and Miller', async () => {
    expect(await tasksOf('a\tb\nx\\ty\\nz\\r\\\\\t\\N\nc:\\dir\\\t"\n', tsv)).toEqual([
      { a: 'x\ty\nz\r\\', b: '' },
      { a: 'c:\\dir\\', b: '"' },
    ]);
    expect(await tasksOf('a\nx\\ty\n', { ...tsv, escape: 'none' })).toEqual([{ a: 'x\\ty' }]);
  });

  test('a TSV with a quoted first cell is read with quotes, and a note says so', async () => {
    const input = '"id"\t"title"\n1\t"a ""b""\n\tc"\n';
    const { tasks, notes } = await loaded(input, tsv, 1);
    expect(tasks).toEqual([{ id: '1', title: 'a "b"\n\tc' }]);
    expect(notes.join()).toContain('--quote none');
    expect((await loaded(input, { ...tsv, quote: 'none' })).notes.join()).not.toContain('the first cell');
  });

  test('possible quotes and literal backslashes in TSV are noted once', async () => {
    const quoted = await loaded('a\tb\nx\t"y ""z"""\nx\t"y ""z"""\n', tsv);
    expect(quoted.notes).toEqual([expect.stringContaining(`if they enclose cells here, add --quote '"'`)]);
    const paths = await loaded('a\nC:\\temp\nD:\\Users\n', tsv);
    expect(paths.notes).toEqual([expect.stringContaining('add --escape none')]);
    expect((await loaded('a\tb\n1\t"x\ty"\n', tsv)).bad).toMatchObject([
      { message: `3 cells, the header has 2; if quotes enclose cells in this file: --quote '"'` },
    ]);
  });

  test.each<[string, string, LoadOptions, unknown[]]>([
    ['none', 'a,b\n"x,y"\n', { quote: 'none' }, [{ a: '"x', b: 'y"' }]],
    ['another one', "a,b\n'x,''y',\"z\n", { quote: "'" }, [{ a: "x,'y", b: '"z' }]],
    ['escaped', 'a,b\n"x\\",y",c\\,d\n', { escape: '\\' }, [{ a: 'x",y', b: 'c,d' }]],
    [
      'none, and escapes',
      'a,b\n"x\\,y,c\\\nd\n',
      { quote: 'none', escape: '\\' },
      [{ a: '"x,y', b: 'c\nd' }],
    ],
    ['those of CSV in TSV', 'a\tb\n"x\ty"\t\\t\n', { format: 'tsv', quote: '"' }, [{ a: 'x\ty', b: '\\t' }]],
    ['doubled, said so', 'a,b\n"x""y",\n', { escape: '"' }, [{ a: 'x"y', b: '' }]],
  ])('quote and escape set the dialect: %s', async (_, input, options, tasks) => {
    expect(await tasksOf(input, { ...csv, ...options })).toEqual(tasks);
  });

  test('load() rejects conflicting quote, escape and delimiter characters', async () => {
    await expect(loaded('a\n', { ...csv, quote: ',' })).rejects.toThrow('must be different characters');
    await expect(loaded('a\n', { ...csv, escape: ';', delimiter: ';' })).rejects.toThrow('must be different');
    await expect(loaded('a\n', { ...csv, quote: 'ab' })).rejects.toThrow('quote must be one character');
    await expect(loaded('a\n', { ...csv, comment: '' })).rejects.toThrow(
      'comment must be the beginning of a line',
    );
  });
});

describe('lines before and between rows', () => {
  test('--skip and --comment keep the line numbers in messages', async () => {
    const input = 'Report\n"\n# c "\n\nid,url\n#1,"\n1,"#\n#2"\n3\n';
    for (const length of [1, 5, 100]) {
      const { tasks, bad } = await loaded(input, { ...csv, skip: 2, comment: '#' }, length);
      expect(tasks).toEqual([{ id: '1', url: '#\n#2' }]);
      expect(bad).toMatchObject([{ line: 9, message: '1 cell, the header has 2' }]);
    }
  });

  test('--skip and --comment apply to plain lines too', async () => {
    const options: LoadOptions = { format: 'lines', skip: 1, comment: '//' };
    expect(await tasksOf('a\n//b\nc\n', options)).toEqual([{ line: 'c' }]);
  });

  test('a title that is read as the header suggests --skip', async () => {
    const { bad } = await loaded('Report 2024\n\nid,url\n1,2\n', csv);
    expect(bad[0]?.message).toBe('2 cells, the header has 1; if the header is in line 3: --skip 2');
    expect(await tasksOf('Report 2024\n\nid,url\n1,2\n', { ...csv, skip: 2 })).toEqual([
      { id: '1', url: '2' },
    ]);
  });
});

test.each([
  ['"a";"b"\n"1";"2"\n', ';', { a: '1', b: '2' }],
  ['"a"\t"b"\n"1"\t"2"\n', '\t', { a: '1', b: '2' }],
])('quoted cells with another delimiter suggest --delimiter: %j', async (input, delimiter, task) => {
  const typed = JSON.stringify(delimiter).slice(1, -1);
  await expect(loaded(input, csv)).rejects.toThrow(
    `text follows a closing quote (a quote inside a quoted cell must be doubled); if ${JSON.stringify(delimiter)} separates the cells, add --delimiter '${typed}'`,
  );
  expect(await tasksOf(input, { ...csv, delimiter })).toEqual([task]);
  const { bad } = await loaded('a;b\n"1";"2"\n', csv);
  expect(bad[0]?.message).toContain(`if ";" separates the cells, add --delimiter ';'`);
});

test('a title above a table with another delimiter suggests --delimiter and --skip', async () => {
  const input = 'Estrazione\nid;name;x\n1;2;3\n';
  expect((await loaded(input, csv)).notes).toEqual([
    `stdin: the header is one column, but the row below it has ";"; if that separates the cells, add --delimiter ';', and --skip N for N lines before the header`,
  ]);
  expect(await tasksOf(input, { ...csv, delimiter: ';', skip: 1 })).toEqual([{ id: '1', name: '2', x: '3' }]);
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'a.csv'), input);
  expect((await sh('task-load a.csv', { cwd })).stderr).toContain('a.csv: the header is one column, but');
});

test('tabs and newlines escaped by MySQL suggest --escape', async () => {
  const input = 'id\ts\n1\ta\\\tb\n2\tc\\\nd\n3\t\\N\n';
  expect((await loaded(input, tsv)).bad[0]?.message).toContain(
    "; if \\ escapes tabs and newlines here: --escape '\\'",
  );
  expect(await tasksOf(input, { ...tsv, escape: '\\' })).toEqual([
    { id: '1', s: 'a\tb' },
    { id: '2', s: 'c\nd' },
    { id: '3', s: '' },
  ]);
});

describe('headers', () => {
  test.each([
    ['a url', 'http://h/1\nhttp://h/2\n'],
    ['a url', 'Foo,https://h/1\n'],
    ['a number', '1,2,3\n'],
    ['a number', '17.50,1e9\n'],
    ['a date', '2024-01-31,12\n'],
    ['a number', '000001,Ann,2026-01-02\n'],
    ['a number', '1,a\n'],
    ['a number', '2019,country\n'],
    ['a number', 'Ann,42\n'],
    ['a number', 'Ann,42,31\n'],
    ['a number', 'Ann,12.5,2026-01-02\n'],
    ['a date', 'Ann,2026-01-02,42\n'],
    ['a date', '2026-01-02,Ann\n'],
    ['an e-mail address', 'Ann,ann@example.org\n'],
    ['a uuid', 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6,x\n'],
    ['an IP address', '10.0.0.1\n'],
    ['the path of a file', '/data/a.png,x\n'],
    ['a text', `id,${'word '.repeat(60)}\n`],
  ])('a first row that looks like data suggests --no-header: %s (case %#)', async (kind, input) => {
    const { notes } = await loaded(input, csv);
    expect(notes).toEqual([
      expect.stringMatching(`^stdin:1: the first row looks like data, as ".*" is ${kind}, `),
    ]);
    expect(notes[0]).toMatch(/the columns are named ".*; if the file has no header, add --no-header$/s);
    expect((await loaded(input, { ...csv, header: false })).notes).toEqual([]);
  });

  test.each([
    'name,2019,2020',
    'name,2020',
    'name,1990,2000,2001',
    'region,2024-01-01',
    'region,2024-01-01,2024-02-01',
    'month,1,2,3',
    'month,1,2',
    'age,0,10,20,30',
    'region,1/22/20,1/23/20',
    'gene,10001,10002',
    'country,2024',
    'id,url',
    'uuid,run.state,a/b',
    'Ünï,名前',
    'q1 (2020),e-mail',
    'a@b',
    '_,-',
  ])('a usual header gives no warning: %s', async (header) => {
    expect((await loaded(`${header}\n`, csv)).notes).toEqual([]);
  });

  test('a first row that --columns replaces gets the warning too', async () => {
    const { notes } = await loaded('http://h/1\n', { ...csv, columns: ['url'] });
    expect(notes).toEqual([expect.stringContaining('which --columns replaces')]);
    expect((await loaded('http://h/1\n', { ...csv, columns: ['url'], header: false })).notes).toEqual([]);
  });

  test.each([
    [';', "';'"],
    ['\t', "'\\t'"],
    ['|', "'|'"],
  ])('a header with another delimiter suggests --delimiter: %j', async (delimiter, typed) => {
    const input = ['id', 'price\n1', '1,5\n'].join(delimiter);
    expect((await loaded(input, csv)).notes).toEqual([expect.stringContaining(`add --delimiter ${typed}`)]);
    expect(await tasksOf(input, { ...csv, delimiter })).toEqual([{ id: '1', price: '1,5' }]);
  });

  test('spaces around names are noted, with the names to type', async () => {
    expect((await loaded('id , url\n1,2\n', csv)).notes).toEqual([
      `stdin:1: spaces are part of the column names "id ", " url"; to drop them, add --columns 'id,url'`,
    ]);
  });

  test.each([
    ['a,b,a', 'columns 1 and 3 are both named "a"'],
    ['a,,b', 'column 2 has an empty name'],
  ])('invalid names are an error with the options to type: %s', async (header, words) => {
    const error = `stdin:1: ${words}; name the columns with --columns, or add --no-header if the first row is data`;
    await expect(loaded(`${header}\n`, csv)).rejects.toThrow(error);
  });

  test('a line break in a quoted name is kept, and a lone CR at line ends is an error', async () => {
    expect(await tasksOf('"id","url\r\n(full)"\r\n"1","2"\r\n', csv)).toEqual([
      { id: '1', 'url\r\n(full)': '2' },
    ]);
    expect(await tasksOf('id,"a\rb"\n1,2\n', csv)).toEqual([{ id: '1', 'a\rb': '2' }]);
    for (const input of ['a,b\r1,2\r', '"a","b"\r"1","2"\r'])
      await expect(loaded(input, csv)).rejects.toThrow(
        "lines end in a lone CR; turn them into newlines with: tr '\\r' '\\n'",
      );
  });
});

describe('a stray quote', () => {
  const rows = (line: (i: number) => string | undefined): string =>
    `id,v\n${Array.from({ length: 2000 }, (_, i) => `${i + 1},${line(i + 1) ?? 'text'}\n`).join('')}`;

  test.each([16 * 1024 * 1024, 2000])(
    'is reported with the number of lines it took if it is never closed (--max-line %i)',
    async (maxLine) => {
      const { tasks, bad } = await loaded(
        rows((i) => (i === 11 ? '"abc' : undefined)),
        { ...csv, maxLine },
      );
      expect(tasks).toHaveLength(10);
      expect(bad).toMatchObject([
        { line: 12, message: expect.stringMatching(/1,99[01] lines.*--quote none$/) },
      ]);
    },
  );

  test('is reported with its line in a file that has quotes', async () => {
    const { bad } = await loaded(`id,v\n0,"q"\n1,2\n3,"x\ny","z\nu\n`, csv);
    expect(bad[0]?.message).toBe(
      'a quote opened in line 5 is never closed; 3 lines up to the end went into this row; close or double the quote in line 5',
    );
  });

  test('is reported if it closes far below, whether its row is rejected or not', async () => {
    const text = await loaded(
      rows((i) => (i === 11 ? '"abc' : i === 900 ? '"x"' : undefined)),
      csv,
    );
    expect(text.bad).toMatchObject([
      { line: 12, message: expect.stringContaining('890 lines went into this row') },
    ]);
    const cells = await loaded(
      rows((i) => (i === 11 ? '"abc' : i === 900 ? 'x",y' : undefined)),
      csv,
    );
    expect(cells.bad[0]?.message).toContain('3 cells, the header has 2; a quote joins 890 lines to this row');
    const joined = await loaded(
      rows((i) => (i === 11 ? '"abc' : i === 900 ? 'x"' : undefined)),
      csv,
    );
    expect([joined.tasks.length, joined.bad]).toEqual([1111, []]);
    expect(joined.notes).toEqual([expect.stringContaining('stdin:12: quotes join 890 lines to this row')]);
  });

  test('is not suspected in cells of several lines', async () => {
    expect((await loaded('id,v\n1,"a\nb\nc"\n2,"x, y\nz\n"\n', csv)).notes).toEqual([]);
  });

  test('suggests --escape if a backslash escapes it', async () => {
    const input = 'id,v\n1,"a \\"b\\" c"\n';
    expect((await loaded(input, csv)).bad[0]?.message).toContain("--escape '\\'");
    expect(await tasksOf(input, { ...csv, escape: '\\' })).toEqual([{ id: '1', v: 'a "b" c' }]);
  });
});

test('task-load says once how to keep rejected rows', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'a.csv'), 'a,b\n1\n1,2,3\n');
  const { stderr, code } = await sh('task-load a.csv', { cwd });
  expect([stderr.split('\n').slice(0, 2), code]).toEqual([
    [
      'task-load: a.csv:2: 1 cell, the header has 2 (--rejects FILE keeps such rows)',
      'task-load: a.csv:3: 3 cells, the header has 2',
    ],
    1,
  ]);
  expect((await sh('task-load a.csv --rejects bad', { cwd })).stderr).not.toContain('keeps such rows');
});

test('task-load accepts and checks the options of a table', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'a.csv'), "#c\nx\na;b\n1;'2;3'\n");
  const { stdout } = await sh(
    `task-load a.csv --comment '#' --skip 2 --delimiter ';' --quote "'" --escape none`,
    { cwd },
  );
  expect(stdout).toContain('"a":"1","b":"2;3"');
  for (const words of ['--quote ab', "--escape ''", "--comment ''", '--skip -1'])
    expect(await sh(`task-load a.csv ${words}`, { cwd })).toMatchObject({ code: 2, stdout: '' });
});
