import { jobIdOf } from '../../src/queues/job-keys.ts';
import { ask, startRedis } from '../support/redis.ts';
import { sh } from '../support/run.ts';
import { type Fleet, withFleet } from './support/fleet.ts';
import { type Notes, notes } from './support/live.ts';
import { kill, type Machine, type MachineOptions } from './support/machine.ts';
import type { Program } from './support/program.ts';
import type { Report } from './support/report.ts';

/*
 * Machines whose clocks are an hour fast, right, or an hour slow share a queue; each is killed, and suspended past its
 * lease. Tasks that are delayed by more than the clocks are off must not become due.
 */

/** Clocks by the name of the machine, in hours. */
const CLOCKS: Readonly<Record<string, number>> = { fast: 1, right: 0, slow: -1 };

/** Delayed tasks of each kind. */
const DELAYED = 50;

/** Returns the path of the library that changes the clock of a process; undefined if it is not installed. */
export async function clockLibrary(): Promise<string | undefined> {
  const { code, stdout } = await sh("faketime -m -f '+1h' printenv LD_PRELOAD");
  return code === 0 ? stdout.trim() : undefined;
}

/** Kills and suspends machines with wrong clocks. @param times number of kills, and of suspensions, of each */
export async function wrongClocks(program: Program, library: string, times: number): Promise<Report> {
  const redis = await startRedis();
  const report = notes();
  const options = new Map(
    Object.entries(CLOCKS).map(([name, hours]) => [name, { env: clock(library, hours) }]),
  );
  await withFleet({ program, notes: report, url: redis.url, port: () => redis.port }, async (fleet) => {
    await pushLater(fleet, redis.url, library);
    await fleet.feed();
    const lane = async ([name, started]: [string, MachineOptions]): Promise<Machine> => {
      let machine = fleet.start(name, started);
      for (let i = 0; i < times * 2; i++) {
        if (!(await fleet.works(machine))) break;
        machine = await (i % 2 === 0 ? again(fleet, machine, started) : suspended(fleet, machine));
      }
      await checkClock(name, started, report);
      return machine;
    };
    const machines = await Promise.all([...options].map(lane));
    const delayed = await ask(redis.port, 'zrange bull:q:delayed 0 -1');
    const ids = delayed.split('\n');
    const early = names('later').filter((name) => !ids.includes(jobIdOf(name)));
    if (early.length > 0) report.add('other', `${early.length} of ${DELAYED} tasks became due`);
    await fleet.queue.remove(names('later'));
    await fleet.finish(machines, options);
    await fleet.examine();
  });
  return report;
}

function clock(library: string, hours: number): Readonly<Record<string, string>> {
  // The library would slow timers down if it also changed the monotonic clock.
  return {
    LD_PRELOAD: library,
    FAKETIME: `${hours < 0 ? '' : '+'}${hours}h`,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}

function names(kind: string): string[] {
  return Array.from({ length: DELAYED }, (_, i) => `${kind}-${i}`);
}

/** Pushes tasks for half an hour later by the slow clock, and tasks for one second later by the fast one. */
async function pushLater(fleet: Fleet, url: string, library: string): Promise<void> {
  const push = async (kind: string, delay: string, hours: number): Promise<void> => {
    const input = names(kind).map((uuid) => `{"uuid":"${uuid}"}\n`);
    const command = `task-queue push ${url} --name q --delay ${delay} --attempts 1000 --quiet`;
    const { code, stderr } = await sh(command, { input: input.join(''), env: clock(library, hours) });
    if (code !== 0) fleet.notes.add('exit code', `push: ${code}: ${stderr}`);
  };
  await push('later', '30m', -1);
  await push('soon', '1s', 1);
  fleet.pushed.push(...names('soon'));
}

/** Checks that the machine had the intended clock; otherwise nothing was proved. */
async function checkClock(name: string, { env }: MachineOptions, report: Notes): Promise<void> {
  const { stdout } = await sh('node -p "Date.now()"', { env: { ...env } });
  const hours = Math.round((Number(stdout) - Date.now()) / 3_600_000);
  if (hours === CLOCKS[name]) report.count(`machine ${name}`);
  else report.add('other', `the clock of the machine ${name} is off by ${hours} h`);
}

async function again(fleet: Fleet, machine: Machine, options: MachineOptions): Promise<Machine> {
  fleet.allow();
  if (kill(machine)) fleet.notes.count('killed');
  await machine.end;
  return fleet.start(machine.name, options);
}

async function suspended(fleet: Fleet, machine: Machine): Promise<Machine> {
  fleet.allow();
  process.kill(-machine.group, 'SIGSTOP');
  await fleet.leasesEnd(machine.name);
  process.kill(-machine.group, 'SIGCONT');
  fleet.notes.count('suspended');
  return machine;
}
