/* A Redis that accepts connections and answers nothing: no command waits for its ledger for longer than --patience. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { needsRedis, startRedis } from '../support/redis.ts';
import { ended, freshFolder, sh, start } from '../support/run.ts';

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

  test('ends a filter whose Redis freezes while it works, although its input continues', async () => {
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
      'task-done: --patience is for a ledger in Redis or PostgreSQL; it does nothing with this one\n',
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
    // It ends by the signal, or within a second before that, with the error of the server that it cannot reach.
    const { signal, code } = await end;
    expect(['SIGTERM', 74]).toContain(signal ?? code);
    expect(Date.now() - began).toBeLessThan(LONG);
    redis.freeze(false);
  });
});

/** Commands with a ledger, and their input. */
const STAGES = [
  'task-load a.txt --ledger LEDGER',
  'task-exec --module work.mjs --ledger LEDGER < tasks.ndjson',
  'task-save out.csv --ledger LEDGER < tasks.ndjson',
  'task-save out.db --ledger LEDGER < tasks.ndjson',
] as const;

describe('--patience of a stage with a ledger', { timeout: 120_000 }, () => {
  test('ends it with 74 and the reason, if Redis is frozen', async () => {
    const redis = await startRedis();
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'a.txt'), 'a\n');
    writeFileSync(join(cwd, 'tasks.ndjson'), '{"uuid":"a"}\n');
    writeFileSync(
      join(cwd, 'work.mjs'),
      'export default async (task, ctx) => ctx.add({ uuid: "b", handler: "work" });',
    );
    redis.freeze(true);
    const began = Date.now();
    const run = async (command: string): Promise<void> => {
      const ledger = `'${redis.url}#l' --patience 1s`;
      const { code, stderr } = await sh(command.replace('LEDGER', ledger), { cwd });
      expect([code, stderr], command).toEqual([74, expect.stringMatching(/redis:\S+#l: no answer; /)]);
    };
    await Promise.all(STAGES.map(run));
    expect(Date.now() - began).toBeLessThan(LONG);
    redis.freeze(false);
  });

  test.each(['task-load a.txt', 'task-save out.csv'])(
    'is an error on the command line of %s without a ledger in Redis',
    async (command) => {
      const cwd = freshFolder();
      const words = 'is for a ledger in Redis or PostgreSQL; it does nothing';
      const none = await sh(`${command} --patience 1s`, { cwd });
      expect([none.code, none.stderr]).toEqual([
        2,
        expect.stringContaining(`--patience ${words} without one`),
      ]);
      const file = await sh(`${command} --ledger done.jsonl --patience 1s`, { cwd });
      expect([file.code, file.stderr]).toEqual([
        2,
        expect.stringContaining(`--patience ${words} with this one`),
      ]);
    },
  );
});
