/* The README is short, its picture is small, and its examples run as written. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { blocksOf, pageRunner, read, runPage } from './support/pages.ts';
import { root } from './support/run.ts';
import { serve } from './support/serve.ts';

const runner = await pageRunner(await serve());

test('every example of the README runs, and a first run gives one row per task', {
  timeout: 300_000,
}, async () => {
  expect(blocksOf('README.md').filter(({ kind }) => kind === 'sh').length).toBeGreaterThan(6);
  await runPage(runner, 'README.md');
  const rows = readFileSync(join(runner.cwd, 'pages.csv'), 'utf8').trim().split('\n');
  expect(rows).toHaveLength(4);
  for (const row of rows.slice(1)) expect(row).toMatch(/^[0-9a-f-]{36},[123],200$/);
});

test('the README has at most 250 lines', () => {
  expect(read('README.md').split('\n').length).toBeLessThanOrEqual(250);
});

test('the terminal picture is small, and shows what its script types', () => {
  const picture = readFileSync(join(root, 'docs/terminal.svg'), 'utf8');
  expect(read('README.md')).toContain('](docs/terminal.svg)');
  expect(picture.length).toBeLessThan(4096);
  const script = readFileSync(join(root, 'scripts/terminal.mjs'), 'utf8');
  const [, pipeline = ''] = /PIPELINE = '(.*)'/.exec(script) ?? [];
  expect(picture).toContain(`$ ${pipeline}`);
  expect(picture).toContain('finished before');
});
