import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseTask } from '../../src/core/record/ndjson.ts';
import type { Task } from '../../src/core/record/task.ts';
import { finishedIn } from '../../src/ledgers/index.ts';
import { type SaveOptions, type SaveSummary, save } from '../../src/stages/save/save.ts';
import { leaveMark } from '../support/mark.ts';
import { freshFolder } from '../support/run.ts';

type Json = Readonly<Record<string, unknown>>;

/** Makes an output and its ledger, which hold a, b and c. */
async function saved(name = 'out.csv', options: SaveOptions = { ledger: 'done.jsonl' }) {
  const folder = freshFolder();
  const out = outputIn(folder, name, options);
  await out.save({ uuid: 'a', x: 'one\n"1"' }, { uuid: 'b', x: 'two' }, { uuid: 'c', x: 'three' });
  out.said.length = 0;
  return out;
}

function outputIn(folder: string, name: string, { ledger, ...options }: SaveOptions) {
  const path = join(folder, name);
  const said: string[] = [];
  const say = (message: string): void => void said.push(message.replaceAll(folder, ''));
  return {
    folder,
    path,
    said,
    async save(...records: readonly Json[]): Promise<SaveSummary> {
      const tasks = (async function* () {
        yield records.map((record) => parseTask(JSON.stringify(record)) as Task);
      })();
      const place = ledger && join(folder, ledger);
      return save(tasks, path, { warn: say, info: say, ...options, ledger: place });
    },
    text: () => readFileSync(path, 'utf8'),
    edit: (change: (text: string) => string) => writeFileSync(path, change(readFileSync(path, 'utf8'))),
    /** Returns the contents of all files in the folder, by name. */
    files: () =>
      Object.fromEntries(
        readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'latin1')]),
      ),
    finished: () => finishedIn(join(folder, 'done.jsonl')),
    torn: () =>
      readdirSync(folder)
        .filter((file) => file.includes('.torn-'))
        .map((file) => readFileSync(join(folder, file), 'utf8')),
  };
}

type Output = Awaited<ReturnType<typeof saved>>;

const D = { uuid: 'd', x: 'four' };
const TEXT = 'uuid,x\na,"one\n""1"""\nb,two\nc,three\n';

/** Expects that nothing is saved or changed, and that the error says why. */
async function refuses(out: Output, words: RegExp): Promise<void> {
  const before = out.files();
  await expect(out.save(D)).rejects.toMatchObject({ code: 'DATA', message: expect.stringMatching(words) });
  expect(out.files()).toEqual(before);
}

describe('an output with a ledger', () => {
  test.each([
    [
      'lost a row',
      (text: string) => text.replace('b,two\n', ''),
      /out.csv: 1 row is missing that the ledger .*done.jsonl names \(uuid "b"\); .* Put it back, or add --accept-edits/,
    ],
    [
      'was emptied',
      () => '',
      /out.csv is empty or not there, but the ledger .* names 3 rows of it \(uuid "a", "b", "c"\)/,
    ],
    [
      'lost a row and got others',
      (text: string) => `${text.replace('b,two\n', '')}d,1\ne,1\nf,1\n`,
      /1 row is missing .* \(uuid "b"\)/,
    ],
    [
      'was replaced by another file',
      () => 'uuid,name\nfirst,another person\nsecond,another one\n',
      /3 rows are missing/,
    ],
    [
      'has another name for the uuid',
      (text: string) => text.replace('uuid', 'uuids'),
      /has no uuid column, but the ledger .* knows its 3 rows by uuid: was the column renamed to "uuids" or removed/,
    ],
    [
      'lost its uuid column',
      () => 'x\none\ntwo\nthree\n',
      /has no uuid column, but the ledger .* knows its 3 rows by uuid/,
    ],
    ['lost one uuid', (text: string) => text.replace('b,two', ',two'), /1 row is missing .* \(uuid "b"\)/],
    ['got a row without a uuid', (text: string) => `${text},four\n`, /out.csv:6: the row has no uuid/],
    [
      'got semicolons',
      (text: string) => text.replaceAll(',', ';'),
      /out.csv:1: ";" separates its cells; add --delimiter ';', or save to another file/,
    ],
    ['was cut in the middle of a row', (text: string) => text.slice(0, -8), /1 row is missing .*"c"/],
    [
      'got a line that is not a row',
      (text: string) => `${text}total: 3\n`,
      /out.csv:6: 1 cell, the header has 2. Correct the line or put the file back/,
    ],
    [
      'got a line that is not a row at its end',
      (text: string) => `${text}total: 3`,
      /out.csv:6: the last row is not complete: 1 cell, the header has 2. .*--accept-edits.* moves it to .*torn-TIME/,
    ],
    [
      'got its header sorted away',
      () => 'b,two\nc,three\na,"one\n""1"""\nuuid,x\n',
      /has no uuid column, but the ledger .* knows its 3 rows by uuid/,
    ],
  ])('is left unchanged if it %s', async (_, change, words) => {
    const out = await saved();
    expect(out.text()).toBe(TEXT);
    out.edit(change);
    await refuses(out, words);
  });

  test('is reported if it was removed, and not created again', async () => {
    const out = await saved();
    rmSync(out.path);
    await refuses(out, /out.csv is empty or not there, but the ledger .* names 3 rows of it/);
    expect(existsSync(out.path)).toBe(false);
  });

  test('is rejected if a link to an older copy replaced it', async () => {
    const out = await saved();
    mkdirSync(join(out.folder, 'old'));
    writeFileSync(join(out.folder, 'old/out.csv'), 'uuid,x\nb,two\n');
    rmSync(out.path);
    symlinkSync('old/out.csv', out.path);
    await expect(out.save(D)).rejects.toThrow(/2 rows are missing .* \(uuid "a", "c"\)/);
    expect(readFileSync(join(out.folder, 'old/out.csv'), 'utf8')).toBe('uuid,x\nb,two\n');
  });

  test('is created again after the ledger is removed too', async () => {
    const out = await saved();
    rmSync(out.path);
    rmSync(join(out.folder, 'done.jsonl'));
    expect(await out.save(D)).toMatchObject({ saved: 1 });
    expect(out.text()).toBe('uuid,x\nd,four\n');
  });

  test.each([
    ['out.csv', '\n'],
    ['out.tsv', '\n'],
    ['out.ndjson', '\n'],
    ['out.csv', '\r\n'],
  ])('keeps a last row that lost its line end: %s, %j', async (name, newline) => {
    const out = await saved(name);
    out.edit((text) => text.replaceAll('\n', newline).slice(0, -newline.length));
    const edited = out.text();
    expect(await out.save({ uuid: 'c' })).toMatchObject({ present: 1, saved: 0 });
    expect(out.text()).toBe(edited);
    await out.save(D);
    expect(out.text().startsWith(`${edited}${name.endsWith('csv') ? newline : '\n'}`)).toBe(true);
    expect(await out.save({ uuid: 'c' }, D)).toMatchObject({ present: 2 });
    expect([...out.torn(), ...out.said.filter((words) => words.includes('moved'))]).toEqual([]);
    expect((await out.finished()).size).toBe(4);
  });

  test('gets the missing half of a CRLF that was cut', async () => {
    const out = await saved();
    out.edit((text) => text.replaceAll('\n', '\r\n').slice(0, -1));
    await out.save(D);
    expect(out.text()).toBe(`${TEXT}d,four\n`.replaceAll('\n', '\r\n'));
  });

  test('is completed before it is widened', async () => {
    const out = await saved('out.csv', { ledger: 'done.jsonl', widen: true });
    out.edit((text) => text.slice(0, -1));
    await out.save({ uuid: 'd', y: 1 });
    expect(out.text()).toBe('uuid,x,y\na,"one\n""1""",\nb,two,\nc,three,\nd,,1\n');
  });

  test('gets no second row for one that was added by hand', async () => {
    const out = await saved();
    out.edit((text) => `${text}d,mine\n`);
    expect(await out.save(D, { uuid: 'e', x: 1 })).toMatchObject({ saved: 1, present: 1 });
    expect(out.text()).toBe(`${TEXT}d,mine\ne,1\n`);
    expect((await out.finished()).size).toBe(5);
  });

  test('gets no second row for one that was inserted by hand between others', async () => {
    const out = outputIn(freshFolder(), 'out.csv', { ledger: 'done.jsonl' });
    await out.save({ uuid: 'a', x: 1 }, { uuid: 'b', x: 1 });
    out.edit((text) => text.replace('b,1\n', 'd,1\nb,1\n'));
    expect(await out.save(D, { uuid: 'b', x: 1 })).toMatchObject({ saved: 0, present: 2 });
    expect(out.text()).toBe('uuid,x\na,1\nd,1\nb,1\n');
    expect((await out.finished()).has('d')).toBe(true);
  });

  test('gets no second rows after it was sorted', async () => {
    const out = await saved();
    const sorted = 'uuid,x\nc,three\nb,two\na,"one\n""1"""\n';
    out.edit(() => sorted);
    expect(await out.save({ uuid: 'a' }, { uuid: 'b' }, { uuid: 'c' }, D)).toMatchObject({ present: 3 });
    expect(out.text()).toBe(`${sorted}d,four\n`);
  });

  test.each([
    ['a longer header', (text: string) => text.replace('x', 'longer'), ['uuid', 'longer'], '\n'],
    ['CRLF', (text: string) => text.replaceAll('\n', '\r\n'), ['uuid', 'x'], '\r\n'],
  ])(
    'is read again after it got %s, and each uuid keeps its row',
    async (_, change, [, column = ''], newline) => {
      const out = await saved();
      out.edit(change);
      const edited = out.text();
      const tasks = [...'abcd'].map((uuid) => ({ uuid, [column]: 'new' }));
      expect(await out.save(...tasks)).toMatchObject({ saved: 1, present: 3 });
      expect(await out.save(...tasks)).toMatchObject({ saved: 0, present: 4 });
      expect(out.text()).toBe(`${edited}d,new${newline}`);
      expect(out.torn()).toEqual([]);
    },
  );

  test('has no false rows if its known end lies inside a cell', async () => {
    const out = outputIn(freshFolder(), 'out.csv', { ledger: 'done.jsonl' });
    await out.save({ uuid: 'a', t: 1, y: 2 });
    const inside = 'uuid,t,y\na,"12\n';
    expect(out.text()).toHaveLength(inside.length);
    out.edit(() => `${inside}b,c",d\n`);
    expect(await out.save({ uuid: 'b', t: 3, y: 4 })).toMatchObject({ saved: 1 });
    expect(out.text()).toBe(`${inside}b,c",d\nb,3,4\n`);
  });

  test('is recognized by its rows if the ledger was removed, and they are marked again', async () => {
    const out = await saved();
    rmSync(join(out.folder, 'done.jsonl'));
    expect(await out.save({ uuid: 'a' }, D)).toMatchObject({ saved: 1, present: 1 });
    expect((await out.finished()).size).toBe(4);
  });

  test('is recognized after it was moved with its ledger', async () => {
    const out = await saved();
    const folder = freshFolder();
    cpSync(out.folder, folder, { recursive: true });
    const moved = outputIn(folder, 'out.csv', { ledger: 'done.jsonl' });
    expect(await moved.save({ uuid: 'a' }, D)).toMatchObject({ saved: 1, present: 1 });
    writeFileSync(moved.path, '');
    await refuses(moved, /is empty or not there, but the ledger .* names 4 rows of it/);
  });

  test('has each uuid once if NDJSON got CRLF and a row by hand', async () => {
    const out = await saved('out.ndjson');
    out.edit((text) => `${text.replaceAll('\n', '\r\n')}{"uuid":"d","by":"hand"}\r\n`);
    const before = out.text();
    expect(await out.save({ uuid: 'a' }, { uuid: 'c' }, D)).toMatchObject({ saved: 0, present: 3 });
    expect(out.text()).toBe(before);
  });
});

describe('an output without a ledger', () => {
  const none = {};

  test('keeps a last row that lost its line end', async () => {
    const out = await saved('out.csv', none);
    out.edit((text) => text.slice(0, -1));
    await out.save(D, { uuid: 'c' });
    expect(out.text()).toBe(`${TEXT}d,four\n`);
  });

  test('gets rows below a header without a line end', async () => {
    const out = await saved('out.csv', none);
    out.edit(() => 'uuid,x');
    await out.save(D);
    expect(out.text()).toBe('uuid,x\nd,four\n');
  });

  test('gets a header after a lone byte order mark', async () => {
    const out = await saved('out.csv', none);
    out.edit(() => '\ufeff');
    await out.save(D);
    await out.save({ uuid: 'e', x: 1 }, D);
    expect(out.text()).toBe('\ufeffuuid,x\nd,four\ne,1\n');
  });

  test.each([
    ['CRLF', (text: string) => text.replaceAll('\n', '\r\n')],
    ['other rows', () => 'uuid,x\na,1\nb,2\nc,3\n'],
    ['its rows in another order', () => 'x,uuid\n3,c\n2,b\n1,a\n'],
  ])('is recognized by its rows after it got %s', async (_, change) => {
    const out = await saved('out.csv', none);
    out.edit(change);
    const edited = out.text();
    expect(await out.save({ uuid: 'a' }, { uuid: 'c' })).toMatchObject({ saved: 0, present: 2 });
    expect(out.text()).toBe(edited);
  });

  test.each([
    [
      'a NUL in the middle',
      (text: string) => text.replace('two', 't\0o'),
      /out.csv:4: it has a NUL. Correct the line/,
    ],
    ['a NUL in its last row', (text: string) => text.replace('three', 'th\0ee'), /out.csv:5: it has a NUL/],
    [
      'a NUL in its header',
      (text: string) => text.replace('x', 'x\0'),
      /out.csv:1: the header has no end, or a NUL/,
    ],
    [
      'UTF-16',
      (text: string) => Buffer.from(text, 'utf16le').toString('latin1'),
      /out.csv:1: the file looks like UTF-16: save it as UTF-8, or convert it with: iconv -f UTF-16LE/,
    ],
    [
      'lone carriage returns',
      (text: string) => text.replaceAll('\n', '\r').replaceAll('"', ''),
      /out.csv:1: .*carriage return/,
    ],
    ['a row of three cells', (text: string) => `${text}1,2,3\n`, /out.csv:6: 3 cells, the header has 2/],
  ])('is left unchanged if it has %s', async (_, change, words) => {
    const out = await saved('out.csv', none);
    out.edit(change);
    await refuses(out, words);
  });

  /** Returns rows of 16 bytes each, 32 to a sector. */
  const rows = (count: number): string =>
    Array.from({ length: count }, (_, i) => `${String(i).padStart(7, '0')},1234567\n`).join('');

  test.each(['out.csv', 'out.ndjson'])(
    'continues before a hole in its last commit, although whole rows follow: %s',
    async (name) => {
      const out = outputIn(freshFolder(), name, none);
      const all =
        name === 'out.csv'
          ? `uuid   ,x      \n${rows(400)}`.replace('uuid   ,x      ', 'uuid,xxxxxxxxxx')
          : rows(401)
              .replace(/(.{7}),.{7}/g, '{"uuid":"$1"}  ')
              .replaceAll('  \n', '\n');
      const bytes = Buffer.from(all);
      bytes.fill(0, 1024, 1536);
      leaveMark(out.path);
      writeFileSync(out.path, bytes);
      const before = bytes.toString('latin1');
      await out.save();
      const after = out.text();
      expect(before.startsWith(after)).toBe(true);
      expect(after).toHaveLength(before.lastIndexOf('\n', 1024) + 1);
      expect(out.torn()).toEqual([before.slice(after.length)]);
    },
  );

  test('is left unchanged if its zeros are not a hole, or lie far from its end', async () => {
    const out = outputIn(freshFolder(), 'out.csv', none);
    const bytes = Buffer.from(`uuid,xxxxxxxxxx\n${rows(400)}`);
    bytes.fill(0, 1024, 1535);
    leaveMark(out.path);
    writeFileSync(out.path, bytes);
    await refuses(out, /out.csv:65: it has a NUL/);
    bytes.fill(0, 1024, 1536);
    writeFileSync(out.path, Buffer.concat([bytes, Buffer.from(rows(400).repeat(10_600))]));
    await refuses(out, /out.csv:65: it has a NUL/);
  });
});

describe('a ledger with a hole from a power loss', () => {
  /** Writes zeros over the line of b. */
  function hole(out: Output): void {
    const path = join(out.folder, 'done.jsonl');
    writeFileSync(
      path,
      readFileSync(path, 'utf8').replace(/.*"uuid":"b".*/, (line) => '\0'.repeat(line.length)),
    );
  }

  test('is repaired once from the rows of the output', async () => {
    const out = await saved();
    hole(out);
    expect(await out.save({ uuid: 'b', x: 'again' }, D)).toMatchObject({ saved: 1, present: 1 });
    expect(out.text()).toBe(`${TEXT}d,four\n`);
    expect((await out.finished()).size).toBe(4);
    const ledger = readFileSync(join(out.folder, 'done.jsonl'), 'utf8');
    await out.save({ uuid: 'b', x: 'again' }, D);
    expect(readFileSync(join(out.folder, 'done.jsonl'), 'utf8')).toBe(ledger);
  });

  test('cannot be repaired from rows without uuids, and nothing is saved', async () => {
    const out = await saved('out.csv', { ledger: 'done.jsonl', fields: ['x'] });
    hole(out);
    await refuses(out, /has no uuid column, and lines are missing in the ledger .* save to another file/);
  });
});

test('a task of another output that was taken back does not hide a missing row', async () => {
  const out = await saved('out.csv', { ledger: 'done.jsonl', fields: ['x'] });
  const ledger = join(out.folder, 'done.jsonl');
  const other = outputIn(out.folder, 'other.csv', { ledger: 'done.jsonl', fields: ['x'] });
  await other.save({ uuid: 'z', x: 'last' });
  appendFileSync(ledger, '{"uuid":"z","at":"2026-01-01T00:00:00.000Z","undone":true}\n');
  out.edit((text) => text.replace('two\n', ''));
  await expect(out.save(D)).rejects.toThrow(/out.csv has 2 rows.*3/);
});
