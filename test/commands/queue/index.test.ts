import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openQueues, type Queue, type Size } from '../../../src/queues/index.ts';
import { needsRedis, startRedis, type TestRedis } from '../../support/redis.ts';
import { ended, freshFolder, has, sh, start } from '../../support/run.ts';
import { until } from '../../support/until.ts';

let redis: TestRedis;
beforeAll(async () => {
  if (await has('redis-server')) redis = await startRedis();
});
beforeEach(needsRedis);

let names = 0;
/** Returns the options of a queue that only one test uses. */
function fresh(): { name: string; at: string; env: Record<string, string>; ledger: string } {
  const name = `q${names++}`;
  return {
    name,
    at: `${redis.url} --name ${name}`,
    env: { TASK_QUEUE: redis.url, TASK_NAME: name },
    ledger: `${redis.url}#${name}`,
  };
}

const tasks = (...uuids: (string | number)[]): string =>
  uuids.map((uuid) => `${JSON.stringify({ uuid: String(uuid) })}\n`).join('');
const uuidsOf = (lines: string): string[] =>
  lines
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line).uuid);

/** Reads the size in this process, because tests ask often. */
async function sizeOf(at: string): Promise<Size> {
  const [url = '', , name = ''] = at.split(' ');
  const queues = await openQueues(url, [name], { env: {} });
  try {
    return await (queues.all[0] as Queue).size();
  } finally {
    queues.close();
  }
}

describe('push', () => {
  test('reports how many tasks were added, seen already and finished already', async () => {
    const { at } = fresh();
    const first = await sh(`task-queue push ${at}`, { input: tasks(1, 2, 2, 3) });
    expect(first).toMatchObject({ code: 0, stdout: '', stderr: 'task-queue: 3 added, 1 seen already\n' });
    await sh(`task-queue pull ${at} --window 1 | head -1 | task-queue ack ${at}`);
    const second = await sh(`task-queue push ${at}`, { input: tasks(1, 2, 3, 4) });
    expect(second.stderr).toBe('task-queue: 1 added, 2 seen already, 1 finished already\n');
    const again = await sh(`task-queue push ${at} --id-seen again`, { input: tasks(1, 2) });
    expect(again.stderr).toBe('task-queue: 1 added, 1 seen already\n');
  });

  test('rejects invalid lines with their position, and exits 1', async () => {
    const { at } = fresh();
    const cwd = freshFolder();
    const { code, stderr } = await sh(`task-queue push ${at} --rejects r.ndjson`, {
      cwd,
      input: `${tasks(1)}null\n{"n":1}\n${tasks(2)}{"uuid":`,
    });
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^task-queue: stdin:2: .*\n.*stdin:3: .*\n.*stdin:5: .*\n/),
    ]);
    expect(stderr).toMatch(/2 added, 3 bad lines/);
    expect(readFileSync(join(cwd, 'r.ndjson'), 'utf8').trim().split('\n')).toHaveLength(3);
  });

  test('keeps every byte of a record, whatever its uuid', async () => {
    const { at } = fresh();
    const lines = [
      '{"n":12345678901234567890, "f":1.10,"e":1e999,"uuid":"wait"}',
      '{"uuid":"17","text":"\\u00e9 é 😀","__proto__":{"a":1}}',
      '{"uuid":"http://h:80/%3A?a=b#c","a":"\\"\\\\"}',
      '{"uuid":"id:1 {x} ~","nested":{"deep":[[[1.0]]]}}',
      '{"uuid":"6ba7b811-9dad-11d1-80b4-00c04fd430c8"}',
    ];
    await sh(`task-queue push ${at}`, { input: `${lines.join('\r\n')}\r\n` });
    const { stdout, code } = await sh(
      `task-queue pull ${at} --until-empty | tee out | task-queue ack ${at} && cat out`,
    );
    expect([stdout.trim().split('\n'), code]).toEqual([lines, 0]);
    expect(await sizeOf(at)).toMatchObject({ waiting: 0, active: 0, finished: 5 });
  });

  test('puts --front first in its order, then tasks without a priority, then 1 before 2', async () => {
    const { at } = fresh();
    const push = (options: string, ...uuids: string[]) =>
      sh(`task-queue push ${at} ${options}`, { input: tasks(...uuids) });
    await push('--priority 2', 'p2');
    await push('--priority 1', 'p1');
    await push('', 'a', 'b');
    await push('--front', 'f1', 'f2');
    const { stdout } = await sh(
      `task-queue pull ${at} --until-empty --window 1 | tee out | task-queue ack ${at}; cat out`,
    );
    expect(uuidsOf(stdout)).toEqual(['f1', 'f2', 'a', 'b', 'p1', 'p2']);
  });

  test('delivers a task no sooner than --delay, and --until-empty waits for it', async () => {
    const { at } = fresh();
    const began = Date.now();
    await sh(`task-queue push ${at} --delay 3s`, { input: tasks('late') });
    await sh(`task-queue push ${at}`, { input: tasks('soon') });
    const { stdout } = await sh(
      `task-queue pull ${at} --until-empty | tee out | task-queue ack ${at}; cat out`,
    );
    expect(uuidsOf(stdout)).toEqual(['soon', 'late']);
    expect(Date.now() - began).toBeGreaterThan(3000);
  });

  test('accepts a failed record again, without its run', async () => {
    const { at } = fresh();
    const input = '{"uuid":"a","n":1,"run":{"state":"FAILURE","as":"result"}}\n';
    await sh(`task-queue push ${at}`, { input });
    const { stdout } = await sh(
      `task-queue pull ${at} --until-empty | tee out | task-queue ack ${at}; cat out`,
    );
    expect(stdout).toBe('{"uuid":"a","n":1}\n');
  });
});

describe('pull and ack', () => {
  test('keep at most --window tasks in flight', async () => {
    const { at } = fresh();
    await sh(`task-queue push ${at}`, { input: tasks(...Array.from({ length: 50 }, (_, i) => i)) });
    const pull = start(`exec task-queue pull ${at} --window 7 --worker w --lease 5m`);
    let written = '';
    pull.stdout?.on('data', (text) => {
      written += text;
    });
    await until(() => uuidsOf(written).length >= 7);
    expect(await sizeOf(at)).toMatchObject({ waiting: 43, active: 7 });
    await sh(`task-queue ack ${at} --worker w 0 1 2`);
    await until(() => uuidsOf(written).length >= 10);
    expect(await sizeOf(at)).toMatchObject({ waiting: 40, active: 7, finished: 3 });
    const end = once(pull.stdout as NodeJS.ReadableStream, 'end');
    pull.kill('SIGINT');
    await end; // it delivers no more, and waits for the tasks in flight
    expect(await sizeOf(at)).toMatchObject({ waiting: 40, active: 7 });
    pull.kill('SIGINT');
    expect((await ended(pull)).code).toBe(130);
    expect(await sizeOf(at)).toMatchObject({ waiting: 47, active: 0, workers: [] });
  });

  test('redeliver a failed task up to --attempts, then list it as dead, and let it be retried', async () => {
    const { at } = fresh();
    const cwd = freshFolder();
    writeFileSync(
      join(cwd, 'work.mjs'),
      `export default async ({ bad }) => { if (bad) throw Object.assign(new Error('poison: no'), { code: 'BAD' }); return 1; };`,
    );
    await sh(`task-queue push ${at} --attempts 4`, {
      input: `{"uuid":"good"}\n{"uuid":"poison","bad":true,"n":1.10}\n`,
    });
    const run = `task-queue pull ${at} --until-empty | task-exec --module work.mjs --retries 0 | tee -a log | task-save out.csv --tee --widen | task-queue ack ${at}`;
    const { code, stderr } = await sh(run, { cwd });
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/1 done, 3 failed, to be delivered again, 1 failed for the last time/),
    ]);
    const tries = uuidsOf(readFileSync(join(cwd, 'log'), 'utf8'));
    expect(tries.filter((uuid) => uuid === 'poison')).toHaveLength(4);
    const [dead = ''] = (await sh(`task-queue dead ${at}`)).stdout.split('\n');
    expect(dead).toMatch(/^\{"uuid":"poison","bad":true,"n":1\.10,"run":/);
    expect(JSON.parse(dead).run).toMatchObject({
      state: 'FAILURE',
      attempts: 4,
      error: { code: 'BAD', message: 'poison: no' },
    });
    expect((await sh(`task-queue push ${at}`, { input: tasks('poison') })).stderr).toMatch(/0 added, 1 seen/);
    const retry = await sh(`task-queue retry ${at} poison good`);
    expect([retry.code, retry.stderr]).toEqual([
      1,
      'task-queue: 1 task let in again\ntask-queue: not dead: good\n',
    ]);
    expect(await sizeOf(at)).toMatchObject({ waiting: 1, dead: 0 });
    await sh(run, { cwd });
    expect(uuidsOf(readFileSync(join(cwd, 'log'), 'utf8')).filter((uuid) => uuid === 'poison')).toHaveLength(
      8,
    );
    expect(await sizeOf(at)).toMatchObject({ waiting: 0, active: 0, dead: 1, finished: 1 });
  });

  test('count a second ack and ignore it', async () => {
    const { at } = fresh();
    await sh(`task-queue push ${at}`, { input: tasks('a') });
    await sh(`task-queue pull ${at} --until-empty --worker w | tee out | task-queue ack ${at} --worker w`);
    const { code, stderr } = await sh(`task-queue ack ${at} --worker w a`);
    expect([code, stderr]).toEqual([0, 'task-queue: 0 done, 1 settled before, or with another worker\n']);
  });

  test('ignore the late failure of a task that another worker holds, and accept its late success', async () => {
    const { at } = fresh();
    await sh(`task-queue push ${at}`, { input: tasks('a', 'b') });
    // It is killed with two tasks, so its lease expires.
    const first = start(`exec task-queue pull ${at} --worker m1 --lease 2s`);
    await once(first.stdout as NodeJS.ReadableStream, 'data');
    first.kill('SIGKILL');
    const second = start(`exec task-queue pull ${at} --worker m2 --lease 2s`);
    const settler = start(`exec task-queue ack ${at} --worker m2`);
    let got = '';
    second.stdout?.on('data', (text) => {
      got += text;
    });
    await until(() => uuidsOf(got).length === 2);
    const failure = '{"uuid":"a","run":{"state":"FAILURE"}}\n{"uuid":"b","run":{"state":"PENDING"}}\n';
    const late = await sh(`task-queue ack ${at} --worker m1`, { input: failure });
    expect(late.stderr).toMatch(/0 done, 2 settled before, or with another worker/);
    expect(await sizeOf(at)).toMatchObject({ active: 2, waiting: 0 });
    const success = await sh(`task-queue ack ${at} --worker m1`, { input: tasks('a') });
    expect(success.stderr).toMatch(/1 done/);
    expect(await sizeOf(at)).toMatchObject({ active: 1, finished: 1 });
    second.kill('SIGKILL');
    settler.kill('SIGKILL');
    await Promise.all([ended(second), ended(settler)]);
  });

  test('mark a task as dead after its workers have died --attempts times', async () => {
    const { at } = fresh();
    await sh(`task-queue push ${at} --attempts 2`, { input: tasks('killer') });
    for (let i = 0; i < 2; i++) {
      const pull = start(`exec task-queue pull ${at} --lease 500ms`);
      await once(pull.stdout as NodeJS.ReadableStream, 'data');
      pull.kill('SIGKILL');
      await ended(pull);
    }
    const last = await sh(`task-queue pull ${at} --lease 500ms --until-empty`);
    expect([last.stdout, last.code]).toEqual(['', 0]);
    const dead = JSON.parse((await sh(`task-queue dead ${at}`)).stdout);
    expect(dead.run).toMatchObject({
      attempts: 2,
      error: {
        code: 'LEASE',
        message: 'its worker died or lost its connection 1 time while it had only this task',
      },
    });
  });

  test('return unfinished tasks within 1.5 seconds of Ctrl-C, without counting an attempt', async () => {
    const { at } = fresh();
    const cwd = freshFolder();
    const all = Array.from({ length: 500 }, (_, i) => `t${i}`);
    await sh(`task-queue push ${at} --attempts 1`, { input: tasks(...all) });
    writeFileSync(
      join(cwd, 'slow.mjs'),
      `import { setTimeout } from 'node:timers/promises';
       export default async ({ uuid }, { signal }) => { if (Number(uuid.slice(1)) >= 40) await setTimeout(60_000, 0, { signal }); };`,
    );
    const run = start(
      `setsid bash -c 'echo $$ > group; task-queue pull ${at} --window 100 | task-exec --module slow.mjs -j 20 --grace 100ms | task-save out.csv --tee --flush-interval 100ms | task-queue ack ${at}'`,
      { cwd },
    );
    await until(async () => (await sizeOf(at)).finished === 40);
    await until(async () => (await sizeOf(at)).active === 100);
    const began = Date.now();
    process.kill(-Number(readFileSync(join(cwd, 'group'), 'utf8')), 'SIGINT');
    await ended(run);
    const took = Date.now() - began;
    expect(await sizeOf(at)).toMatchObject({ waiting: 460, active: 0, dead: 0, finished: 40 });
    expect(took).toBeLessThan(1500); // includes the exit of four processes
    const { stdout } = await sh(`task-queue pull ${at} --window 460 | head -460`);
    expect(uuidsOf(stdout).sort(byNumber).slice(0, 5)).toEqual(['t40', 't41', 't42', 't43', 't44']);
    expect(uuidsOf(stdout)).toHaveLength(460);
  });

  test('mark only the task as dead that kills its executor, and complete the others', async () => {
    const { at } = fresh();
    const cwd = freshFolder();
    await sh(`task-queue push ${at} --attempts 3`, {
      input: tasks(...Array.from({ length: 10 }, (_, i) => i)),
    });
    writeFileSync(
      join(cwd, 'work.mjs'),
      "export default ({ uuid }) => { if (uuid === '3') process.kill(process.pid, 'SIGKILL'); };",
    );
    for (let i = 0; i < 8; i++)
      await sh(
        `task-queue pull ${at} --until-empty --window 10 --lease 1s | task-exec --module work.mjs -j 1 | task-save out.csv --tee | task-queue ack ${at}`,
        { cwd },
      );
    expect(await sizeOf(at)).toMatchObject({ finished: 9, dead: 1, waiting: 0 });
  });

  test('do not suspect the tasks that no stage had read at Ctrl-C', async () => {
    const { at } = fresh();
    const cwd = freshFolder();
    await sh(`task-queue push ${at} --attempts 1`, {
      input: tasks(...Array.from({ length: 40 }, (_, i) => i)),
    });
    // Reads one record, and leaves the others in the pipe.
    writeFileSync(
      join(cwd, 'lazy.cjs'),
      `const fs = require('node:fs');
       let line = '';
       for (const byte = Buffer.alloc(1); byte[0] !== 10; line += byte) fs.readSync(0, byte);
       fs.writeSync(1, line);
       process.on('SIGINT', () => process.exit());
       setInterval(() => {}, 1000);`,
    );
    const run = start(
      `setsid bash -c 'echo $$ > group; task-queue pull ${at} --window 40 | node lazy.cjs | task-save out.csv --tee --flush-interval 50ms | task-queue ack ${at}'`,
      { cwd },
    );
    await until(async () => {
      const { finished, active } = await sizeOf(at);
      return finished === 1 && active === 39;
    });
    process.kill(-Number(readFileSync(join(cwd, 'group'), 'utf8')), 'SIGINT');
    await ended(run);
    const { stdout } = await sh(`task-queue pull ${at} --window 39 | head -39`);
    expect(uuidsOf(stdout)).toHaveLength(39);
  });

  test('put tasks back if the executor is killed, when the other processes have ended', async () => {
    const { at } = fresh();
    const cwd = freshFolder();
    await sh(`task-queue push ${at}`, { input: tasks(...Array.from({ length: 100 }, (_, i) => i)) });
    writeFileSync(join(cwd, 'work'), '#!/bin/sh\nread line\necho "$line"\nkill -9 $$\n', { mode: 0o755 });
    const { stderr } = await sh(
      `task-queue pull ${at} --window 50 | ./work | task-save out.csv --tee | task-queue ack ${at}`,
      { cwd },
    );
    expect(stderr).toMatch(/1 done/);
    expect(stderr).toMatch(/(50 tasks delivered, 49|51 tasks delivered, 50) put back/);
    expect(await sizeOf(at)).toMatchObject({ waiting: 99, active: 0, finished: 1 });
  });

  test('renew the lease of a slow task', async () => {
    const { at } = fresh();
    await sh(`task-queue push ${at} --attempts 1`, { input: tasks('slow') });
    const slow = sh(
      `task-queue pull ${at} --until-empty --lease 600ms --worker slow | (read line; sleep 2.5; echo "$line") | task-queue ack ${at} --worker slow`,
    );
    await until(async () => (await sizeOf(at)).active === 1);
    const other = await sh(`task-queue pull ${at} --until-empty --lease 600ms --worker other`);
    expect(other.stdout).toBe('');
    await slow;
    expect(await sizeOf(at)).toMatchObject({ finished: 1, dead: 0, waiting: 0, active: 0 });
  });

  test('wait after stop for a task that takes longer than its lease, while ack is running', async () => {
    const { at } = fresh();
    const cwd = freshFolder();
    await sh(`task-queue push ${at}`, { input: tasks('slow', 'next') });
    const run = ended(
      start(
        `task-queue pull ${at} --window 1 --lease 500ms | (read line; while [ ! -e go ]; do sleep 0.1; done; echo "$line") | task-queue ack ${at}`,
        { cwd },
      ),
    );
    await until(async () => (await sizeOf(at)).active === 1);
    const began = Date.now();
    await sh(`task-queue stop ${at}`);
    await until(() => Date.now() - began > 4000); // several leases
    expect(await sizeOf(at)).toMatchObject({ active: 1, waiting: 1 });
    writeFileSync(join(cwd, 'go'), '');
    expect((await run).stderr).toMatch(/1 task delivered\n/);
    expect(await sizeOf(at)).toMatchObject({ active: 0, waiting: 1, finished: 1 });
  });

  test('nack returns a task as failed, and --tee passes it on', async () => {
    const { at } = fresh();
    await sh(`task-queue push ${at} --attempts 2`, { input: tasks('a') });
    const { stdout } = await sh(`task-queue pull ${at} --window 1 | head -1 | task-queue nack ${at} --tee`);
    expect(stdout).toBe(tasks('a'));
    expect(await sizeOf(at)).toMatchObject({ waiting: 1, dead: 0 });
    await sh(`task-queue pull ${at} --window 1 | head -1 | task-queue nack ${at}`);
    expect(await sizeOf(at)).toMatchObject({ waiting: 0, dead: 1, finished: 0 });
  });
});

const byNumber = (a: string, b: string): number => Number(a.slice(1)) - Number(b.slice(1));

describe('the queue', () => {
  test('delivers only while it is not paused, and stop --worker stops only one worker', async () => {
    const { at } = fresh();
    await sh(`task-queue pause ${at}`);
    await sh(`task-queue push ${at}`, { input: tasks('a') });
    const one = ended(start(`exec task-queue pull ${at} --worker m1`));
    const two = ended(start(`task-queue pull ${at} --worker m2 | task-queue ack ${at} --worker m2`));
    await until(async () => (await sizeOf(at)).workers.length === 2);
    expect(await sizeOf(at)).toMatchObject({ waiting: 1, paused: true });
    expect((await sh(`task-queue stop ${at} --worker m1`)).stderr).toMatch(/asked 1 worker to stop/);
    expect(await one).toMatchObject({ code: 0, stdout: '' });
    await sh(`task-queue resume ${at}`);
    await until(async () => (await sizeOf(at)).finished === 1);
    expect((await sizeOf(at)).workers).toMatchObject([{ worker: 'm2' }]);
    expect((await sh(`task-queue stop ${at}`)).code).toBe(0);
    await two;
    const none = await sh(`task-queue stop ${at} --worker m1`);
    expect([none.code, none.stderr]).toEqual([1, 'task-queue: there is no worker called m1\n']);
  });

  test('forgets its tasks on clear, and keeps which ones are finished', async () => {
    const { at, ledger } = fresh();
    await sh(`task-queue push ${at}`, { input: tasks(1, 2, 3) });
    await sh(`task-queue pull ${at} --window 1 | head -1 | task-queue ack ${at}`);
    expect(await sh(`task-queue clear ${at}`)).toMatchObject({ code: 2 });
    await sh(`task-queue clear ${at} --yes`);
    expect(await sizeOf(at)).toMatchObject({ waiting: 0, active: 0, finished: 1, paused: false });
    expect((await sh(`task-done list ${ledger}`)).stdout).toBe('1\n');
  });

  test('settles each record in its own of two queues in one pipe, even with equal uuids', async () => {
    const a = fresh();
    const b = fresh();
    await sh(`task-queue push ${a.at}`, { input: tasks(1, 2, 3) });
    await sh(`task-queue push ${b.at}`, { input: tasks(3, 4) });
    const both = `${a.at} --name ${b.name}`;
    const { stdout } = await sh(
      `task-queue pull ${both} --until-empty | tee out | task-queue ack ${both}; cat out`,
    );
    expect(uuidsOf(stdout).sort()).toEqual(['1', '2', '3', '3', '4']);
    expect((await sh(`task-done list ${a.ledger} | sort`)).stdout).toBe('1\n2\n3\n');
    expect((await sh(`task-done list ${b.ledger} | sort`)).stdout).toBe('3\n4\n');
  });

  test('runs each task that ctx.add finds once, over several processes', async () => {
    const { env } = fresh();
    const cwd = freshFolder();
    // A binary tree of 127 pages, with links back up.
    writeFileSync(
      join(cwd, 'crawl.mjs'),
      `export default async ({ n }, ctx) => {
         if (n < 64) for (const m of [2 * n, 2 * n + 1]) ctx.add({ uuid: 'page' + m, n: m });
         if (n > 1) ctx.add({ uuid: 'page1', n: 1 });
         if (n === 1) ctx.done('page100');
         return n;
       };`,
    );
    await sh('task-queue push', { env, cwd, input: '{"uuid":"page1","n":1}\n' });
    const crawl = (i: number) =>
      sh(
        `task-queue pull --until-empty --window 4 | task-exec --module crawl.mjs | task-save out${i}.csv --fields uuid,result --tee | task-queue ack`,
        { env, cwd },
      );
    const runs = await Promise.all([crawl(1), crawl(2), crawl(3)]);
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0]);
    const saved = [1, 2, 3].flatMap((i) =>
      existsSync(join(cwd, `out${i}.csv`))
        ? readFileSync(join(cwd, `out${i}.csv`), 'utf8')
            .trim()
            .split('\n')
            .slice(1)
        : [],
    );
    expect(new Set(saved).size).toBe(126);
    expect(saved).toHaveLength(126);
  });

  test('of a child task is named by its handler', async () => {
    const a = fresh();
    const b = fresh();
    const cwd = freshFolder();
    writeFileSync(
      join(cwd, 'loops.mjs'),
      `export const ${a.name} = async (task, ctx) => { ctx.add({ uuid: 'child', handler: '${b.name}' }); };
       export const ${b.name} = async () => 'done by b';`,
    );
    const both = `${a.at} --name ${b.name}`;
    await sh(`task-queue push ${both}`, { input: `{"uuid":"parent","handler":"${a.name}"}\n` });
    const { code } = await sh(
      `task-queue pull ${both} --until-empty | task-exec --module loops.mjs --queue ${both} | task-save out.ndjson --tee | task-queue ack ${both}`,
      { cwd },
    );
    expect(code).toBe(0);
    expect((await sh(`task-done list ${b.ledger}`)).stdout).toBe('child\n');
    expect((await sh(`task-done list ${a.ledger}`)).stdout).toBe('parent\n');
  });

  test('limits the rate of a host over all processes with --shared', async () => {
    const { env } = fresh();
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'noop.mjs'), 'export default async () => 1;');
    const began = Date.now();
    const run = (from: number) =>
      sh(`task-exec --module noop.mjs --host-rate 20/s --shared --retries 0`, {
        env,
        cwd,
        input: tasks(...Array.from({ length: 20 }, (_, i) => from + i)),
      });
    const runs = await Promise.all([run(0), run(100)]);
    // 40 starts at 20/s take 1.95 s; without --shared they take half of that.
    expect(Date.now() - began).toBeGreaterThan(1900);
    for (const { stdout } of runs) expect(uuidsOf(stdout)).toHaveLength(20);
    const alone = await sh('task-exec --module noop.mjs --host-rate 20/s --shared', { cwd });
    expect([alone.code, alone.stderr]).toEqual([2, expect.stringMatching(/--shared needs .*--queue/)]);
  });
});
