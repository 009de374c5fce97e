/* The library as users see it: the face of the sources, and the package by its name. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { exec, http, load, procession, type SaveSummary, save, type Task } from '../src/index.ts';
import { linesOf } from './pipes/pipeline.ts';
import { serve } from './support/http-server.ts';
import { freshFolder, root } from './support/run.ts';

test('a procession loads, executes by HTTP and saves in one process, and repeats nothing', async () => {
  const { url, seen } = await serve((response) => response.end('ok'));
  const cwd = freshFolder();
  const [input, out, ledger] = ['a.csv', 'out.csv', 'done.jsonl'].map((name) => join(cwd, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(input, `url\n${url}/1\n${url}/2\n`);
  const run = async (): Promise<SaveSummary> =>
    procession({
      load: load(input, { uuidFields: ['url'], ledger }),
      exec: exec(await http(), { jobs: 50 }),
      save: (tasks) => save(tasks, out, { ledger, fields: ['url', 'uuid', 'result.status'] }),
    });
  expect(await run()).toMatchObject({ saved: 2, failed: 0 });
  expect(await run()).toMatchObject({ saved: 0 });
  expect(seen).toHaveLength(2);
  expect(
    linesOf(cwd, 'out.csv')
      .map((line) => line.split(',')[2])
      .sort(),
  ).toEqual(['200', '200', 'result.status']);
});

test('functions run one after another, and a thrown error is a failure that the next one passes on', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'a.csv'), 'n\n1\n2\n3\n');
  const double = ({ fields }: Task): number => {
    if (fields.n === '2') throw Object.assign(new Error('not 2'), { code: 'TWO' });
    return Number(fields.n) * 2;
  };
  const summary = await procession({
    load: load(join(cwd, 'a.csv')),
    exec: [
      exec(double, { as: 'double', retries: 0 }),
      exec(async ({ fields }) => Number(fields.double) + 1, { as: 'more' }),
    ],
    save: (tasks) => save(tasks, join(cwd, 'out.csv'), { fields: ['n', 'double', 'more'] }),
  });
  expect(summary).toMatchObject({ saved: 2, failed: 1 });
  expect(linesOf(cwd, 'out.csv').sort()).toEqual(['1,2,3', '3,6,7', 'n,double,more']);
  expect(linesOf(cwd, 'out.csv.rest.ndjson')[0]).toContain('"error":{"code":"TWO","message":"not 2"}');
});

test('the built package is imported by its name, and exports what the sources export', async () => {
  const names = 'console.log(JSON.stringify(Object.keys(await import("taskpipe")).sort()))';
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', names], { cwd: root });
  expect(JSON.parse(printed.toString())).toEqual(Object.keys(await import('../src/index.ts')).sort());
});
