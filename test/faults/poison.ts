import { startRedis } from '../support/redis.ts';
import { type Fleet, withFleet } from './support/fleet.ts';
import { inLanes, type Notes, notes } from './support/live.ts';
import type { Program } from './support/program.ts';
import type { Report } from './support/report.ts';

/*
 * Tasks that end each process that runs them, on machines that are started again each time. In the end they alone
 * must be dead.
 */

/** Kind of poison. */
interface Poison {
  /** Name of its figure. */
  readonly name: string;
  /** Code that the module runs for a guilty task. */
  readonly deed: string;
  /** Code with which the guilty tasks are dead. */
  readonly code: string;
  /** Options of task-exec. */
  readonly exec?: string;
}

/** Few and large arrays: many small ones would take long to collect. */
const EXHAUST = 'for (const all = []; ; ) all.push(new Array(2_000_000).fill(all.length / 3))';
/** A small heap, so that it is full soon, in megabytes. */
const HEAP = 100;

const POISONS: readonly Poison[] = [
  { name: 'that kill task-exec', deed: `process.kill(process.pid, 'SIGKILL')`, code: 'LEASE' },
  { name: 'that kill the machine', deed: `process.kill(0, 'SIGKILL')`, code: 'LEASE' },
  { name: 'that throw', deed: `throw Object.assign(new Error('no'), { code: 'BAD' })`, code: 'BAD' },
  { name: 'that exhaust memory', deed: EXHAUST, code: 'LEASE' },
  {
    name: 'that exhaust memory of a thread',
    deed: EXHAUST,
    code: 'THREAD',
    exec: '--threads 2 --retries 0',
  },
  { name: 'that exit', deed: 'process.exit(0)', code: 'LEASE' },
  {
    name: 'that throw from a timer',
    deed: `await new Promise(() => setTimeout(() => { throw new Error('late'); }))`,
    code: 'LEASE',
    exec: '--grace 100ms',
  },
];

const MACHINES = ['m0', 'm1'] as const;
const TASKS = 60;
const GUILTY = ['t13', 't41'] as const;
const ATTEMPTS = 3;
/** Maximum number of starts of a machine until its queue is empty. */
const STARTS = 40;

/** @param isTried selects kinds of poison by name. Default: all */
export async function poison(
  program: Program,
  isTried: (name: string) => boolean = () => true,
): Promise<Report> {
  const redis = await startRedis();
  const report = notes();
  await inLanes(
    3,
    [...POISONS.filter(({ name }) => isTried(name)).entries()],
    async ([db, { name, deed, code, exec = '' }]) => {
      const url = redis.url.replace(/0$/, String(db));
      const server = { url, port: () => redis.port, db };
      const work = moduleOf(deed);
      await withFleet({ program, notes: report, ...server, work, exec }, async (fleet) => {
        await fleet.push(TASKS, ATTEMPTS);
        fleet.allow(GUILTY.length * ATTEMPTS); // neighbours on a thread that dies run again
        await Promise.all(MACHINES.map((machine) => service(fleet, machine, report)));
        await fleet.examine(GUILTY);
        const causes = JSON.stringify(await fleet.queue.causes());
        if (causes !== JSON.stringify({ [code]: GUILTY.length }))
          report.add('other', `${name}: dead are ${causes}`);
        report.figures[name] = GUILTY.length;
      });
    },
  );
  return report;
}

function moduleOf(deed: string): string {
  return `
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
const guilty = ${JSON.stringify(GUILTY)};
export default async ({ uuid }) => {
  appendFileSync(process.env.MACHINE + '.runs', uuid + '\\n');
  await sleep(10);
  if (guilty.includes(uuid)) ${deed};
  return uuid;
};
`;
}

/** Starts a machine again each time it dies, as a service does, until the queue is empty. */
async function service(fleet: Fleet, name: string, report: Notes): Promise<void> {
  for (let starts = 1; starts <= STARTS; starts++) {
    const env = { NODE_OPTIONS: `--max-old-space-size=${HEAP}` };
    const machine = fleet.start(name, { untilEmpty: true, env });
    report.count('starts');
    const { codes, stderr } = await fleet.ends(machine);
    if (codes.get('pull') === 0) return;
    fleet.allow();
    if (codes.has('pull') && codes.get('pull') !== 141)
      report.add('exit code', `${name}: pull ended with ${codes.get('pull')}: ${stderr.slice(-500)}`);
  }
  report.add('hang', `${name} was started ${STARTS} times, and its queue is not empty`);
}
