import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshFolder, sh } from '../support/run.ts';

function folderWith(files: Readonly<Record<string, string>>): string {
  const cwd = freshFolder();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
  return cwd;
}

const work = { 'm.mjs': "export default (t) => ({ v: 'r' + t.id, n: 1 })" };

describe('a list that is the output too is refused', { timeout: 60_000 }, () => {
  test.each([
    ['a.csv', 'id,name\n1,a\n2,b\n', '', 'has no uuid column, so it has no place for any task'],
    ['a.csv', 'id,name\n1,a\n2,b\n', '--widen', 'has no uuid column, so it has no place for any task'],
    ['a.tsv', 'id\tname\n1\ta\n', '', 'has no uuid column, so it has no place for any task'],
    [
      'a.csv',
      'id,name\n1,a\n2,b\n',
      '--ledger L',
      'has no uuid column and 2 rows that the ledger L does not know',
    ],
    [
      'a.csv',
      'id\n1\n2\n',
      '--ledger L --fields id',
      'has no uuid column and 2 rows that the ledger L does not know',
    ],
    [
      'a.ndjson',
      '{"id":1}\n{"id":2}\n',
      '--fields id --ledger L',
      'has no uuid column and 2 rows that the ledger L does not',
    ],
    [
      'a.ndjson',
      '{"id":1}\n{"id":2}\n',
      '',
      '2 rows from here on have no uuid, so task-save cannot tell which task is done. If a.ndjson is the input too, save to another file',
    ],
  ])('%s %j with %j', async (name, text, options, words) => {
    const cwd = folderWith({ ...work, [name]: text });
    const { stdout, stderr } = await sh(
      `task-load ${name} | task-exec --module m.mjs -j 1 | task-save ${name} ${options}; echo $?`,
      { cwd },
    );
    expect([stdout, stderr]).toEqual(['65\n', expect.stringContaining(`${name}`)]);
    expect(stderr).toContain(words);
    expect(stderr).toContain(`If ${name} is the input too`);
    expect(stderr).not.toMatch(/--widen </);
    expect(readFileSync(join(cwd, name), 'utf8')).toBe(text);
  });

  test('and finished work is in the rest file', async () => {
    const cwd = folderWith({ ...work, 'a.csv': 'id\n1\n2\n' });
    await sh('task-load a.csv | task-exec --module m.mjs > done.ndjson; task-save a.csv < done.ndjson', {
      cwd,
    });
    const { code, stderr } = await sh('task-save out.csv < a.csv.rest.ndjson', { cwd });
    expect([code, stderr]).toEqual([0, expect.stringContaining('saved 2')]);
  });
});

describe('an output without a uuid column, with a ledger', { timeout: 60_000 }, () => {
  const run = (options: string): string =>
    `task-load a.csv --ledger L --quiet | task-exec --module m.mjs --quiet | task-save out.csv --ledger L ${options}`;

  async function saved() {
    const cwd = folderWith({ ...work, 'a.csv': 'id,name\n1,a\n2,b\n' });
    await sh(run('--fields id,result.v'), { cwd });
    writeFileSync(join(cwd, 'a.csv'), 'id,name\n1,a\n2,b\n3,c\n');
    return cwd;
  }

  test.each([
    ['--fields id,result.v,result.n', 2, 'which has no result.n; save to another file'],
    ['', 65, 'otherwise choose its columns with --fields'],
  ])('never advises --widen, which cannot be used: %j', async (options, code, words) => {
    const cwd = await saved();
    const end = await sh(run(options), { cwd });
    expect([end.code, end.stderr]).toEqual([code, expect.stringContaining(words)]);
    expect(end.stderr).not.toContain('--widen');
    expect(readFileSync(join(cwd, 'out.csv'), 'utf8')).toBe('id,result.v\n1,r1\n2,r2\n');
  });

  test('with a truncated header is reported as lacking rows', async () => {
    const cwd = await saved();
    await sh('head -c 6 out.csv > x; mv x out.csv', { cwd });
    const end = await sh(run('--fields id,result.v'), { cwd });
    expect([end.code, end.stderr]).toEqual([
      65,
      expect.stringContaining('out.csv has 0 rows, but the ledger L names 2'),
    ]);
  });
});

test('--widen does not add a uuid column to rows that would have none', async () => {
  const cwd = folderWith({ 'out.csv': 'id\n1\n' });
  const { code, stderr } = await sh('task-save out.csv --widen --fields uuid,id', {
    cwd,
    input: '{"uuid":"a","id":"2"}\n',
  });
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining('--widen cannot add the column uuid to out.csv'),
  ]);
  expect(readFileSync(join(cwd, 'out.csv'), 'utf8')).toBe('id\n1\n');
});

test('a header alone gets a uuid column with --widen', async () => {
  const cwd = folderWith({ 'out.csv': 'id\n' });
  const { code } = await sh('task-save out.csv --widen', { cwd, input: '{"uuid":"a","id":"2"}\n' });
  expect(code).toBe(0);
  expect(readFileSync(join(cwd, 'out.csv'), 'utf8')).toBe('id,uuid\n2,a\n');
});
