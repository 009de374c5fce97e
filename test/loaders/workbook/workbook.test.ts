import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { BadInput } from '../../../src/core/text/lines.ts';
import { type LoadOptions, load } from '../../../src/stages/load/load.ts';
import { freshFolder, sh } from '../../support/run.ts';
import { workbookOf, zipOf } from '../../support/zip.ts';

interface Read {
  readonly tasks: readonly unknown[];
  readonly bad: readonly BadInput[];
  readonly notes: readonly string[];
}

async function read(book: Buffer, options: LoadOptions = {}): Promise<Read> {
  const path = join(freshFolder(), 'a.xlsx');
  writeFileSync(path, book);
  const [tasks, bad, notes]: [unknown[], BadInput[], string[]] = [[], [], []];
  const told = { reject: (one: BadInput) => bad.push(one), info: (words: string) => notes.push(words) };
  for await (const batch of load(path, { duplicates: 'keep', ...told, ...options }))
    tasks.push(...batch.map(({ fields: { uuid: _, ...rest } }) => rest));
  return { tasks, bad, notes };
}

const text = (value: string): string => `<c t="inlineStr"><is><t xml:space="preserve">${value}</t></is></c>`;
const row = (...cells: readonly string[]): string => `<row>${cells.join('')}</row>`;
const n = (value: string, style = 0): string => `<c s="${style}"><v>${value}</v></c>`;

describe('the cells of a workbook', () => {
  test('keep numbers as written, booleans, errors, and results of formulas', async () => {
    const cells = [
      n('1.10'),
      n('9007199254740993'),
      n('1E-7'),
      '<c t="b"><v>1</v></c>',
      '<c t="e"><v>#N/A</v></c>',
    ];
    const { tasks } = await read(
      workbookOf(
        row(...['a', 'b', 'c', 'd', 'e', 'f', 'g'].map(text)) +
          row(...cells, '<c t="str"><f>A1&amp;"x"</f><v>ax</v></c>', '<c><f>1+1</f><v>2</v></c>'),
      ),
      { select: ['a', 'b', 'c', 'd', 'e', 'f', 'g'] },
    );
    expect(JSON.stringify(tasks)).toBe(
      '[{"a":1.1,"b":9007199254740992,"c":1e-7,"d":true,"e":"#N/A","f":"ax","g":2}]',
    );
    const cwd = freshFolder();
    writeFileSync(
      join(cwd, 'a.xlsx'),
      workbookOf(row(text('a'), text('b')) + row(n('1.10'), n('9007199254740993'))),
    );
    const { stdout } = await sh('task-load a.xlsx', { cwd });
    expect(stdout).toContain('"a":1.10,"b":9007199254740993}');
  });

  test('in rich text, with a pronunciation, or with escapes are their text', async () => {
    const shared =
      '<si><t>plain</t></si><si><r><t xml:space="preserve">bold </t></r><r><t>and not</t></r></si>' +
      '<si><t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh></si><si><t>a_x000D_&#10;_x005F_x0041_ 🙂</t></si>';
    const s = (i: number): string => `<c t="s"><v>${i}</v></c>`;
    const { tasks } = await read(
      workbookOf(row(s(0), text('b'), text('c')) + row(s(1), s(2), s(3)), { shared }),
    );
    expect(tasks).toEqual([{ plain: 'bold and not', b: '東京', c: 'a\r\n_x0041_ 🙂' }]);
  });

  test('with a format of dates are ISO text, by both calendars', async () => {
    const styles =
      '<numFmts><numFmt numFmtId="164" formatCode="[$-409]d\\-mmm\\-yy;@"/><numFmt numFmtId="165" formatCode="[h]:mm"/>' +
      '<numFmt numFmtId="166" formatCode="0.00&quot; days&quot;"/><numFmt numFmtId="167" formatCode="[Red]#,##0"/></numFmts>' +
      `<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>${[0, 14, 22, 21, 164, 165, 166, 167].map((id) => `<xf numFmtId="${id}"/>`).join('')}</cellXfs>`;
    const values: readonly (readonly [string, number])[] = [
      ['45368', 1],
      ['45368.573263888889', 2],
      ['0.573263888888889', 3],
      ['45368.5', 4],
      ['1.5034722222', 5],
      ['1.5', 6],
      ['-3', 7],
      ['60', 1],
      ['1', 1],
      ['-1', 1],
      ['2958466', 1],
    ];
    const names = values.map((_, i) => text(`c${i}`));
    const cells = values.map(([value, style]) => n(value, style));
    const of = async (workbookPr: string): Promise<unknown[]> => {
      const { tasks } = await read(workbookOf(row(...names) + row(...cells), { styles, workbookPr }));
      return Object.values(tasks[0] as object);
    };
    expect(await of('')).toEqual([
      ...['2024-03-17', '2024-03-17T13:45:30', '13:45:30', '2024-03-17T12:00:00', '36:05:00'],
      ...[1.5, -3, '1900-02-29', '1900-01-01', -1, 2958466],
    ]);
    expect((await of('<workbookPr date1904="1"/>')).slice(0, 2)).toEqual([
      '2028-03-18',
      '2028-03-18T13:45:30',
    ]);
  });

  test('may lack names, have gaps, or be in elements with a prefix', async () => {
    const sheet = `<?xml version="1.0"?><x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><x:sheetData>
      <x:row r="3"><x:c r="A3" t="str"><x:v>a</x:v></x:c><x:c r="B3" t="str"><x:v>b</x:v></x:c><x:c t="str"><x:v>c</x:v></x:c></x:row>
      <x:row r="4"/><x:row r="9"><x:c r="C9"><x:v>1</x:v></x:c></x:row></x:sheetData></x:worksheet>`;
    expect((await read(workbookOf(sheet))).tasks).toEqual([{ c: 1 }]);
    const { bad } = await read(workbookOf(row(text('a')) + row(n('1')) + row(n('2'), n('3'))));
    expect(bad).toMatchObject([
      { line: 3, code: 'CSV', message: expect.stringContaining('the header has 1 column') },
    ]);
  });
});

describe('the sheet of a workbook', () => {
  const more = { Prices: row(text('p')) + row(n('5')), Empty: '' };

  test('is the first one that is not hidden, or that of --sheet', async () => {
    const book = workbookOf(row(text('a')) + row(n('1')), { more });
    const first = await read(book);
    expect([first.tasks, first.notes]).toEqual([
      [{ a: 1 }],
      [expect.stringContaining('read the sheet "First"; there are also "Prices", "Empty" (--sheet)')],
    ]);
    expect((await read(book, { sheet: 'prices' })).tasks).toEqual([{ p: 5 }]);
    expect((await read(book, { sheet: 'Empty' })).tasks).toEqual([]);
    expect((await read(workbookOf(row(text('a')), { more, state: 'hidden' }))).tasks).toEqual([{ p: 5 }]);
    await expect(read(book, { sheet: 'Price' })).rejects.toThrow(
      'has no sheet "Price" (--sheet); it has "First",',
    );
  });

  test('may have no header, rows before it, or columns that get a name', async () => {
    const book = workbookOf(row(text('title')) + row(text('a'), text('b')) + row(n('1'), n('2')));
    expect((await read(book, { skip: 1 })).tasks).toEqual([{ a: 1, b: 2 }]);
    expect((await read(book, { skip: 2, header: false })).tasks).toEqual([{ column1: 1, column2: 2 }]);
    const renamed = await read(book, { skip: 1, columns: ['x', 'y'], rename: [['y', 'z']], select: ['z'] });
    expect(renamed.tasks).toEqual([{ z: 2 }]);
    await expect(read(book, { skip: 1, uuidFields: ['c'] })).rejects.toThrow('no column "c" (--uuid-fields)');
  });

  test('reports merged cells, and formulas without a stored value', async () => {
    const sheet = `<?xml version="1.0"?><worksheet><sheetData>${row(text('a'), text('b'))}${row(n('1'), '<c><f>1+1</f></c>')}</sheetData><mergeCells><mergeCell ref="A1:A2"/></mergeCells></worksheet>`;
    const { tasks, notes } = await read(workbookOf(sheet));
    expect([tasks, notes]).toEqual([
      [{ a: 1 }],
      [expect.stringContaining('1 formula had no stored value'), expect.stringContaining('cells are merged')],
    ]);
  });
});

/** Returns a compound file whose directory has a stream of this name. */
function compoundOf(stream: string): Buffer {
  const file = Buffer.alloc(2048);
  Buffer.from('d0cf11e0a1b11ae1', 'hex').copy(file);
  file.writeUInt16LE(9, 30);
  file.writeUInt32LE(1, 48);
  file.write(stream, 1024, 'utf16le');
  return file;
}

test.each<[string, Buffer, string]>([
  ['with a password', compoundOf('EncryptedPackage'), 'has a password: remove it'],
  ['of the old format', compoundOf('Workbook'), 'is a workbook of the old format (.xls)'],
  ['in binary', zipOf({ 'xl/workbook.bin': 'x' }), 'is a binary workbook (.xlsb)'],
  ['of OpenDocument', zipOf({ 'content.xml': 'x' }), 'is a workbook of OpenDocument (.ods)'],
  ['that is another zip archive', zipOf({ 'a.txt': 'x' }), 'is a zip archive, but not a workbook'],
  ['that is HTML', Buffer.from('<html><table>'), 'is not a workbook (.xlsx), but HTML or XML'],
  ['that is text', Buffer.from('a,b\n1,2\n'), 'is not a workbook (.xlsx); if it is a table as text'],
  ['that is empty', Buffer.alloc(0), 'is empty'],
  ['that is cut short', workbookOf(row(text('a'))).subarray(0, 900), 'damaged or cut short'],
  ['with XML that is cut short', workbookOf('<?xml version="1.0"?><worksheet><row>'), 'is not valid XML'],
])('a workbook %s is rejected with its kind', async (_, book, words) => {
  await expect(read(book)).rejects.toThrow(words);
});

test('a zip bomb takes bounded memory: its size is checked, and a text of 16 MB ends it', async () => {
  const bomb = workbookOf(
    `<?xml version="1.0"?><worksheet><sheetData a="${'0'.repeat(40_000_000)}"/></worksheet>`,
  );
  expect(bomb.length).toBeLessThan(100_000);
  await expect(read(bomb)).rejects.toThrow('has a text of more than 16 MB');
  const lying = Buffer.from(bomb);
  const name = lying.lastIndexOf('xl/worksheets/sheet0.xml');
  lying.writeUInt32LE(1000, name - 46 + 24);
  await expect(read(lying)).rejects.toThrow('damaged or cut short');
  const long = await read(workbookOf(row(text('a')) + row(text('x'.repeat(2000))) + row(n('1'))), {
    maxLine: 1000,
  });
  expect([long.tasks, long.bad[0]?.code]).toEqual([[{ a: 1 }], 'LONG']);
});

test('a workbook is not read from a pipe, and the message says what to type', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'a.xlsx'), workbookOf(row(text('a')) + row(n('1'))));
  const { stderr, code } = await sh('task-load --format csv < a.xlsx', { cwd });
  expect([code, stderr]).toEqual([65, expect.stringContaining('task-load --format xlsx FILE')]);
  const named = await sh('cp a.xlsx b.bin && task-load --format xlsx b.bin', { cwd });
  expect(named.stdout).toContain('"a":1}');
  expect((await sh('task-load a.xlsx --delimiter ,', { cwd })).stderr).toContain('has no effect on xlsx');
});
