/* A Redis that is frozen, or full; records that leave the pipe; results that do not fit the output. */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { needsRedis, startRedis } from '../../support/redis.ts';
import { ended, freshFolder, sh, start } from '../../support/run.ts';

beforeEach(needsRedis);

const numbers = (count: number): string =>
  Array.from({ length: count }, (_, i) => `{"uuid":"t${i}","n":${i}}\n`).join('');

describe('a Redis that answers nothing', () => {
  test('ends a command after --patience, with 74', async () => {
    const redis = await startRedis();
    redis.freeze(true);
    const { code, stderr } = await sh(`task-queue size ${redis.url} --name q --patience 1s`);
    redis.freeze(false);
    expect([code, stderr]).toEqual([74, expect.stringMatching(/^task-queue: redis:.*: no answer; .*\n$/)]);
  });

  test('ends a command that waits for it at the first signal', async () => {
    const redis = await startRedis();
    redis.freeze(true);
    const child = start(`exec task-queue size ${redis.url} --name q`);
    await once(child.stderr as NodeJS.ReadableStream, 'data'); // it says that it waits
    child.kill('SIGTERM');
    await ended(child);
    redis.freeze(false);
    expect(child.exitCode ?? child.signalCode, 'by its exit code, or by the signal').toBeOneOf([
      143,
      'SIGTERM',
    ]);
  });

  test('is noticed by a pull that waits for tasks, which continues when Redis does', async () => {
    const redis = await startRedis();
    const at = `${redis.url} --name q`;
    await sh(`task-queue push ${at} --quiet`, { input: numbers(1) });
    const child = start(`exec task-queue pull ${at} --patience 1m`);
    let said = '';
    child.stderr?.on('data', (chunk) => {
      said += chunk;
    });
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    redis.freeze(true);
    while (!/^task-queue: pull: redis:\S+ went away/.test(said))
      await new Promise((resolve) => setTimeout(resolve, 50));
    redis.freeze(false);
    while (!/is back/.test(said)) await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill('SIGTERM');
    await ended(child);
    expect(child.exitCode).toBe(143);
  }, 60_000);
});

describe('a full Redis', () => {
  const limits = ['--maxmemory', '12mb', '--maxmemory-policy', 'noeviction'];

  test('ends push while there is room for workers', async () => {
    const redis = await startRedis(...limits);
    const at = `${redis.url} --name q`;
    const push = await sh(`task-queue push ${at}`, { input: numbers(80_000) });
    expect([push.code, push.stderr]).toEqual([
      74,
      expect.stringMatching(/its memory is nearly full \(.* of 12\.0 MB\)/),
    ]);
    const { code } = await sh(
      `task-queue pull ${at} | head -500 | task-queue ack ${at} --quiet; task-queue size ${at}`,
    );
    expect(code).toBe(0);
    expect((await sh(`task-queue size ${at} | jq .finished`)).stdout).toBe('500\n');
  }, 60_000);

  test('accepts acknowledgements, and can be cleared, even if it has no memory left', async () => {
    const redis = await startRedis(...limits);
    const at = `${redis.url} --name q`;
    await sh(`task-queue push ${at} --quiet`, { input: numbers(2000) });
    const pull = start(`exec task-queue pull ${at} --window 1000`);
    let taken = '';
    pull.stdout?.on('data', (chunk) => {
      taken += chunk;
    });
    while (taken.split('\n').length <= 1000) await new Promise((resolve) => setTimeout(resolve, 20));
    await sh(`redis-cli -p ${redis.port} config set maxmemory 1mb`);
    expect(await sh(`task-queue ack ${at}`, { input: taken })).toMatchObject({
      code: 0,
      stderr: 'task-queue: 1,000 done\n',
    });
    expect((await sh(`task-queue pause ${at}; task-queue clear ${at} --yes --quiet`)).code).toBe(0);
    pull.kill('SIGKILL');
  }, 60_000);
});

describe('records that leave the pipe', () => {
  const pipe = (at: string, filter: string, more = ''): string =>
    `task-queue pull ${at} --until-empty ${more} | jq -c --unbuffered '${filter}' | task-queue ack ${at} --quiet`;

  test('are named, and returned as failed once later ones came back', async () => {
    const redis = await startRedis();
    const at = `${redis.url} --name q`;
    await sh(`task-queue push ${at} --attempts 1 --quiet`, { input: numbers(30) });
    const { stderr } = await sh(pipe(at, 'select(.n != 3)', '--missing-after 200ms'));
    expect(stderr).toMatch(
      /^task-queue: 1 task did not come back although later ones did, .*: t3; given back/,
    );
    const dead = await sh(`task-queue dead ${at} | jq -c '[.n, .run.error.code]'`);
    expect(dead.stdout).toBe('[3,"MISSING"]\n');
  }, 60_000);

  test('are returned as failed again even without later tasks, until they are dead', async () => {
    const redis = await startRedis();
    const at = `${redis.url} --name q`;
    await sh(`task-queue push ${at} --quiet`, { input: numbers(6) });
    const { code, stderr } = await sh(pipe(at, 'select(.n != 3)', '--missing-after 300ms'));
    expect(stderr.match(/did not come back .*: t3; given back/g)).toHaveLength(3);
    expect(code).toBe(0);
    const dead = await sh(`task-queue dead ${at} | jq -c '[.n, .run.attempts, .run.error.code]'`);
    expect(dead.stdout).toBe('[3,3,"MISSING"]\n');
  }, 60_000);

  test('are reported if all tasks in flight are missing', async () => {
    const redis = await startRedis();
    const at = `${redis.url} --name q`;
    await sh(`task-queue push ${at} --quiet`, { input: numbers(4) });
    const child = start(pipe(at, 'select(.n > 1)', '--window 2 --lease 1s'));
    let said = '';
    child.stderr?.on('data', (chunk) => {
      said += chunk;
    });
    while (!/\n/.test(said)) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(said).toMatch(
      /^task-queue: no task came back for 10 s; 2 tasks in flight \(t0, t1\): slow, or dropped/,
    );
    await sh(`task-queue stop ${at} --quiet`);
    child.kill('SIGKILL');
  }, 60_000);
});

test('a task whose result does not fit the output does not run again', async () => {
  const redis = await startRedis();
  const cwd = freshFolder();
  const at = `${redis.url} --name q`;
  writeFileSync(join(cwd, 'work.sh'), 'echo "$TASK_UUID" >> runs\n');
  await sh(`task-queue push ${at} --quiet`, { input: '{"uuid":"a","x":1}\n{"uuid":"b","x":1,"y":2}\n' });
  const { code } = await sh(
    `task-queue pull ${at} --until-empty --window 1 | task-exec --command 'sh work.sh' -j 1 --quiet | task-save out.csv --tee --flush 1 --quiet | task-queue ack ${at} --quiet`,
    { cwd },
  );
  expect([code, readFileSync(join(cwd, 'runs'), 'utf8')]).toEqual([1, 'a\nb\n']);
  expect(readFileSync(join(cwd, 'out.csv.rest.ndjson'), 'utf8')).toMatch(/"uuid":"b".*"code":"COLUMNS"/);
});

test('pull ends silently with 141 if its reader leaves before Redis has answered', async () => {
  const redis = await startRedis();
  redis.freeze(true);
  const pull = await sh(`task-queue pull ${redis.url} --name q | sleep 0.5; echo "\${PIPESTATUS[0]}"`);
  redis.freeze(false);
  expect(pull.stdout).toBe('141\n');
  expect(pull.stderr).not.toMatch(/is the address right, and the port open\?\n$/);
}, 60_000);
