/* What the README shows to type is typed here. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshFolder, has, root, sh } from './support/run.ts';
import { serve } from './support/serve.ts';

const address = await serve();
const text = readFileSync(join(root, 'README.md'), 'utf8');
const blocks = (language: string): string[] =>
  [...text.matchAll(/^```(\w+)\n(.*?)^```/gms)].flatMap(([, kind, body = '']) =>
    kind === language ? [body] : [],
  );

test('every shell example runs', async (context) => {
  for (const program of ['jq', 'sqlite3'])
    if (!(await has(program))) context.skip(`${program} is not installed`);
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'my-program'), '#!/bin/sh\nexec cat\n');
  chmodSync(join(cwd, 'my-program'), 0o755);
  expect(blocks('sh').length).toBeGreaterThan(4);
  for (const block of blocks('sh')) {
    const { code, stderr, stdout } = await sh(block.replaceAll('127.0.0.1:8080', address), { cwd });
    expect([block, stderr, stdout, [0, 1].includes(code ?? -1)]).toEqual([block, stderr, stdout, true]);
    expect(stderr).not.toMatch(/not found|unknown option|must be|a defect/);
  }
  expect(readFileSync(join(cwd, 'out.csv'), 'utf8').split('\n')[1]).toMatch(/^[0-9a-f-]{36},1,200$/);
});

test('the Makefile does all its shards, and then has nothing left to do', async (context) => {
  if (!(await has('make'))) context.skip('make is not installed');
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'Makefile'), blocks('make')[0] ?? '');
  const rows = Array.from({ length: 40 }, (_, i) => `${i},http://${address}/item/${i}`);
  writeFileSync(join(cwd, 'a.csv'), `id,url\n${rows.join('\n')}\n`);
  expect((await sh('make -j4', { cwd })).code).toBe(0);
  const saved = (await sh('tail -q -n +2 out.?.csv | cut -d, -f1', { cwd })).stdout.trim().split('\n');
  expect(new Set(saved).size).toBe(40);
  expect(saved).toHaveLength(40);
  expect(existsSync(join(cwd, 'done.jsonl'))).toBe(true);
  expect((await sh('make', { cwd })).stdout).toMatch(/Nothing to be done/);
});
