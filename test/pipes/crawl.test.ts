import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshFolder, root } from '../support/run.ts';
import {
  finishedOf,
  hasLines,
  linesOf,
  runPipeline,
  startPipeline,
  startServer,
  uuidsOf,
} from './pipeline.ts';

const PAGES = 2000;

function crawl(url: string): string {
  return (
    `echo ${url}/page/1 | task-load --field url --uuid-fields url --quiet | ` +
    `task-exec --module ${join(root, 'examples/crawl.mjs')} --spool spool.ndjson -j 20 --quiet | ` +
    'task-save pages.csv --flush 100'
  );
}

test('a crawl finds every page of a site and saves each once', async () => {
  const cwd = freshFolder();
  const { url } = await startServer('--pages', String(PAGES));
  const { codes, stderr } = await runPipeline(crawl(url), { cwd });
  expect(stderr).toBe('task-save: saved 2,000\n');
  expect(codes).toBe('0 0 0 0');
  const rows = linesOf(cwd, 'pages.csv');
  expect(rows[0]).toMatch(/^uuid,url,result\.status,result\.title,/);
  expect(new Set(rows.slice(1).map((row) => row.split(',')[3])).size).toBe(PAGES);
  expect(rows).toHaveLength(PAGES + 1);
});

test('a crawl killed repeatedly continues with the same command and saves each page once', async () => {
  const cwd = freshFolder();
  const { url } = await startServer('--pages', String(PAGES));
  const env = { TASK_LEDGER: 'done.jsonl' };
  for (const [i, stage] of ['task-exec', 'task-save', 'all', 'task-exec', 'all'].entries()) {
    const pipeline = startPipeline(crawl(url), { cwd, env });
    await hasLines(cwd, 'spool.ndjson', 1 + i * 300);
    if (stage === 'all') pipeline.signal('SIGKILL');
    else process.kill(pipeline.pid(stage), 'SIGKILL');
    await pipeline.end;
  }
  const before = finishedOf(cwd, 'done.jsonl').length;
  expect(before).toBeGreaterThan(0);
  expect(before).toBeLessThan(PAGES);
  const { codes } = await runPipeline(crawl(url), { cwd, env });
  expect(codes).toBe('0 0 0 0');
  const saved = uuidsOf(cwd, 'pages.csv');
  expect(saved).toHaveLength(PAGES);
  expect(new Set(saved).size).toBe(PAGES);
  expect(new Set(finishedOf(cwd, 'done.jsonl'))).toEqual(new Set(saved));
});
