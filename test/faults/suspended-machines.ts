import { startRedis } from '../support/redis.ts';
import { withFleet } from './support/fleet.ts';
import { after, notes, randomFrom } from './support/live.ts';
import type { Program } from './support/program.ts';
import type { Report } from './support/report.ts';

/*
 * SIGSTOP of all processes of a machine until its leases have ended and others may have its tasks, then SIGCONT: a
 * virtual machine that is paused, a laptop that sleeps.
 */

const MACHINES = ['m0', 'm1', 'm2', 'm3', 'm4'] as const;

/** Additional time for which some are suspended, in milliseconds: then each sign of life is old. */
const LONGER = 5000;

/** @param stops how often a machine is stopped */
export async function suspendedMachines(program: Program, stops: number, seed = Date.now()): Promise<Report> {
  const random = randomFrom(seed);
  const redis = await startRedis();
  const report = notes();
  await withFleet({ program, notes: report, url: redis.url, port: () => redis.port }, async (fleet) => {
    await fleet.feed();
    const machines = MACHINES.map((name) => fleet.start(name));
    let left = stops;
    const lane = async (machine: (typeof machines)[number]): Promise<void> => {
      while (left-- > 0) {
        if (!(await fleet.works(machine))) break;
        fleet.allow();
        process.kill(-machine.group, 'SIGSTOP');
        await fleet.leasesEnd(machine.name);
        await after(random() * LONGER);
        process.kill(-machine.group, 'SIGCONT');
        report.count('stops');
        await fleet.checkFinished();
      }
    };
    await Promise.all(machines.map(lane));
    await fleet.finish(machines);
    await fleet.examine();
  });
  return report;
}
