/*
 * Features that users of AsyncTask had: functions for ids, ends and answers; reruns of failed tasks; timeouts;
 * cancels.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exec } from '../../src/index.ts';
import { type AppOptions, app } from '../../src/serve/index.ts';
import { freshFolder } from '../support/run.ts';
import { type Answer, ask, type Serving, serve, submit, until } from './service.ts';

const POST = { method: 'POST' };
const WORK = `import { appendFileSync } from 'node:fs';
export default async (task, { signal, attempt }) => {
  appendFileSync('calls', task.n + '\\n');
  if (task.bad) throw Object.assign(new Error('as requested'), { code: 'BAD', retry: task.bad === 'again' });
  if (task.spin) for (;;);
  if (task.wait) await new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 60_000);
    if (task.wait === 'deaf') return;
    signal.addEventListener('abort', () => {
      appendFileSync('aborted', task.n + ' ' + attempt + '\\n');
      clearTimeout(timer);
      reject(new Error('aborted'));
    });
  });
  return task.n;
};
`;

async function serving(kind: string, words: readonly string[] = []): Promise<Serving & { cwd: string }> {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'work.mjs'), WORK);
  return { ...(await serve(cwd, ['--port', '0', '--exec', `task-exec ${kind} --quiet`, ...words])), cwd };
}

const of = (url: string, { body }: Answer, path = ''): string => `${url}${path}?task_id=${body.data.task_id}`;
const isFinal = ({ body }: Answer): boolean => body.data.finished !== null;
const isRunning = ({ body }: Answer): boolean => body.data.status === 'RUNNING';
const linesOf = (cwd: string, file: string): string[] =>
  existsSync(join(cwd, file)) ? readFileSync(join(cwd, file), 'utf8').trim().split('\n') : [];

describe('cancelling a running task', { timeout: 60_000 }, () => {
  test('aborts its signal, and leaves its neighbours alone', async () => {
    const { url, cwd, said } = await serving('--module work.mjs -j 4');
    const taken = await submit(url, { n: 1, wait: true });
    const other = await submit(url, { n: 2, wait: true });
    await until(of(url, other), isRunning);
    await until(of(url, taken), isRunning);
    expect((await ask(of(url, taken, '/cancel'), POST)).code).toBe(200);
    const cancelled = await ask(of(url, taken));
    expect(cancelled.body.data).toMatchObject({ status: 'CANCELLED', result: null });
    expect(cancelled.body.data.started).toMatch(/Z$/);
    while (linesOf(cwd, 'aborted').length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(linesOf(cwd, 'aborted')).toEqual(['1 1']);
    expect((await until(of(url, await submit(url, { n: 3 })), isFinal)).body.data.status).toBe('SUCCESS');
    expect((await ask(of(url, other))).body.data.status).toBe('RUNNING');
    expect((await ask(of(url, taken))).body.data.status, 'and its end changes nothing').toBe('CANCELLED');
    expect(said()).not.toContain('replaced');
  });

  for (const [kind, words] of Object.entries({
    command: "--command 'sleep {s}'",
    worker: `--worker 'jq -c --unbuffered "if .s > 0 then (until(false; .)) else {uuid, result: 1} end"' --per-worker 1`,
  })) {
    test(`ends the program of a ${kind}, and another task takes its place`, async () => {
      const { url, said } = await serving(`${words} -j 1`);
      const taken = await submit(url, { n: 1, s: 60 });
      await until(of(url, taken), isRunning);
      const next = await submit(url, { n: 2, s: 0 });
      expect((await ask(of(url, taken, '/cancel'), POST)).code).toBe(200);
      expect((await until(of(url, next), isFinal)).body.data.status).toBe('SUCCESS');
      expect((await ask(of(url, taken))).body.data.status).toBe('CANCELLED');
      expect(said(), 'the stage was not replaced').not.toContain('replaced');
    });
  }

  for (const [how, data] of Object.entries({
    'blocks its thread': { spin: true },
    'ignores its signal': { wait: 'deaf' },
  })) {
    test(`replaces task-exec if the work ${how}`, async () => {
      const { url, said } = await serving('--module work.mjs -j 1 --grace 1s');
      const taken = await submit(url, { n: 1, ...data });
      await until(of(url, taken), isRunning);
      const next = await submit(url, { n: 2 });
      expect((await ask(of(url, taken, '/cancel'), POST)).code).toBe(200);
      expect((await until(of(url, next), isFinal)).body.data).toMatchObject({ status: 'SUCCESS', result: 2 });
      expect(said()).toContain('the stage that runs it is replaced');
      expect((await ask(of(url, taken))).body.data.status).toBe('CANCELLED');
    });
  }

  test('keeps a task that waits in task-exec from being started, and a rerun runs it once more', async () => {
    const { url, cwd } = await serving('--module work.mjs -j 1');
    const first = await submit(url, { n: 1, wait: true });
    await until(of(url, first), isRunning);
    const second = await submit(url, { n: 2 });
    expect((await ask(of(url, second, '/cancel'), POST)).code).toBe(200);
    expect((await ask(of(url, second, '/rerun'), POST)).code).toBe(200);
    expect((await ask(of(url, first, '/cancel'), POST)).code).toBe(200);
    expect((await until(of(url, second), isFinal)).body.data).toMatchObject({ status: 'SUCCESS', result: 2 });
    expect(linesOf(cwd, 'calls')).toEqual(['1', '2']);
  });
});

describe('a timeout', { timeout: 60_000 }, () => {
  test('of 2s fails a task after 2 s, with the one attempt that was made', async () => {
    const { url, cwd } = await serving('--module work.mjs', ['--timeout', '2s']);
    const late = (await until(of(url, await submit(url, { n: 1, wait: true })), isFinal)).body.data;
    expect(late).toMatchObject({ status: 'FAILURE', attempts: 1, error: { code: 'TIMEOUT' } });
    expect(late.error.message).toContain('2 s');
    expect(Date.parse(late.finished) - Date.parse(late.started)).toBeLessThan(2600);
    expect(late.ms).toBeGreaterThanOrEqual(2000);
    expect(late.ms).toBeLessThan(2600);
    while (linesOf(cwd, 'aborted').length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  test('counts the attempts of a task that is retried, and shows them while it runs', async () => {
    const { url } = await serving('--module work.mjs --backoff 10ms..20ms --retries 1000', [
      '--timeout',
      '2s',
    ]);
    const taken = await submit(url, { n: 1, bad: 'again' });
    const running = await until(of(url, taken), ({ body }) => body.data.attempts > 3);
    expect(running.body.data.status).toBe('RUNNING');
    const late = (await until(of(url, taken), isFinal)).body.data;
    expect(late).toMatchObject({ status: 'FAILURE', error: { code: 'TIMEOUT' } });
    expect(late.attempts).toBeGreaterThan(3);
  });

  test('ends work that blocks its thread, and runs the others', async () => {
    const { url } = await serving('--module work.mjs -j 1 --grace 1s', ['--timeout', '1s']);
    const late = await submit(url, { n: 1, spin: true });
    const next = await submit(url, { n: 2 });
    expect((await until(of(url, late), isFinal)).body.data).toMatchObject({
      attempts: 1,
      error: { code: 'TIMEOUT' },
    });
    expect((await until(of(url, next), isFinal)).body.data).toMatchObject({ status: 'SUCCESS', result: 2 });
  });
});

describe('a failed task', { timeout: 60_000 }, () => {
  test('is run again if it is submitted again; one that succeeded is not', async () => {
    const { url, cwd } = await serving('--module work.mjs --retries 0', ['--id-fields', 'n']);
    const once = async (data: object): Promise<string> =>
      (await until(of(url, await submit(url, data)), isFinal)).body.data.status;
    expect(await once({ n: 1, bad: true })).toBe('FAILURE');
    expect(await once({ n: 1 }), 'with the data that was sent last').toBe('SUCCESS');
    expect(await once({ n: 1, bad: true })).toBe('SUCCESS');
    expect(linesOf(cwd, 'calls')).toEqual(['1', '1']);
  });

  test('is not run again with --rerun-failed no', async () => {
    const { url, cwd } = await serving('--module work.mjs --retries 0', [
      '--id-fields',
      'n',
      '--rerun-failed',
      'no',
    ]);
    const first = await submit(url, { n: 1, bad: true });
    await until(of(url, first), isFinal);
    await submit(url, { n: 1 });
    expect((await ask(of(url, first))).body.data.status).toBe('FAILURE');
    expect(linesOf(cwd, 'calls')).toEqual(['1']);
  });

  test('has the stack of what was thrown in its log, and in an answer that asks for it', async () => {
    const { url } = await serving('--module work.mjs --retries 0', ['--log-dir', 'logs']);
    const taken = await submit(url, { n: 1, bad: true });
    const told = await until(`${of(url, taken)}&stack=true`, ({ body }) => body.data.stack !== null);
    expect(told.body.data.stack).toMatch(/as requested\n +at .*work\.mjs:\d+/s);
    expect((await ask(of(url, taken))).body.data).not.toHaveProperty('stack');
    const log = await until(of(url, taken, '/log'), ({ body }) => body.data.log !== '');
    expect(log.body.data.log).toMatch(/Z ERROR .*as requested\n +at .*work\.mjs:\d+/s);
    expect(log.body.data.next).toBe(Buffer.byteLength(log.body.data.log));
    expect((await ask(`${of(url, taken, '/log')}&from=${log.body.data.next}`)).body.data.log).toBe('');
  });
});

describe('requests as AsyncTask takes them', { timeout: 60_000 }, () => {
  test('GET with the id in a body, and HEAD', async () => {
    const { url } = await serving('--module work.mjs');
    const { body } = await submit(url, { n: 1 });
    const { task_id } = body.data;
    const asked = async (method: string, text: string): Promise<{ code: number | undefined; text: string }> =>
      new Promise((resolve, reject) => {
        const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
        const sent = request(url, { method, headers }, (response) => {
          let answer = '';
          response.on('data', (chunk) => {
            answer += chunk;
          });
          response.on('end', () => resolve({ code: response.statusCode, text: answer }));
        });
        sent.on('error', reject);
        sent.end(text);
      });
    const got = await asked('GET', JSON.stringify({ task_id }));
    expect([got.code, JSON.parse(got.text).data.task_id]).toEqual([200, task_id]);
    expect((await asked('GET', '{"task_id":5}')).code).toBe(400);
    for (const path of [`?task_id=${task_id}`, '/tasks', '/docs', '/openapi.json', '/history']) {
      const head = await ask(url + path, { method: 'HEAD' });
      const get = await ask(url + path);
      expect([head.code, head.text], path).toEqual([200, '']);
      expect(head.headers.get('content-type'), path).toBe(get.headers.get('content-type'));
    }
    expect((await ask(`${url}?task_id=x`, { method: 'HEAD' })).code).toBe(404);
    expect((await ask(`${new URL(url).origin}/healthz`, { method: 'HEAD' })).code).toBe(200);
  });
});

describe('app()', { timeout: 60_000 }, () => {
  type Injected = { code: number; body: Answer['body'] };
  const opened = async (
    options: Omit<AppOptions, 'store'>,
    use: (
      send: (url: string, payload?: string, method?: 'POST' | 'GET') => Promise<Injected>,
    ) => Promise<void>,
  ): Promise<void> => {
    const service = app('/api', { store: join(freshFolder(), 't.db'), ...options });
    try {
      await use(async (url, payload, method = payload === undefined ? 'GET' : 'POST') => {
        const headers = { host: 'localhost', 'content-type': 'application/json' };
        const answer = await service.inject({
          method,
          url,
          headers,
          ...(payload === undefined ? {} : { payload }),
        });
        return { code: answer.statusCode, body: answer.json() };
      });
    } finally {
      await service.close();
    }
  };
  const ended = async (send: (url: string) => Promise<Injected>, id: string): Promise<Injected> => {
    for (;;) {
      const answer = await send(`/api?task_id=${encodeURIComponent(id)}`);
      if (answer.body.data?.finished !== null) return answer;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };

  test('makes ids with taskId, calls onDone at each end, and answers with the value of retrieve', async () => {
    const done: unknown[] = [];
    const options: Omit<AppOptions, 'store'> = {
      exec: exec(({ fields }) => Number(fields.n) * 2),
      taskId: async (data) => {
        if (data.n === undefined) throw new Error('n is needed');
        return `n "${data.n}"/é`;
      },
      onDone: (record) => void done.push(record),
      retrieve: (id, stored) =>
        stored === undefined
          ? id === 'old'
            ? { from: 'elsewhere' }
            : undefined
          : { id, was: stored.status, finished: stored.finished, result: stored.result },
    };
    await opened(options, async (send) => {
      const { body } = await send('/api', '{"data":{"n":21}}');
      expect(body.data.task_id).toBe('n "21"/é');
      expect((await ended(send, body.data.task_id)).body.data).toMatchObject({
        id: 'n "21"/é',
        was: 'SUCCESS',
        result: 42,
      });
      expect((await send('/api', '{"data":{"n":21}}')).body.data.task_id).toBe(body.data.task_id);
      expect((await send('/api?task_id=old')).body.data).toEqual({ from: 'elsewhere' });
      expect((await send('/api?task_id=none')).code).toBe(404);
      const refused = await send('/api', '{"data":{}}');
      expect([refused.code, refused.body.error_msg]).toEqual([400, expect.stringContaining('n is needed')]);
      expect((await send('/api/tasks')).body.data.tasks).toMatchObject([{ preview: '{"n":21}' }]);
      expect(done).toMatchObject([{ uuid: 'n "21"/é', n: 21, result: 42, run: { state: 'SUCCESS' } }]);
    });
  });

  test('aborts the signal of a function whose task is cancelled, and reports when it runs', async () => {
    let reason: unknown;
    const work = exec(
      (_task, { signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            reason = signal.reason;
            reject(new Error('aborted'));
          });
        }),
    );
    await opened({ exec: work }, async (send) => {
      const { task_id } = (await send('/api', '{"data":{}}')).body.data;
      while ((await send(`/api?task_id=${task_id}`)).body.data.status !== 'RUNNING');
      expect((await send(`/api/cancel?task_id=${task_id}`, '')).code).toBe(200);
      expect((await ended(send, task_id)).body.data.status).toBe('CANCELLED');
      while (reason === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
    });
  });
});
