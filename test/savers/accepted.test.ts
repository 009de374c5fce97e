import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshFolder, sh } from '../support/run.ts';

const tasks = (...uuids: string[]): string => uuids.map((uuid) => `{"uuid":"${uuid}","x":1}\n`).join('');

/** Makes an output and its ledger, which hold a, b and c. */
async function saved(out = 'out.csv') {
  const cwd = freshFolder();
  const run = (input: string, options = '') =>
    sh(`task-save ${out} --ledger done.jsonl ${options}`, { cwd, input });
  await run(tasks('a', 'b', 'c'));
  const path = join(cwd, out);
  return {
    cwd,
    path,
    run,
    text: () => readFileSync(path, 'utf8'),
    edit: (change: (text: string) => string) => writeFileSync(path, change(readFileSync(path, 'utf8'))),
    finished: async () =>
      (await sh('task-done list done.jsonl', { cwd })).stdout.trim().split('\n').sort().join(),
    ledger: () => readFileSync(join(cwd, 'done.jsonl'), 'utf8'),
  };
}

describe('--accept-edits', () => {
  test('removes missing rows from the ledger, so that their tasks are loaded and saved again', async () => {
    const { cwd, run, edit, finished, text } = await saved();
    edit((before) => before.replace('b,1\n', ''));
    expect(await run('')).toMatchObject({ code: 65, stderr: expect.stringContaining('1 row is missing') });
    const { code, stderr } = await run('', '--accept-edits');
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining(
        'out.csv: 1 row is gone, which was accepted: the tasks are no longer finished in done.jsonl, and the next run repeats them',
      ),
    ]);
    expect(await finished()).toBe('a,c');
    const again = 'task-load --format ndjson --ledger done.jsonl | task-save out.csv --ledger done.jsonl';
    expect((await sh(again, { cwd, input: tasks('a', 'b', 'c') })).code).toBe(0);
    expect(text()).toBe('uuid,x\na,1\nc,1\nb,1\n');
    expect(await finished()).toBe('a,b,c');
    expect((await run('')).code).toBe(0);
  });

  test('survives a compaction of the ledger', async () => {
    const { cwd, run, edit, finished, text } = await saved();
    edit((before) => before.replace('b,1\n', ''));
    await run('', '--accept-edits');
    await sh('task-done compact done.jsonl', { cwd });
    expect(await finished()).toBe('a,c');
    expect((await run(tasks('b'))).stderr).toMatch(/saved 1/);
    await sh('task-done compact done.jsonl', { cwd });
    expect(await finished()).toBe('a,b,c');
    edit((before) => before.replace('c,1\n', ''));
    expect((await run('')).stderr).toMatch(/1 row is missing .*"c"/);
    expect(text()).toBe('uuid,x\na,1\nb,1\n');
  });

  test('moves an incomplete last row aside and names the file', async () => {
    const { cwd, run, edit, finished, text } = await saved();
    edit((before) => before.slice(0, -3));
    expect((await run('')).code).toBe(65);
    expect((await run(tasks('c'), '--accept-edits')).stderr).toMatch(
      /1 bytes? .* were moved to out.csv.torn-/,
    );
    const [side = ''] = readdirSync(cwd).filter((name) => name.includes('torn'));
    expect(readFileSync(join(cwd, side), 'utf8')).toBe('c');
    expect(text()).toBe('uuid,x\na,1\nb,1\nc,1\n');
    expect(await finished()).toBe('a,b,c');
  });

  test('keeps a row without a uuid', async () => {
    const { run, edit, text } = await saved();
    edit((before) => `${before},total\n`);
    expect((await run('')).stderr).toContain('out.csv:5: the row has no uuid');
    expect((await run('', '--accept-edits')).code).toBe(0);
    expect((await run(tasks('d'))).code).toBe(0);
    expect(text()).toBe('uuid,x\na,1\nb,1\nc,1\n,total\nd,1\n');
  });

  test('rejects a row damaged in the middle', async () => {
    const { run, edit, text } = await saved();
    edit((before) => before.replace('b,1', 'b'));
    const { code, stderr } = await run('', '--accept-edits');
    expect([code, stderr]).toEqual([65, expect.stringContaining('out.csv:3: 1 cell, the header has 2')]);
    expect(text()).toBe('uuid,x\na,1\nb\nc,1\n');
  });

  test('changes nothing if nothing was edited', async () => {
    const { run, ledger } = await saved();
    const before = ledger();
    expect((await run('', '--accept-edits')).code).toBe(0);
    expect(ledger()).toBe(before);
  });

  test('starts a new output if the old one was removed', async () => {
    const { path, run, finished, text } = await saved();
    rmSync(path);
    expect((await run('', '--accept-edits')).stderr).toContain('3 rows are gone');
    expect(await finished()).toBe('');
    await run(tasks('b'));
    expect(text()).toBe('uuid,x\nb,1\n');
  });

  test('removes deleted rows of a database from the ledger', async () => {
    const { cwd, run, finished } = await saved('t.db');
    await sh('sqlite3 t.db "delete from tasks where uuid > \'a\'"', { cwd });
    expect(await run('')).toMatchObject({
      code: 65,
      stderr: expect.stringMatching(
        /t.db: 2 rows are missing that the ledger done.jsonl names \(uuid "b", "c"\)/,
      ),
    });
    expect((await run('', '--accept-edits')).stderr).toContain('t.db: 2 rows are gone, which was accepted');
    expect(await finished()).toBe('a');
    expect((await run(tasks('b'))).code).toBe(0);
    expect(await finished()).toBe('a,b');
  });

  test.each([
    ['task-save - --accept-edits', '--accept-edits needs a file'],
    ['task-save out.csv --accept-edits --overwrite', '--overwrite cannot be used with --accept-edits'],
    ['task-save t.db --accept-edits', '--accept-edits needs --ledger'],
  ])('is rejected if it would have no effect: %s', async (command, words) => {
    expect(await sh(command)).toMatchObject({ code: 2, stderr: expect.stringContaining(words) });
  });
});

describe('task-save on an edited output', () => {
  test('adds rows to the ledger that someone added to the output, and counts them', async () => {
    const { run, edit, finished } = await saved();
    edit((before) => `${before}d,1\ne,1\n`);
    expect((await run(tasks('d'))).stderr).toMatch(
      /out.csv: 2 rows that the ledger did not name: added to it/,
    );
    expect(await finished()).toBe('a,b,c,d,e');
  });

  test('reports repeated rows with their line and adds no third one', async () => {
    const { run, edit, text } = await saved();
    edit((before) => `${before}b,1\n`);
    const { code, stderr } = await run(tasks('b'));
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining('out.csv:5: 1 row from here on repeats the uuid of another row'),
    ]);
    expect(text()).toBe('uuid,x\na,1\nb,1\nc,1\nb,1\n');
  });

  test('distinguishes the tables of one database', async () => {
    const cwd = freshFolder();
    await sh('task-save t.db --table one --ledger l', { cwd, input: tasks('a') });
    await sh('task-save t.db --table two --ledger l', { cwd, input: tasks('b') });
    await sh('task-save t.db --ledger l', { cwd, input: tasks('c') });
    for (const table of ['one', 'two', 'tasks'])
      expect((await sh(`task-save t.db --table ${table} --ledger l`, { cwd })).code).toBe(0);
    await sh('sqlite3 t.db "delete from two"', { cwd });
    expect((await sh('task-save t.db --table two --ledger l', { cwd })).stderr).toMatch(
      /t.db, table two: 1 row is missing/,
    );
    expect((await sh('task-save t.db --table one --ledger l', { cwd })).code).toBe(0);
  });

  test('reports a removed database and does not create it', async () => {
    const { path, run } = await saved('t.db');
    rmSync(path);
    expect(await run('')).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('is empty or not there'),
    });
    expect(existsSync(path)).toBe(false);
  });

  test('accepts that an unmarked row is missing', async () => {
    const { cwd, run, edit, text } = await saved();
    await sh('task-done unmark done.jsonl b', { cwd });
    edit((before) => before.replace('b,1\n', ''));
    expect((await run(tasks('b'))).code).toBe(0);
    expect(text()).toBe('uuid,x\na,1\nc,1\nb,1\n');
  });
});

describe('an output without uuids', () => {
  async function nameless() {
    const cwd = freshFolder();
    const run = (input: string, options = '') =>
      sh(`task-save out.csv --fields x --ledger done.jsonl ${options}`, { cwd, input });
    await run('{"uuid":"a","x":1}\n{"uuid":"b","x":2}\n');
    const path = join(cwd, 'out.csv');
    return { run, path, text: () => readFileSync(path, 'utf8') };
  }

  test.each([
    ['sorted', 'x\n2\n1\n'],
    ['CRLF, and no final line end', 'x\r\n1\r\n2'],
    ['a row added', 'x\n1\n2\n3\n'],
  ])('is checked by its number of rows after an edit: %s', async (_, edited) => {
    const { run, path, text } = await nameless();
    writeFileSync(path, edited);
    expect((await run('{"uuid":"c","x":4}\n{"uuid":"a","x":1}\n')).code).toBe(0);
    const newline = edited.includes('\r') ? '\r\n' : '\n';
    expect(text()).toBe(`${edited}${edited.endsWith('\n') ? '' : newline}4${newline}`);
    expect((await run('{"uuid":"c","x":4}\n')).stderr).toMatch(/saved 0, 1 already there/);
  });

  test('is rejected if rows are missing, also with --accept-edits', async () => {
    const { run, path, text } = await nameless();
    writeFileSync(path, 'x\n2\n');
    for (const options of ['', '--accept-edits']) {
      const { code, stderr } = await run('', options);
      expect([code, stderr]).toEqual([
        65,
        expect.stringContaining('out.csv has 1 row, but the ledger done.jsonl names 2'),
      ]);
    }
    expect(text()).toBe('x\n2\n');
  });
});

describe('the start of a run', () => {
  /** Writes the current stamp of a file into the seal of its ledger, as if the last run had left the file so. */
  function reseal(path: string, ledger: string): void {
    const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    const stamp = `"stamp":"${ino}-${size}-${mtimeNs}-${ctimeNs}"`;
    writeFileSync(ledger, readFileSync(ledger, 'utf8').replace(/"stamp":"[^"]*"(?![\s\S]*"stamp")/, stamp));
  }

  test('does not read the rows of an unchanged output', async () => {
    const { cwd, path, run, edit, text } = await saved();
    edit((before) => before.replace('b,1', 'b,1,broken'));
    expect((await run('')).code).toBe(65);
    reseal(path, join(cwd, 'done.jsonl'));
    expect((await run(tasks('a', 'd'))).code).toBe(0);
    expect(text()).toBe('uuid,x\na,1\nb,1,broken\nc,1\nd,1\n');
  });

  test('reads the rows if the ledger was edited', async () => {
    const { cwd, path, run, finished } = await saved();
    const ledger = join(cwd, 'done.jsonl');
    writeFileSync(ledger, readFileSync(ledger, 'utf8').replace(/.*"uuid":"b".*\n/, ''));
    expect((await run(tasks('b'))).stderr).toMatch(
      /1 row that the ledger did not name[\s\S]*saved 0, 1 already there/,
    );
    expect(await finished()).toBe('a,b,c');
    expect(readFileSync(path, 'utf8')).toBe('uuid,x\na,1\nb,1\nc,1\n');
  });

  test('rejects a file of another program in place of OUT.run', async () => {
    const { cwd, run } = await saved();
    writeFileSync(join(cwd, 'out.csv.run'), '#!/bin/sh\n');
    expect(await run('')).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('out.csv.run is not a file of task-save'),
    });
    expect(readFileSync(join(cwd, 'out.csv.run'), 'utf8')).toBe('#!/bin/sh\n');
  });

  test.each(['', '\0\0\0\0', '{"taskpipe":"run","si'])(
    'treats a torn OUT.run (%j) as missing',
    async (torn) => {
      const { cwd, run, edit, text } = await saved();
      writeFileSync(join(cwd, 'out.csv.run'), torn);
      edit((before) => before.slice(0, -1));
      expect((await run(tasks('d'))).code).toBe(0);
      expect(text()).toBe('uuid,x\na,1\nb,1\nc,1\nd,1\n');
      expect(readdirSync(cwd).sort()).toEqual(['done.jsonl', 'out.csv']);
    },
  );
});

describe('an edited ledger', () => {
  test.each([
    ['CRLF', (text: string) => text.replaceAll('\n', '\r\n')],
    ['a byte order mark', (text: string) => `\ufeff${text.trimStart()}`],
    ['no final line end', (text: string) => text.trimEnd()],
    ['sorted', (text: string) => `${text.split('\n').sort().join('\n')}\n`],
    ['deduplicated', (text: string) => `${[...new Set(text.split('\n'))].join('\n')}\n`],
    ['every line doubled', (text: string) => text + text],
    ['its lines upside down', (text: string) => `${text.split('\n').reverse().join('\n')}\n`],
    [
      'spaces, as jq -c or Python write them',
      (text: string) => text.replaceAll('":', '": ').replaceAll(',"', ', "'),
    ],
    ['keys sorted', (text: string) => lines(text, (one) => Object.fromEntries(Object.entries(one).sort()))],
    [
      'the uuids alone',
      (text: string) => lines(text, ({ uuid }) => (uuid === undefined ? {} : { uuid })).replace('{}\n', ''),
    ],
    ['a line deleted', (text: string) => text.replace(/.*"uuid":"b".*\n/, '')],
    ['the seal deleted', (text: string) => text.replace(/.*"stamp".*\n/, '')],
    ['a line doubled and cut', (text: string) => `${text}{"uuid":"b","at":"20`],
    ['a comment', (text: string) => `# mine\n${text}`],
  ])('is read: %s', async (_, change) => {
    const { cwd, run, finished, text } = await saved();
    const ledger = join(cwd, 'done.jsonl');
    writeFileSync(ledger, change(readFileSync(ledger, 'utf8')));
    expect((await run(tasks('a', 'b', 'c', 'd'))).code).toBe(0);
    expect(text()).toBe('uuid,x\na,1\nb,1\nc,1\nd,1\n');
    expect(await finished()).toBe('a,b,c,d');
    expect((await run(tasks('d'))).code).toBe(0);
    expect(text()).toBe('uuid,x\na,1\nb,1\nc,1\nd,1\n');
  });

  test('is rejected and left unchanged in UTF-16', async () => {
    const { cwd, run } = await saved();
    const ledger = join(cwd, 'done.jsonl');
    const bytes = Buffer.from(`\ufeff${readFileSync(ledger, 'utf8')}`, 'utf16le');
    writeFileSync(ledger, bytes);
    expect(await run('')).toMatchObject({
      code: 65,
      stderr: expect.stringMatching(/done.jsonl: .*UTF-16.* UTF-8/),
    });
    expect(readFileSync(ledger)).toEqual(bytes);
  });

  function lines(text: string, change: (line: Record<string, unknown>) => object): string {
    const all = text.split('\n').filter((line) => line !== '');
    return `${all.map((line) => JSON.stringify(change(JSON.parse(line)))).join('\n')}\n`;
  }
});
