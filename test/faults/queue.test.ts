/* Many machines: whichever process is killed, each task is saved, and once in each output. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import { Task } from '../../src/core/record/task.ts';
import { openQueues, type Queue } from '../../src/queues/index.ts';
import { needsRedis, startRedis, type TestRedis } from '../support/redis.ts';
import { ended, freshFolder, start } from '../support/run.ts';

beforeEach(needsRedis);

const STAGES = ['pull', 'exec', 'save', 'ack'] as const;
type Stage = (typeof STAGES)[number];

/** Starts a fleet in one folder: a queue, and machines that each have an output of their own. */
async function fleet(redis: TestRedis) {
  const cwd = freshFolder();
  const queues = await openQueues(redis.url, ['q'], { env: {} });
  const queue = queues.all[0] as Queue;
  writeFileSync(
    join(cwd, 'work.mjs'),
    `export default ({ uuid }) => new Promise((resolve) => setTimeout(resolve, 5, uuid));`,
  );
  let pushed = 0;
  const at = `${redis.url} --name q`;
  return {
    queue,
    close: () => queues.close(),
    pushed: () => pushed,
    async push(count: number): Promise<void> {
      const tasks = Array.from({ length: count }, () => {
        const uuid = `t${pushed++}`;
        return new Task(uuid, `{"uuid":"${uuid}"}`);
      });
      // More deliveries than kills, so that no task becomes dead.
      for (let i = 0; i < count; i += 1000) await queue.push(tasks.slice(i, i + 1000), { attempts: 1000 });
    },
    /** Starts the pipe of a machine. Each stage writes its process id to a file. */
    start(machine: number, options: string): ChildProcess {
      for (const name of STAGES) rmSync(join(cwd, `${name}.${machine}`), { force: true });
      const stage = (name: Stage, command: string): string =>
        `(echo $BASHPID > ${name}.${machine}; exec ${command} --quiet)`;
      const pipe = [
        stage('pull', `task-queue pull ${at} --window 200 --lease 1s ${options}`),
        `tee -a delivered.${machine}`,
        stage('exec', 'task-exec --module work.mjs -j 20'),
        stage('save', `task-save out.${machine}.csv --fields uuid,result --tee --flush-interval 100ms`),
        stage('ack', `task-queue ack ${at}`),
      ];
      return start(pipe.join(' | '), { cwd });
    },
    /** Returns the number of bytes of rows that a machine has saved. */
    saved: (machine: number): number =>
      statSync(join(cwd, `out.${machine}.csv`), { throwIfNoEntry: false })?.size ?? 0,
    /** Kills a stage. Returns false if there was no such process in this folder. */
    kill(machine: number, stage: Stage): boolean {
      const file = join(cwd, `${stage}.${machine}`);
      const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
      try {
        if (pid <= 1 || readlinkSync(`/proc/${pid}/cwd`) !== cwd) return false;
        process.kill(pid, 'SIGKILL');
        return true;
      } catch {
        return false; // it has ended
      }
    },
    /** Checks the final state. Returns the number of tasks that have several rows because they were redelivered. */
    async examine(machines: number): Promise<number> {
      const linesOf = (file: string): string[] =>
        existsSync(join(cwd, file)) ? readFileSync(join(cwd, file), 'utf8').trim().split('\n') : [];
      const rows = new Map<string, number>();
      const deliveries = new Map<string, number>();
      for (let machine = 0; machine < machines; machine++) {
        const saved = linesOf(`out.${machine}.csv`).slice(1);
        expect(new Set(saved).size, `rows of machine ${machine}`).toBe(saved.length);
        for (const row of saved) {
          const [uuid = '', result] = row.split(',');
          expect(result).toBe(uuid);
          rows.set(uuid, (rows.get(uuid) ?? 0) + 1);
        }
        for (const line of linesOf(`delivered.${machine}`)) {
          const [, uuid = ''] = /^\{"uuid":"(t\d+)"\}$/.exec(line) ?? [];
          deliveries.set(uuid, (deliveries.get(uuid) ?? 0) + 1);
        }
      }
      expect(rows.size).toBe(pushed);
      const repeated = [...rows].filter(([, count]) => count > 1);
      for (const [uuid, count] of repeated) expect(deliveries.get(uuid)).toBeGreaterThanOrEqual(count);
      const size = await queue.size();
      expect(size).toMatchObject({ waiting: 0, active: 0, delayed: 0, dead: 0, finished: pushed });
      return repeated.length;
    },
  };
}

test('three machines save 10,000 tasks, each once', async () => {
  const all = await fleet(await startRedis());
  await all.push(10_000);
  const runs = await Promise.all([0, 1, 2].map((machine) => ended(all.start(machine, '--until-empty'))));
  expect(runs.map(({ code, stderr }) => [code, stderr])).toEqual([0, 1, 2].map(() => [0, '']));
  expect(await all.examine(3)).toBe(0);
  all.close();
}, 300_000);

test('killing each stage 30 times loses no task, and every repeat is a redelivery', async () => {
  const all = await fleet(await startRedis());
  const left = STAGES.flatMap((stage) => Array.from({ length: 30 }, () => stage));
  left.sort(() => Math.random() - 0.5);
  const live = async (machine: number): Promise<void> => {
    for (let stage = left.pop(); stage !== undefined; stage = left.pop()) {
      if ((await all.queue.size()).waiting < 1000) await all.push(1000);
      const pipe = ended(all.start(machine, ''));
      // Kill while it works, and now and then while it starts.
      const before = all.saved(machine);
      const isEarly = Math.random() < 0.2;
      do await sleep(Math.random() * 300);
      while ((!isEarly && all.saved(machine) === before) || !all.kill(machine, stage));
      await pipe;
    }
  };
  const machines = [0, 1, 2, 3];
  await Promise.all(machines.map(live));
  const last = await Promise.all(machines.map((machine) => ended(all.start(machine, '--until-empty'))));
  expect(last.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  await all.examine(machines.length);
  expect(all.pushed()).toBeGreaterThan(1000);
  all.close();
}, 600_000);

test('a run completes although Redis is killed five times', async () => {
  const redis = await startRedis();
  const all = await fleet(redis);
  await all.push(10_000);
  const runs = [0, 1].map((machine) => ended(all.start(machine, '--until-empty')));
  for (let i = 1; i <= 5; i++) {
    const { finished } = await all.queue.size();
    while ((await all.queue.size()).finished < Math.min(finished + 800, 9500)) await sleep(50);
    await redis.kill();
    await sleep(Math.random() * 1500); // may be longer than a lease
    await redis.start();
  }
  for (const { code } of await Promise.all(runs)) expect(code).toBe(0);
  await all.examine(2);
  all.close();
}, 300_000);
