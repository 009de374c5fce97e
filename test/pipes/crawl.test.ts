import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { needsRedis, startRedis } from '../support/redis.ts';
import { startRelay } from '../support/relay.ts';
import { freshFolder, root, sh } from '../support/run.ts';
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

/** Starts a site of 200 pages, all reachable from the first. Counts the requests of each. */
async function startSite(): Promise<{ url: string; requests: Map<string, number> }> {
  const requests = new Map<string, number>();
  const server = createServer((request, response) => {
    const page = request.url ?? '';
    requests.set(page, (requests.get(page) ?? 0) + 1);
    const links = [1, 2, 3, 5, 8, 13, 21, 34].map((step) => (Number(page.slice(1)) * 7 + step) % 200);
    response.setHeader('content-type', 'text/html');
    response.end(links.map((to) => `<a href="/${to}">x</a>`).join(''));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/0`, requests };
}

test('two machines that crawl a site through a queue, one of them far away, fetch each page once', async (context) => {
  await needsRedis(context);
  const redis = await startRedis();
  const relay = await startRelay(() => redis.port);
  onTestFinished(() => relay.close());
  relay.set('open', 25);
  const addresses = [redis.url, `redis://127.0.0.1:${relay.port}/0`];
  // The first steps of a machine are where it once went wrong: several short crawls begin more often than a long one.
  for (const name of ['a', 'b']) {
    const { url, requests } = await startSite();
    await sh(
      `echo ${url} | task-load --field url --uuid-fields url | task-queue push ${redis.url} --name ${name}`,
    );
    const machines = addresses.map((queue, i) =>
      runPipeline(
        `task-queue pull --window 30 --until-empty --quiet | ` +
          `task-exec --module ${join(root, 'examples/crawl.mjs')} -j 20 --quiet | ` +
          'task-save out.csv --tee --flush-interval 100ms | task-queue ack --quiet',
        { env: { TASK_QUEUE: queue, TASK_NAME: name, TASK_QUEUE_WORKER: `machine-${i}` } },
      ),
    );
    for (const { codes } of await Promise.all(machines)) expect(codes).toBe('0 0 0 0');
    expect(requests.size).toBe(200);
    expect([...requests].filter(([, times]) => times > 1)).toEqual([]);
  }
}, 120_000);
