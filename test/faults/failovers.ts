import { ask, startRedis, startSentinel, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { withFleet } from './support/fleet.ts';
import { type Notes, notes } from './support/live.ts';
import type { Program } from './support/program.ts';

/*
 * kill -9 of the primary of a queue, again and again: Sentinel makes its replica the primary, and the old one comes back
 * as the replica.
 */

const MACHINES = ['m0', 'm1'] as const;

/** Maximum time of a step of Sentinel, in milliseconds. It rests for half a minute when its clock has jumped. */
const PATIENCE = 120_000;

/** Long enough for a pipe whose processes find the new primary one after the other on a busy machine, in milliseconds. */
const LEASE = 10_000;

/** As docs/task-queue.md says: a primary that is cut off takes no writes that its successor would not have. */
const SYNC = ['--repl-diskless-sync-delay', '0', '--min-replicas-to-write', '1'] as const;

/** Two servers, by their role. */
interface Pair {
  readonly primary: TestRedis;
  readonly replica: TestRedis;
}

/** @param count how often the primary is killed, in each of some groups */
export async function failovers(
  program: Program,
  count: number,
  groups: number,
  report: Notes = notes(),
): Promise<Notes> {
  await Promise.all(Array.from({ length: groups }, () => inGroup(program, count, report)));
  return report;
}

async function inGroup(program: Program, count: number, report: Notes): Promise<void> {
  const first = await startRedis(...SYNC);
  const second = await startRedis('--replicaof', `127.0.0.1 ${first.port}`, ...SYNC);
  // Longer than a busy machine may delay a primary: a primary that is replaced while it runs loses later writes.
  const sentinel = await startSentinel(first.port, 'sentinel down-after-milliseconds main 5000');
  let now = await settled(sentinel, { primary: first, replica: second });
  const url = `redis+sentinel://127.0.0.1:${sentinel}/main/0`;
  await withFleet(
    { program, notes: report, url, port: () => now.primary.port, lease: LEASE },
    async (fleet) => {
      let epoch = await epochOf(sentinel);
      /**
       * Waits for the pair, and allows for the tasks that failovers deliver again: Sentinel also starts some on its
       * own. One may outlast a lease, so what is in flight may be delivered again when the primary dies, and when the
       * new one answers.
       */
      const settle = async (): Promise<void> => {
        now = await settled(sentinel, now);
        const before = epoch;
        epoch = await epochOf(sentinel);
        fleet.allow(2 * machines.length * (epoch - before));
      };
      await fleet.feed();
      const machines = MACHINES.map((name) => fleet.start(name));
      for (let i = 0; i < count; i++) {
        const working = await Promise.all(machines.map((machine) => fleet.works(machine)));
        if (working.includes(false)) break;
        await settle();
        now = await failOver(sentinel, now);
        report.count('failed over');
        await settle();
        await fleet.checkFinished();
      }
      await fleet.finish(machines);
      await settle();
      await fleet.examine();
    },
  );
}

/** Kills the primary, and starts it again as the replica once Sentinel has ended the failover. */
async function failOver(sentinel: number, { primary: dead, replica: heir }: Pair): Promise<Pair> {
  await dead.kill();
  // One that is back before would end the failover.
  await until(async () => (await masterOf(sentinel)) === heir.port, PATIENCE);
  await dead.start();
  await ask(dead.port, `replicaof 127.0.0.1 ${heir.port}`);
  return { primary: heir, replica: dead };
}

/**
 * Waits until a sentinel has a primary, and knows that the other server has its data. The two may have changed places,
 * because it takes a primary that answers late, on a busy machine, for dead.
 */
async function settled(sentinel: number, { primary, replica }: Pair): Promise<Pair> {
  let pair: Pair = { primary, replica };
  await until(async () => {
    if ((await masterOf(sentinel)) !== pair.primary.port)
      pair = { primary: pair.replica, replica: pair.primary };
    const { port } = pair.replica;
    const known = await ask(sentinel, 'sentinel replicas main');
    return (
      new RegExp(`^port\\n${port}\\n`, 'm').test(known) &&
      /^flags\nslave$/m.test(known) &&
      /master_link_status:up/.test(await ask(port, 'info replication'))
    );
  }, PATIENCE);
  return pair;
}

/** Returns the number of failovers that a sentinel has made. */
async function epochOf(sentinel: number): Promise<number> {
  return Number(/^config-epoch\n(\d+)$/m.exec(await ask(sentinel, 'sentinel master main'))?.[1]);
}

/** Returns the port of the server that a sentinel has made the primary. */
async function masterOf(sentinel: number): Promise<number> {
  return Number(/^port\n(\d+)$/m.exec(await ask(sentinel, 'sentinel master main'))?.[1]);
}
