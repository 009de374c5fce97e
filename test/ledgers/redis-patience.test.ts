/* A Redis that accepts connections and answers nothing: no verb of task-done waits for longer than --patience. */
import { once } from 'node:events';
import { beforeEach, describe, expect, test } from 'vitest';
import { needsRedis, startRedis } from '../support/redis.ts';
import { ended, sh, start } from '../support/run.ts';

beforeEach(needsRedis);

/** Time after which a command would be waiting for the default of one minute, in milliseconds. */
const LONG = 45_000;

const VERBS = [
  ...['count', 'list', 'check', 'compact', 'clear --yes', 'skip', 'only', 'mark', 'unmark'],
  ...['mark a b', 'unmark a', 'has a'],
];

describe('task-done --patience', { timeout: 120_000 }, () => {
  test('ends every verb with 74 and the reason, if Redis is frozen', async () => {
    const redis = await startRedis();
    const ledger = `${redis.url}#l`;
    await sh(`task-done mark '${ledger}' a`);
    redis.freeze(true);
    const began = Date.now();
    const run = async (verb: string): Promise<void> => {
      const [name, ...words] = verb.split(' ');
      const command = `task-done ${name} '${ledger}' ${words.join(' ')} --patience 1s`;
      const { code, stdout, stderr } = await sh(command, { input: 'a\nb\n' });
      expect([code, stdout, stderr], verb).toEqual([
        74,
        '',
        expect.stringMatching(/(?:^|\n)task-done: redis:\S+#l: no answer; [^\n]*\n$/),
      ]);
    };
    await Promise.all(VERBS.map(run));
    expect(Date.now() - began).toBeLessThan(LONG);
    redis.freeze(false);
    expect((await sh(`task-done list '${ledger}'`)).stdout).toBe('a\n');
  });

  test('ends a filter whose Redis freezes while it works, although its input goes on', async () => {
    const redis = await startRedis();
    const ledger = `${redis.url}#l`;
    for (const verb of ['mark', 'unmark']) {
      const filter = start(`exec task-done ${verb} '${ledger}' --patience 1s`);
      const end = ended(filter);
      filter.stdin?.on('error', () => {}); // it ends while we write
      filter.stdin?.write('a\n');
      await once(filter.stdout as NodeJS.ReadableStream, 'data');
      redis.freeze(true);
      filter.stdin?.write('b\n');
      const { code, stdout, stderr } = await end;
      expect([code, stdout, stderr], verb).toEqual([
        74,
        'a\n',
        expect.stringMatching(/task-done: redis:\S+#l: no answer; .*\n$/),
      ]);
      redis.freeze(false);
    }
  });

  test('continues when Redis answers again within it', async () => {
    const redis = await startRedis();
    const ledger = `${redis.url}#l`;
    await sh(`task-done mark '${ledger}' a b`);
    redis.freeze(true);
    const count = start(`exec task-done count '${ledger}' --patience 40s`);
    const end = ended(count);
    await once(count.stderr as NodeJS.ReadableStream, 'data'); // it says that it waits
    redis.freeze(false);
    expect(await end).toMatchObject({ code: 0, stdout: '2\n' });
  });

  test('is taken from the environment, and is an error on the command line for a file', async () => {
    const typed = await sh('task-done count done.jsonl --patience 1s');
    expect([typed.code, typed.stderr]).toEqual([
      2,
      'task-done: --patience is for a ledger in Redis; it does nothing with this one\n',
    ]);
    const env = { TASK_PATIENCE: '1s' };
    expect(await sh('task-done count done.jsonl', { env })).toMatchObject({ code: 0, stdout: '0\n' });
    const redis = await startRedis();
    redis.freeze(true);
    const began = Date.now();
    expect((await sh(`task-done count '${redis.url}#l'`, { env })).code).toBe(74);
    expect(Date.now() - began).toBeLessThan(LONG);
    redis.freeze(false);
  });

  test('a signal ends the wait', async () => {
    const redis = await startRedis();
    redis.freeze(true);
    const count = start(`exec task-done count '${redis.url}#l'`);
    const end = ended(count);
    await once(count.stderr as NodeJS.ReadableStream, 'data');
    count.kill('SIGTERM');
    const began = Date.now();
    expect((await end).signal ?? (await end).code).toBe('SIGTERM');
    expect(Date.now() - began).toBeLessThan(LONG);
    redis.freeze(false);
  });
});
