import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { folderOf, sameName, twinOf } from '../../../src/savers/partitions/partition-names.ts';
import { contentsOf } from '../../faults/support/contents.ts';
import { finishedIn } from '../../faults/support/oracle.ts';
import { freshFolder, sh } from '../../support/run.ts';

const record = (uuid: string, state: unknown, more: object = {}): string =>
  `${JSON.stringify({ uuid, state, ...more })}\n`;

/** Returns the contents of the files of an output, by folder. */
function partsOf(cwd: string, file: string): Record<string, string> {
  const folders = readdirSync(join(cwd, 'out')).filter((name) => name.includes('='));
  return Object.fromEntries(folders.map((name) => [name, contentsOf(join(cwd, 'out', name, file))]));
}

describe('task-save --partition-by', () => {
  test('writes one file per value, and a uuid once in all of them', async () => {
    const cwd = freshFolder();
    const input =
      record('a', 'CA') + record('b', 'NY') + record('c', 'CA') + record('d', null) + record('a', 'NY');
    const run = (records: string) =>
      sh('task-save out/rows.csv --partition-by state --ledger l', { cwd, input: records });
    expect((await run(input)).stderr).toContain('saved 4, 1 already there');
    const again = await run(input + record('e', 'NY') + record('b', 'CA'));
    expect(again.stderr).toContain('saved 1, 6 already there');
    expect(partsOf(cwd, 'rows.csv')).toEqual({
      'state=CA': 'uuid,state\na,CA\nc,CA\n',
      'state=NY': 'uuid,state\nb,NY\ne,NY\n',
      'state=__HIVE_DEFAULT_PARTITION__': 'uuid,state\nd,\n',
    });
    expect([...finishedIn(join(cwd, 'l'))].sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(readdirSync(join(cwd, 'out')).filter((name) => !name.includes('='))).toEqual([]);
  });

  test('packs, widens, and takes nested attributes and those that are not text', async () => {
    const cwd = freshFolder();
    const input =
      '{"uuid":"a","at":{"n":1.10}}\n{"uuid":"b","at":{"n":1.10},"x":2}\n{"uuid":"c","at":{"n":true}}\n';
    await sh('task-save out/rows.csv.gz --partition-by at.n --widen --quiet', { cwd, input });
    expect(partsOf(cwd, 'rows.csv.gz')).toEqual({
      'at.n=1.10': 'uuid,at.n,x\na,1.10,\nb,1.10,2\n',
      'at.n=true': 'uuid,at.n\nc,true\n',
    });
  });

  test('keeps records that do not fit a file for the rest file', async () => {
    const cwd = freshFolder();
    const input = record('a', 'CA') + record('b', 'CA', { x: 1 }) + record('c', 'NY', { x: 1 });
    const end = await sh('task-save out/rows.csv --partition-by state --ledger l', { cwd, input });
    expect([end.code, readFileSync(join(cwd, 'out/rows.csv.rest.ndjson'), 'utf8')]).toEqual([
      1,
      expect.stringContaining('"code":"COLUMNS"'),
    ]);
    expect([...finishedIn(join(cwd, 'l'))].sort()).toEqual(['a', 'c']);
  });

  test('marks rows that a kill left unmarked, and reports missing rows', async () => {
    const cwd = freshFolder();
    mkdirSync(join(cwd, 'out/state=CA'), { recursive: true });
    writeFileSync(join(cwd, 'out/state=CA/rows.csv'), 'uuid,state\na,CA\nb,C');
    writeFileSync(
      join(cwd, 'out/state=CA/rows.csv.run'),
      '{"taskpipe":"run","size":16,"open":false,"uuids":true}\n',
    );
    const run = (options = '') =>
      sh(`task-save out/rows.csv --partition-by state --ledger l ${options}`, {
        cwd,
        input: record('b', 'CA'),
      });
    expect((await run()).stderr).toContain('bytes of unfinished rows were moved to');
    expect([...finishedIn(join(cwd, 'l'))].sort()).toEqual(['a', 'b']);
    rmSync(join(cwd, 'out/state=CA'), { recursive: true });
    expect((await run()).stderr).toContain('the ledger l names 2 rows of it');
    expect((await run('--accept-edits')).stderr).toContain('2 rows are gone, which was accepted');
  });

  test('is an error with other kinds of outputs, and without the uuid', async () => {
    const cwd = freshFolder();
    const fail = async (options: string): Promise<string> =>
      (await sh(`task-save ${options} --partition-by state`, { cwd, input: record('a', 1) })).stderr;
    expect(await fail('out/tasks.db')).toContain('has no effect on sqlite');
    expect(await fail('-')).toContain('needs a file');
    expect(await fail('out/a.csv --overwrite')).toContain('cannot be used with --partition-by');
    expect(await fail('out/a.csv --fields state')).toContain('needs the uuid among --fields');
  });
});

test('folders of odd values are safe names that differ, also without case', () => {
  const odd = [
    '..',
    '.',
    'a/b',
    '\0',
    ' ',
    'a b.',
    'L'.repeat(1000),
    'é'.repeat(300),
    '\ud800',
    '=',
    '%41',
    'CA',
    'ca',
  ];
  const folders = odd.map((value) => folderOf('state', value));
  for (const folder of folders) expect(folder).toMatch(/^state=(?!\.*$)[^/\0]*$/);
  for (const folder of folders) expect(Buffer.byteLength(folder)).toBeLessThan(256);
  expect(new Set(folders).size).toBe(odd.length);
  expect(folderOf('a/b', 'x')).toBe('a%2Fb=x');
  expect([folderOf('s', ''), folderOf('s', '__hive_default_partition__')]).toEqual([
    ...['s=__HIVE_DEFAULT_PARTITION__', 's=%5F_hive_default_partition__'],
  ]);
  expect(sameName(folderOf('s', 'CA'))).toBe(sameName(folderOf('s', 'ca')));
  expect([twinOf('s', 'ca'), folderOf('s', '東京 1')]).toEqual(['s=%63%61', 's=東京 1']);
});
