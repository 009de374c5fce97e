/*
 * Engines of queues, and the properties that the contract tests need of each. A new engine is one more entry: all
 * cases then run against it.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Task } from '../../../src/core/record/task.ts';
import {
  type Consumer,
  openQueues,
  type Queue,
  type Queues,
  type Verdict,
} from '../../../src/queues/index.ts';
import { startNats } from '../../support/nats.ts';
import { postgresPrograms, startPostgres } from '../../support/postgres.ts';
import { startServer } from '../../support/redis.ts';
import { has } from '../../support/run.ts';

/** Server that holds queues. */
interface Server {
  readonly url: string;
}

/** Kind of server. */
interface Engine {
  readonly name: string;
  isInstalled(): Promise<boolean>;
  /** Starts a server, which ends after the tests of a file. */
  start(): Promise<Server>;
  /** Parts of the contract that it refuses. Their cases must end with an error of usage. */
  readonly refuses?: readonly Part[];
  /** Parts of the contract in which it differs. Their cases are left out. */
  readonly lacks?: readonly Part[];
}

/** Part of the contract that not all engines have. */
export type Part = 'order' | 'repeat' | 'rates' | 'ledger' | 'failed last';

const redisLike = (name: string, program: string): Engine => ({
  name,
  isInstalled: () => has(program),
  start: () => startServer(program),
});

const engines: readonly Engine[] = [
  redisLike('Redis', 'redis-server'),
  // Debian 12 has no package of it, so its cases exist only where it is installed.
  ...((await has('valkey-server')) ? [redisLike('Valkey', 'valkey-server')] : []),
  {
    name: 'PostgreSQL',
    isInstalled: async () => postgresPrograms !== undefined,
    start: () => startPostgres(),
  },
  {
    name: 'NATS',
    isInstalled: () => has('nats-server'),
    start: () => startNats(),
    refuses: ['order', 'repeat', 'rates', 'ledger'],
    lacks: ['failed last'], // redelivered tasks come before new ones
  },
];

/** A fresh queue of a test. */
export interface Fresh {
  readonly queue: Queue;
  readonly name: string;
  readonly queues: Queues;
  /** Url of the server. */
  readonly url: string;
  /** Opens queues by another connection, as another process does. Default: this one. */
  another(...names: readonly string[]): Promise<Queues>;
}

/** Defines a case. @param part part of the contract that it needs, if not all engines have that */
export type Case = (title: string, work: (fresh: Fresh) => Promise<void>, part?: Part) => void;

let fresh = 0;

/** Runs cases against each engine. Those that are not installed are skipped with their name. */
export function contract(subject: string, define: (given: Case) => void): void {
  for (const engine of engines)
    describe(`${subject} on ${engine.name}`, { timeout: 60_000 }, () => {
      let server: Server | undefined;
      beforeAll(async () => {
        if (await engine.isInstalled()) server = await engine.start();
      }, 60_000);
      beforeEach((context) => {
        if (server === undefined) context.skip(`${engine.name} is not installed`);
      });
      const opened: Queues[] = [];
      afterAll(async () => {
        await Promise.all(opened.map((queues) => queues.close()));
      });
      const open = async (names: readonly string[]): Promise<Queues> => {
        const queues = await openQueues((server as Server).url, names, { env: {} });
        opened.push(queues);
        return queues;
      };
      define((title, work, part) => {
        if (part !== undefined && engine.lacks?.includes(part)) return;
        const isRefused = part !== undefined && engine.refuses?.includes(part);
        test(isRefused ? `refuses: ${title}` : title, async () => {
          const name = `q${process.pid}-${fresh++}`;
          const queues = await open([name]);
          const another = (...names: string[]) => open(names.length === 0 ? [name] : names);
          const { url } = server as Server;
          const working = work({ queue: queues.all[0] as Queue, name, queues, url, another });
          if (isRefused) await expect(working).rejects.toMatchObject({ code: 'USAGE' });
          else await working;
        });
      });
    });
}

export const task = (uuid: string): Task => new Task(uuid, JSON.stringify({ uuid }));
export const tasks = (...uuids: readonly string[]): Task[] => uuids.map(task);
export const numbered = (count: number): Task[] => Array.from({ length: count }, (_, i) => task(`t${i}`));
export const uuidsOf = (some: readonly Task[]): string[] => some.map(({ uuid }) => uuid);

export function consume(queue: Queue, worker = 'w', lease = 30_000): Promise<Consumer> {
  return queue.consume({ worker, lease });
}

/** Returns a verdict on each task. */
export function all(kind: Verdict['kind'], ...uuids: readonly string[]): Verdict[] {
  return uuids.map((uuid) => ({ uuid, kind }));
}

/** Pushes tasks, and lets them fail for the last time. */
export async function bury(queue: Queue, ...uuids: readonly string[]): Promise<void> {
  const { waiting } = await queue.size();
  await queue.push(tasks(...uuids), { attempts: 1, ...(waiting > 0 ? { front: true } : {}) });
  const consumer = await consume(queue, 'undertaker');
  await consumer.take(uuids.length);
  const error = { code: 'BROKEN', message: 'it is "broken"' };
  await queue.settle(uuids.map((uuid) => ({ uuid, kind: 'failed', error })));
  await consumer.returned();
  await consumer.close();
}

/** Takes and finishes all tasks that can be delivered. Returns their uuids. */
export async function drain(queue: Queue): Promise<string[]> {
  const consumer = await consume(queue, 'drain');
  const drained: string[] = [];
  for (;;) {
    const uuids = uuidsOf(await consumer.take(1000));
    if (uuids.length === 0) break;
    drained.push(...uuids);
    await queue.settle(all('done', ...uuids));
    await consumer.returned();
  }
  await consumer.close();
  return drained;
}

/** Returns the dead tasks as `uuid CODE`. */
export async function deadOf(queue: Queue): Promise<string[]> {
  const dead: string[] = [];
  for await (const batch of queue.dead())
    dead.push(...batch.map(({ task: { uuid }, error }) => `${uuid} ${error.code}`));
  return dead;
}
