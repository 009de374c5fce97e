/* Every page of the manual runs as written, and follows the rules for pages. */
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { blocksOf, pageRunner, pages, read, runPage } from '../support/pages.ts';
import { sh } from '../support/run.ts';
import { serve } from '../support/serve.ts';

const address = await serve();
const runner = await pageRunner(address);
const timeout = 300_000;
const withExamples = pages().filter((page) => blocksOf(page).some(({ kind }) => kind === 'sh'));
const elsewhere = ['README.md', 'docs/recipes.md'];

test.for(withExamples.filter((page) => !elsewhere.includes(page)))(
  '%s runs as written',
  {
    timeout,
  },
  async (page) => {
    await runPage(runner, page);
  },
);

const linesOf = (name: string): number =>
  readFileSync(join(runner.cwd, name), 'utf8').trim().split('\n').length;

test('docs/recipes.md runs as written, and its recipes give complete outputs', { timeout }, async () => {
  expect(await runPage(runner, 'docs/recipes.md')).toBeGreaterThan(15);
  const { cwd, env, missing } = runner;
  if (!missing.includes('make')) {
    expect(linesOf('all.csv')).toBe(13);
    appendFileSync(join(cwd, 'a.csv'), `13,http://${address}/item/13,NY\n`);
    expect((await sh('make -j4', { cwd, env })).stderr).toMatch(/saved 1\n[\s\S]*saved 13\n/);
    expect(linesOf('all.csv')).toBe(14);
  }
  if (!missing.includes('flock')) expect([linesOf('nightly.csv'), linesOf('nightly.log')]).toEqual([13, 1]);
  const http = ['mine.csv', 'by-token.csv', 'by-proxy.csv', 'new-server.csv', 'streams.csv', 'gently.csv'];
  expect(http.map(linesOf)).toEqual(http.map(() => 13));
  expect(['servers.csv', 'remote.csv', 'pieces.csv', 'site.csv', 'items.ndjson'].map(linesOf)).toEqual([
    ...[13, 13, 13],
    ...[10, 15],
  ]);
});

/** Lines that only describe a command, or that need another machine. They begin a block of the kind `text`. */
const NOT_RUN = [
  /^task-(load|exec|save|done|queue|serve) [^|]*(\[options\]|UUID\.\.\.\])$/, // a synopsis
  /^task-queue pull \| task-exec --module crawl\.mjs/, // joins a queue that has been filled
  /^task-serve \/api --store/, // runs until it is stopped
  /^task-load a\.csv \| task-exec --http \| task-save out\.csv$/, // the bug report
  /^task-queue size 'rediss:/, // a server of the reader
  /^task-load \$db --query |^task-done count "\$TASK_LEDGER"$/, // PostgreSQL of the reader
  /^task-load s3:/, // the same
  /^task-load a\.csv \| task-queue push$|^task-queue pull --until-empty .* m1\.csv --tee/, // the same
];

test('every command line of the manual is in a block that runs', () => {
  const left: string[] = [];
  for (const page of pages()) {
    for (const { kind, body } of blocksOf(page)) {
      if (kind === 'sh') continue;
      for (const line of body.split('\n'))
        if (/^(\$ )?task-[a-z]+ /.test(line) && !NOT_RUN.some((one) => one.test(line)))
          left.push(`${page}: ${line}`);
    }
  }
  expect(left).toEqual([]);
});

test('every paragraph of the manual is one line', () => {
  const wrapped: string[] = [];
  const starts = /^(?:[-#|>!<]|\d+\.| {2,}|```|$)/;
  for (const page of pages().filter((one) => one !== 'docs/options.md')) {
    const lines = read(page)
      .replace(/^(```.*?^```|---\n.*?^---)$/gms, '')
      .split('\n');
    lines.forEach((line, i) => {
      const before = lines[i - 1] ?? '';
      if (!starts.test(line) && before !== '' && !before.startsWith('```')) wrapped.push(`${page}: ${line}`);
    });
  }
  expect(wrapped).toEqual([]);
});
