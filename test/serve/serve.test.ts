import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nameUuid } from '../../src/core/ids/index.ts';
import { exec } from '../../src/index.ts';
import { app } from '../../src/serve/index.ts';
import { freePort } from '../support/port.ts';
import { freshFolder, start } from '../support/run.ts';
import { type Answer, ask, type Serving, serve, submit, until } from './service.ts';

const WORK = `export default async (task, { logger, signal }) => {
  logger.info('on %s', task.n);
  if (task.bad) throw Object.assign(new Error('as requested'), { code: 'BAD' });
  if (task.ms) await new Promise((resolve, reject) => {
    setTimeout(resolve, task.ms);
    signal.addEventListener('abort', () => reject(signal.reason));
  });
  return { n: task.n, é: [1.5] };
};
`;
const POST = { method: 'POST' };

async function serving(
  words: readonly string[] = [],
  cwd: string = freshFolder(),
): Promise<Serving & { cwd: string }> {
  writeFileSync(join(cwd, 'work.mjs'), WORK);
  const exec = 'task-exec --module work.mjs -j 2 --quiet --retries 0';
  return { ...(await serve(cwd, ['--port', '0', '--exec', exec, ...words])), cwd };
}

const of = (url: string, { body }: Answer, path = ''): string => `${url}${path}?task_id=${body.data.task_id}`;
const isFinal = ({ body }: Answer): boolean => !['PENDING', 'RUNNING'].includes(body.data.status);

describe('task-serve', { timeout: 60_000 }, () => {
  test('reports a task as RUNNING, then its result, and keeps every digit of its data', async () => {
    const { url } = await serving(['--log-dir', 'logs']);
    const taken = await submit(url, '{"data":{"n":1.10,"big":12345678901234567890,"ms":1500}}');
    expect(taken.text).toMatch(
      /^{"status":"ok","data":{"task_id":"[0-9a-f-]{36}"},"error_data":\[\],"error_msg":""}$/,
    );
    const running = await until(of(url, taken), ({ body }) => body.data.status !== 'PENDING');
    expect(running.body.data).toMatchObject({ status: 'RUNNING', result: null, finished: null });
    const done = await until(of(url, taken), isFinal);
    expect(done.body.data).toMatchObject({
      status: 'SUCCESS',
      attempts: 1,
      result: { é: [1.5] },
      error: null,
    });
    expect(done.text).toContain('"data":{"n":1.10,"big":12345678901234567890,"ms":1500}');
    expect((await ask(of(url, taken, '/log'))).body.data.log).toContain('INFO on 1.1');
  });

  test('reports why a task failed, and runs it again on request', async () => {
    const { url } = await serving();
    const taken = await submit(url, { bad: true });
    const failed = await until(of(url, taken), isFinal);
    expect(failed.body.data).toMatchObject({
      status: 'FAILURE',
      error: { code: 'BAD', message: 'as requested' },
    });
    expect((await ask(of(url, taken, '/rerun'), POST)).code).toBe(200);
    const again = await until(of(url, taken), isFinal);
    expect(Date.parse(again.body.data.finished)).toBeGreaterThan(Date.parse(failed.body.data.finished));
  });

  test('deletes only tasks that have ended, and cancels only others', async () => {
    const { url } = await serving(['--window', '1']);
    const first = await submit(url, { ms: 3000 });
    await until(of(url, first), ({ body }) => body.data.status === 'RUNNING');
    const second = await submit(url, { n: 2 });
    expect((await ask(of(url, second), { method: 'DELETE' })).code).toBe(409);
    expect((await ask(of(url, second, '/cancel'), POST)).code).toBe(200);
    expect((await ask(of(url, second, '/cancel'), POST)).code).toBe(409);
    expect((await ask(of(url, second))).body.data.status).toBe('CANCELLED');
    expect((await ask(of(url, second), { method: 'DELETE' })).code).toBe(200);
    expect((await ask(of(url, second))).code).toBe(404);
    expect((await until(of(url, first), isFinal)).body.data.status).toBe('SUCCESS');
  });

  test('lists tasks by state, by text in their data, and by page, newest first', async () => {
    const { url } = await serving();
    const lines = Array.from(
      { length: 25 },
      (_, n) => `{"n":${n},"word":"w${n}x"${n === 3 ? ',"bad":true' : ''}}\n`,
    );
    const batch = await ask(`${url}/batch`, {
      ...{ method: 'POST', body: lines.join('') },
      headers: { 'content-type': 'application/x-ndjson' },
    });
    const ids = batch.body.data.task_ids as string[];
    await until(
      `${url}/tasks`,
      ({ body }) => body.data.counts.SUCCESS === 24 && body.data.counts.FAILURE === 1,
    );
    const idsOf = ({ body }: Answer): string[] =>
      body.data.tasks.map((task: { task_id: string }) => task.task_id);
    const one = await ask(`${url}/tasks?limit=10`);
    const two = await ask(`${url}/tasks?limit=10&before=${one.body.data.next}`);
    const three = await ask(`${url}/tasks?limit=10&before=${two.body.data.next}`);
    expect([...idsOf(one), ...idsOf(two), ...idsOf(three)]).toEqual([...ids].reverse());
    expect(three.body.data.next).toBe(null);
    expect(idsOf(await ask(`${url}/tasks?status=FAILURE`))).toEqual([ids[3]]);
    expect(idsOf(await ask(`${url}/tasks?search=w17x`))).toEqual([ids[17]]);
  });

  test('gives data with the same --id-fields the same task, and the id that task-load gives', async () => {
    const { url } = await serving(['--id-fields', 'url', '--rerun-after', '1s']);
    const first = await submit(url, { url: 'http://a/', n: 1 });
    expect(first.body.data.task_id).toBe(nameUuid('http://a/'));
    const ended = (await until(of(url, first), isFinal)).body.data;
    expect((await submit(url, { url: 'http://a/', n: 2 })).body.data.task_id).toBe(first.body.data.task_id);
    expect((await ask(of(url, first))).body.data).toEqual(ended);
    while (Date.now() < Date.parse(ended.finished) + 1000) await new Promise(setImmediate);
    await submit(url, { url: 'http://a/', n: 3 });
    const again = await until(of(url, first), ({ body }) => body.data.result?.n === 3);
    expect(again.body.data.data.n).toBe(3);
    expect((await submit(url, { n: 1 })).body.error_data[0].code).toBe('DATA');
  });

  test('makes the id from nested members, and from members with a comma in their name', async () => {
    const { url } = await serving(['--id-fields', 'in.sku,"a,b"']);
    const { body } = await submit(url, { in: { sku: 'S1' }, 'a,b': 1.5 });
    expect(body.data.task_id).toBe(nameUuid('S1\u001f1.5'));
    expect((await submit(url, { in: {}, 'a,b': 1 })).body.error_data[0].message).toContain('"in.sku"');
  });

  test('fails a task that exceeds --timeout', async () => {
    const { url } = await serving(['--timeout', '500ms']);
    const late = await until(of(url, await submit(url, { ms: 60_000 })), isFinal);
    expect(late.body.data).toMatchObject({ status: 'FAILURE', error: { code: 'TIMEOUT' } });
  });

  test('runs --on-done with the record of each task that has ended', async () => {
    const { url, cwd } = await serving(['--on-done', 'tee -a ended.ndjson']);
    await until(of(url, await submit(url, { n: 1 })), isFinal);
    await until(of(url, await submit(url, { bad: true })), isFinal);
    const textOf = (): string =>
      existsSync(join(cwd, 'ended.ndjson')) ? readFileSync(join(cwd, 'ended.ndjson'), 'utf8') : '';
    while (textOf().split('\n').length < 3) await new Promise((resolve) => setTimeout(resolve, 20));
    const states = textOf()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).run.state);
    expect(states.sort()).toEqual(['FAILURE', 'SUCCESS']);
  });

  test('lets current tasks finish at the first signal, and runs the rest after a restart', async () => {
    const { url, end, cwd } = await serving();
    const running = await submit(url, { n: 1, ms: 1500 });
    await until(of(url, running), ({ body }) => body.data.status === 'RUNNING');
    await submit(url, { n: 2, ms: 1500 });
    const last = await submit(url, { n: 3 });
    expect(await end('SIGINT')).toBe(130);
    const { url: next } = await serving([], cwd);
    expect((await ask(of(next, running))).body.data).toMatchObject({ status: 'SUCCESS', result: { n: 1 } });
    expect((await until(of(next, last), isFinal)).body.data).toMatchObject({
      status: 'SUCCESS',
      result: { n: 3 },
    });
  });

  test('sends changes as server-sent events, and serves health and metrics', async () => {
    const { url } = await serving();
    const { origin } = new URL(url);
    const leave = new AbortController();
    const { body } = await fetch(`${url}/events`, { signal: leave.signal });
    const taken = await submit(url, { n: 1 });
    let told = '';
    for await (const chunk of body as ReadableStream<Uint8Array>) {
      told += Buffer.from(chunk).toString();
      if (told.includes('"status":"SUCCESS"')) break;
    }
    leave.abort();
    expect(told).toContain(`{"task_id":"${taken.body.data.task_id}","status":"PENDING"}`);
    expect((await ask(`${origin}/healthz`)).body.status).toBe('ok');
    const metrics = await ask(`${origin}/metrics`);
    expect(metrics.text).toContain('taskserve_finished_total{state="SUCCESS"} 1');
  });

  test('acts as a loader without --exec, and reports the results that task-save stores', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'work.mjs'), WORK);
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/api`;
    const line = `(echo $BASHPID > pid; exec task-serve /api --port ${port}) | task-exec --module work.mjs --quiet | task-save tasks.db --all --flush-interval 100ms --quiet`;
    const pipe = start(line, { cwd });
    for (;;) {
      if (
        await ask(`${url}/tasks`).then(
          () => true,
          () => false,
        )
      )
        break;
    }
    const good = await submit(url, { n: 1 });
    const bad = await submit(url, { bad: true });
    expect((await until(of(url, good), isFinal)).body.data).toMatchObject({
      status: 'SUCCESS',
      result: { n: 1 },
    });
    expect((await until(of(url, bad), isFinal)).body.data).toMatchObject({
      status: 'FAILURE',
      error: { code: 'BAD' },
    });
    const ended = new Promise((resolve) => pipe.once('close', resolve));
    process.kill(Number(readFileSync(join(cwd, 'pid'), 'utf8')), 'SIGTERM');
    await ended;
  });

  test('can be mounted in another program as app()', async () => {
    const cwd = freshFolder();
    const work = exec(async ({ fields }) => ({ twice: Number(fields.n) * 2 }), { jobs: 2 });
    const service = app('/double', { store: join(cwd, 't.db'), exec: work });
    const post = await service.inject({
      ...{
        method: 'POST',
        url: '/double',
        headers: { host: 'localhost', 'content-type': 'application/json' },
      },
      payload: '{"data":{"n":21}}',
    });
    const { task_id } = post.json().data;
    for (;;) {
      const answer = await service.inject({
        url: `/double?task_id=${task_id}`,
        headers: { host: 'localhost' },
      });
      const { status, result } = answer.json().data;
      if (status !== 'SUCCESS') continue;
      expect(result).toEqual({ twice: 42 });
      break;
    }
    const server = createServer(service.routing).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const mounted = await ask(`http://127.0.0.1:${port}/double?task_id=${task_id}`);
    expect(mounted.body.data.result).toEqual({ twice: 42 });
    server.close();
    server.closeAllConnections();
    await service.close();
  });
});
