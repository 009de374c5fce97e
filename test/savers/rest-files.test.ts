import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshFolder, sh } from '../support/run.ts';

const failed = '{"uuid":"a","run":{"state":"FAILURE"}}\n';
const good = '{"uuid":"b"}\n';

test.each([
  ['iconv -t utf-16', 'looks like UTF-16'],
  ['gzip', 'is a gzip file'],
  ['zstd -q', 'is a zstd file'],
])('a rest file that went through %s gets no record, and is refused at the start', async (tool, words) => {
  const cwd = freshFolder();
  const rest = join(cwd, 'out.csv.rest.ndjson');
  await sh('task-save out.csv', { cwd, input: failed });
  await sh(`${tool} < out.csv.rest.ndjson > x && mv x out.csv.rest.ndjson`, { cwd });
  const before = readFileSync(rest);
  const { code, stderr } = await sh('task-save out.csv', { cwd, input: failed + good });
  expect([code, stderr]).toEqual([65, expect.stringContaining(`out.csv.rest.ndjson:1: the file ${words}`)]);
  expect(readFileSync(rest)).toEqual(before);
});

test('--rest refuses a file of tasks that task-save did not write', async () => {
  const cwd = freshFolder();
  const text = '{"uuid":"a","x":1}\n{"uuid":"b","x":2}\n';
  writeFileSync(join(cwd, 'tasks.ndjson'), text);
  const { code, stderr } = await sh('task-save out.csv --rest tasks.ndjson < tasks.ndjson', { cwd });
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining(
      'tasks.ndjson is not a rest file of task-save, which would remove records from it',
    ),
  ]);
  expect(readFileSync(join(cwd, 'tasks.ndjson'), 'utf8')).toBe(text);
});

test('records of a rest file that did not run stay in it', async () => {
  const cwd = freshFolder();
  const mine = '{"uuid":"b","x":2}\n';
  writeFileSync(join(cwd, 'r.ndjson'), failed + mine);
  const { code } = await sh('task-save out.csv --rest r.ndjson', {
    cwd,
    input: '{"uuid":"a"}\n{"uuid":"b"}\n',
  });
  expect(code).toBe(0);
  expect(readFileSync(join(cwd, 'r.ndjson'), 'utf8')).toBe(mine);
});

test('an empty file that --rest names stays', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'mine.txt'), '');
  await sh('task-save out.csv --rest mine.txt', { cwd, input: good });
  expect(existsSync(join(cwd, 'mine.txt'))).toBe(true);
});

test('a rest file goes away when all of its records are saved', async () => {
  const cwd = freshFolder();
  await sh('task-save out.csv', { cwd, input: failed });
  await sh('task-save out.csv', { cwd, input: '{"uuid":"a"}\n' });
  expect(existsSync(join(cwd, 'out.csv.rest.ndjson'))).toBe(false);
});

test('a failure that does not fit the output keeps its own error, and is not a success later', async () => {
  const cwd = freshFolder();
  const run = '"run":{"state":"FAILURE","as":"result","attempts":1,"error":{"code":"EXIT","message":"no"}}';
  const misfit = `{"uuid":"c","more":1,${run}}\n`;
  await sh('task-save out.csv --all', { cwd, input: `{"uuid":"a",${run}}\n${misfit}` });
  const rest = join(cwd, 'out.csv.rest.ndjson');
  expect(readFileSync(rest, 'utf8')).toBe(misfit);
  const { code, stderr } = await sh('task-save out.csv < out.csv.rest.ndjson', { cwd });
  expect([code, stderr]).toEqual([1, expect.stringContaining('saved 0')]);
  expect(readFileSync(rest, 'utf8')).toBe(misfit);
});
