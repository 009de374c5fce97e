import { ask, startRedis, startSentinel, type TestRedis } from '../support/redis.ts';
import { withFleet } from './support/fleet.ts';
import { after, type Notes, notes } from './support/live.ts';
import type { Program } from './support/program.ts';

/*
 * kill -9 of the primary of a queue, again and again: Sentinel makes its replica the primary, and the old one comes back
 * as the replica.
 */

const MACHINES = ['m0', 'm1'] as const;

const SYNC = ['--repl-diskless-sync-delay', '0'] as const;

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
  let primary = await startRedis(...SYNC);
  let replica = await startRedis('--replicaof', `127.0.0.1 ${primary.port}`, ...SYNC);
  const sentinel = await startSentinel(primary.port);
  await isReady(sentinel, replica);
  const url = `redis+sentinel://127.0.0.1:${sentinel}/main/0`;
  await withFleet({ program, notes: report, url, port: () => primary.port }, async (fleet) => {
    await fleet.feed();
    const machines = MACHINES.map((name) => fleet.start(name));
    for (let i = 0; i < count; i++) {
      const working = await Promise.all(machines.map((machine) => fleet.works(machine)));
      if (working.includes(false)) break;
      fleet.allow(machines.length);
      await primary.kill();
      [primary, replica] = [replica, primary];
      await until(() => isMaster(sentinel, primary)); // an old primary that is back before ends the failover
      report.count('failed over');
      await replica.start();
      await ask(replica.port, `replicaof 127.0.0.1 ${primary.port}`);
      await isReady(sentinel, replica);
      await fleet.checkFinished();
    }
    await fleet.finish(machines);
    await fleet.examine();
  });
}

/** Waits until a replica has the data, and its sentinel knows that. */
async function isReady(sentinel: number, { port }: TestRedis): Promise<void> {
  await until(async () => /master_link_status:up/.test(await ask(port, 'info replication')));
  await until(async () => {
    const known = await ask(sentinel, 'sentinel replicas main');
    return new RegExp(`^port\\n${port}\\n`, 'm').test(known) && /^flags\nslave$/m.test(known);
  });
}

/** Returns whether a sentinel has made a server the primary. */
async function isMaster(sentinel: number, { port }: TestRedis): Promise<boolean> {
  return new RegExp(`^port\\n${port}$`, 'm').test(await ask(sentinel, 'sentinel master main'));
}

async function until(so: () => Promise<boolean>): Promise<void> {
  while (!(await so())) await after(100);
}
