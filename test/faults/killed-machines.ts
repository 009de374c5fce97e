import { startRedis } from '../support/redis.ts';
import { type Fleet, withFleet } from './support/fleet.ts';
import { after, notes, randomFrom } from './support/live.ts';
import { endsAfterKill, kill, type Machine, STAGES, type Stage } from './support/machine.ts';
import type { Program } from './support/program.ts';
import type { Report } from './support/report.ts';

/*
 * kill -9 of a stage, of a whole pipe that is started again, or of a machine that never returns, while others share its
 * queue.
 */

const VICTIMS = [...STAGES, 'group', 'machine'] as const;
type Victim = (typeof VICTIMS)[number];

/** Number of machines that run at the same time. */
const LANES = 5;
/** Share of the kills that do not wait until the pipe works. */
const EARLY = 0.2;
/** Number of kills between two comparisons of the ledger with the rows. */
const CHECKED = 10;

/** Kills each victim. @param each number of kills of each victim */
export async function killedMachines(program: Program, each: number, seed = Date.now()): Promise<Report> {
  const redis = await startRedis();
  const random = randomFrom(seed);
  const report = notes();
  const left = VICTIMS.flatMap((victim) => Array.from({ length: each }, () => ({ victim, order: random() })))
    .sort((a, b) => a.order - b.order)
    .map(({ victim }) => victim);
  await withFleet({ program, notes: report, url: redis.url, port: () => redis.port }, async (fleet) => {
    await fleet.feed();
    const lane = async (number: number): Promise<string> => {
      let life = 0;
      for (let victim = left.pop(); victim !== undefined; victim = left.pop()) {
        const machine = fleet.start(`m${number}-${life}`);
        await killed(fleet, machine, victim, random);
        if (victim === 'machine') life++;
        if (left.length % CHECKED === 0) await fleet.checkFinished();
      }
      return `m${number}-${life}`;
    };
    const names = await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)));
    await fleet.finish([]);
    await fleet.drain(names);
    await fleet.examine();
  });
  return report;
}

/** Kills a victim of a machine at a random moment, and waits for the end of the rest of it. */
async function killed(fleet: Fleet, machine: Machine, victim: Victim, random: () => number): Promise<void> {
  if (random() > EARLY) await fleet.works(machine);
  await after(random() * 300);
  fleet.allow();
  const pid = isStage(victim) ? await machine.pids.get(victim) : undefined;
  const isKilled = victim === 'machine' ? fleet.lose(machine) : kill(machine, pid);
  if (isKilled) fleet.notes.count(victim);
  else fleet.notes.add('other', `${machine.name} ended before its ${victim} was killed`);
  await endsAfterKill(machine, victim, fleet.notes);
}

function isStage(victim: Victim): victim is Stage {
  return (STAGES as readonly string[]).includes(victim);
}
