import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { type Fleet, withFleet } from './support/fleet.ts';
import { after, type Notes, notes } from './support/live.ts';
import { endsAfterKill, kill, type Machine, STAGES } from './support/machine.ts';
import type { Program } from './support/program.ts';
import type { Report } from './support/report.ts';

/*
 * Machines that share a queue in PostgreSQL: kill -9 of each stage of one of them, and a server that is killed, stopped or
 * frozen under all of them.
 */

/** Fault of the server, by the name of its figure. It is over when this resolves. */
const FAULTS: Readonly<Record<string, (server: TestPostgres) => Promise<void>>> = {
  'server killed': async (server) => {
    await server.kill();
    await server.start();
  },
  'server away for longer than a lease': async (server) => {
    await server.stop();
    await after(2500);
    await server.start();
  },
  'server frozen': async (server) => {
    server.freeze(true);
    await after(2500); // longer than a lease
    server.freeze(false);
  },
};

/** Machines that work all the time. */
const MACHINES = ['m0', 'm1'] as const;
/** Machine whose stages are killed. It is started again each time. */
const VICTIM = 'm2';

/** Tries faults. @param each number of trials of each fault, and of kills of each stage */
export async function queueDatabase(program: Program, each: number): Promise<Report> {
  const server = await startPostgres();
  const report = notes();
  const finished = async (name: string): Promise<readonly string[]> =>
    server
      .sql(`select uuid from taskpipe_marks where ledger = '${name}' and finished`)
      .split('\n')
      .filter(Boolean);
  await withFleet({ program, notes: report, url: server.url, finished }, async (fleet) => {
    await fleet.feed();
    const machines = MACHINES.map((name) => fleet.start(name));
    for (let trial = 0; trial < each; trial++) {
      await killEachStage(fleet, report);
      for (const [name, fault] of Object.entries(FAULTS)) {
        const working = await Promise.all(machines.map((machine) => fleet.works(machine)));
        if (working.includes(false)) break;
        fleet.allow(machines.length);
        await fault(server);
        report.count(name);
        await fleet.checkFinished();
      }
    }
    await fleet.finish(machines);
    await fleet.drain([VICTIM]);
    await fleet.examine();
  });
  return report;
}

async function killEachStage(fleet: Fleet, report: Notes): Promise<void> {
  for (const stage of STAGES) {
    const machine: Machine = fleet.start(VICTIM);
    await fleet.works(machine);
    fleet.allow();
    if (kill(machine, await machine.pids.get(stage))) report.count(stage);
    else report.add('other', `${VICTIM} ended before its ${stage} was killed`);
    await endsAfterKill(machine, stage, report);
  }
}
