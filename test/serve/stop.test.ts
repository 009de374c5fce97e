import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exec } from '../../src/index.ts';
import { app } from '../../src/serve/index.ts';
import { freshFolder } from '../support/run.ts';
import { ask, serve, submit, until } from './service.ts';

const MODULE = 'export default () => new Promise((resolve) => setTimeout(resolve, 60_000));\n';

/** Kinds of work that take a minute and ignore signals. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  module: ['--exec', 'task-exec --module work.mjs --quiet --grace 1s'],
  'module with --grace of the service': ['--exec', 'task-exec --module work.mjs --quiet', '--grace', '1s'],
  'module on threads': ['--exec', 'task-exec --module work.mjs --threads 2 --quiet --grace 1s'],
  command: ['--exec', "task-exec --command 'sleep 60' --quiet --grace 1s"],
  worker: ['--exec', "task-exec --worker 'sleep 60' --quiet --grace 1s"],
  'program that ignores SIGTERM': ['--exec', `sh -c "trap '' TERM; sleep 60"`, '--grace', '1s'],
  pipeline: ['--exec', 'cat | sleep 60', '--shell', '--grace', '1s'],
};

describe('one SIGTERM ends the service within its grace', { timeout: 60_000 }, () => {
  for (const [kind, words] of Object.entries(KINDS)) {
    test(`while a ${kind} works`, async () => {
      const cwd = freshFolder();
      writeFileSync(join(cwd, 'work.mjs'), MODULE);
      const { url, end } = await serve(cwd, ['--port', '0', ...words]);
      const taken = await submit(url, { n: 1 });
      const task = `${url}?task_id=${taken.body.data.task_id}`;
      await until(task, ({ body }) => body.data.status === 'RUNNING');
      const began = performance.now();
      expect(await end('SIGTERM')).toBe(143);
      expect(performance.now() - began).toBeLessThan(8000);
    });
  }

  test('while an --on-done command hangs', async () => {
    const cwd = freshFolder();
    const words = ['--port', '0', '--exec', 'cat', '--grace', '1s', '--on-done', 'sleep 60'];
    const { url, end, said } = await serve(cwd, words);
    const taken = await submit(url, { n: 1 });
    await until(`${url}?task_id=${taken.body.data.task_id}`, ({ body }) => body.data.status === 'SUCCESS');
    const began = performance.now();
    expect(await end('SIGTERM')).toBe(143);
    expect(performance.now() - began).toBeLessThan(8000);
    expect(said()).toContain('--on-done');
  });

  test('while a client watches, and another holds a connection open', async () => {
    const { url, end } = await serve(freshFolder(), ['--port', '0', '--exec', 'cat']);
    const events = await fetch(`${url}/events`);
    await ask(`${url}/tasks`);
    const began = performance.now();
    expect(await end('SIGTERM')).toBe(143);
    expect(performance.now() - began).toBeLessThan(5000);
    await events.body?.cancel().catch(() => {});
  });

  test('or one close() of app(), whose work never ends', async () => {
    const stage = exec(() => new Promise(() => {}));
    const service = app('/api', { store: join(freshFolder(), 't.db'), exec: stage, grace: 200 });
    await service.inject({
      ...{ method: 'POST', url: '/api', payload: '{"data":{}}' },
      headers: { host: 'localhost', 'content-type': 'application/json' },
    });
    const began = performance.now();
    await service.close();
    expect(performance.now() - began).toBeLessThan(8000);
  });
});

describe('options that task-serve passes on to task-exec', { timeout: 60_000 }, () => {
  const cases: Readonly<Record<string, string>> = {
    command: "task-exec --command 'echo {n}'",
    worker: `task-exec --worker 'jq -c --unbuffered "{uuid, result: .n}"'`,
    http: 'task-exec --http --expect-status 200',
    flow: 'task-exec --flow flow.mjs',
    'its own events': 'task-exec --module work.mjs --events own.ndjson',
    'its own timeout and grace': 'task-exec --module work.mjs --timeout 5s --grace 1s',
    'its own log folder': 'task-exec --module work.mjs --log-dir logs',
  };
  for (const [name, command] of Object.entries(cases)) {
    test(`do not break a task-exec with ${name}`, async () => {
      const cwd = freshFolder();
      writeFileSync(join(cwd, 'work.mjs'), 'export default ({ n }) => n;\n');
      writeFileSync(
        join(cwd, 'flow.mjs'),
        `import { linear } from ${JSON.stringify(new URL('../../dist/flow.js', import.meta.url).href)};\nexport default linear('f').add({ name: 'a', execute: () => 1 });\n`,
      );
      const { url } = await serve(cwd, [
        '--port',
        '0',
        '--log-dir',
        'logs',
        '--timeout',
        '9s',
        '--exec',
        `${command} --quiet`,
      ]);
      const { origin } = new URL(url);
      const taken = await submit(url, { n: 1, url: `${origin}/healthz` });
      const done = await until(
        `${url}?task_id=${taken.body.data.task_id}`,
        ({ body }) => body.data.finished !== null,
      );
      expect(done.body.data).toMatchObject({ status: 'SUCCESS', attempts: 1 });
    });
  }
});
