import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Task } from '../../../src/core/record/task.ts';
import { openQueues, type Queue } from '../../../src/queues/index.ts';
import { processesOf } from '../../pipes/pipeline.ts';
import { ask } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { checkEnd, checkFinished, type FleetRemains } from './fleet-oracle.ts';
import { after, inFolder, type Notes } from './live.ts';
import { isAlive, kill, LEASE, type Machine, type MachineOptions, startMachine, WINDOW } from './machine.ts';
import type { Program } from './program.ts';

/*
 * Machines that share a queue. Each is a pipe in its own process group, with its own output. The module logs each run
 * of a task before it works, so that repeated work is detected.
 */

/** Name of the queue. */
const NAME = 'q';
/** No machine may be without progress for longer, in milliseconds. */
const STILL = 90_000;
/** Tasks that wait at least while faults are tried. */
const FEED = 300;

const WORK = `
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
export default async ({ uuid }) => {
  appendFileSync(process.env.MACHINE + '.runs', uuid + '\\n');
  await sleep(10);
  return uuid;
};
`;

/** Parts of a fleet. */
export interface FleetOptions {
  readonly program: Program;
  readonly notes: Notes;
  /** The server, for the test. */
  readonly url: string;
  /** The port of the Redis that has the data now; not needed with `finished`. */
  readonly port?: () => number;
  /** Returns the uuids that the queue calls finished. Default: as Redis has them. */
  readonly finished?: (name: string) => Promise<readonly string[]>;
  /** The number of its database. Default 0. */
  readonly db?: number;
  /** Time that a silent machine keeps its tasks, in milliseconds. Default 2 s. */
  readonly lease?: number;
  /** More options of task-exec. */
  readonly exec?: string;
  /** The module of the machines. Default: one that waits 10 ms. */
  readonly work?: string;
}

/** Makes a fleet in a fresh folder, and closes it. */
export async function withFleet(options: FleetOptions, work: (fleet: Fleet) => Promise<void>): Promise<void> {
  await inFolder(async (cwd) => {
    const queues = await openQueues(options.url, [NAME], { env: {} });
    const fleet = new Fleet(options, cwd, queues.all[0] as Queue);
    try {
      await work(fleet);
    } finally {
      fleet.killAll();
      await queues.close();
    }
  });
}

export class Fleet {
  readonly cwd: string;
  readonly queue: Queue;
  readonly notes: Notes;
  /** The tasks that were accepted. */
  readonly pushed: string[] = [];
  /** Pushes for which Redis had no memory. */
  refused = 0;
  readonly #options: FleetOptions;
  readonly #lost = new Set<string>();
  readonly #running: Machine[] = [];
  readonly #names = new Set<string>();
  /** Maximum number of repeated runs. */
  #allowed = 0;
  #isFeeding = true;
  #feeding: Promise<void> | undefined;

  constructor(options: FleetOptions, cwd: string, queue: Queue) {
    this.#options = options;
    this.cwd = cwd;
    this.queue = queue;
    this.notes = options.notes;
    writeFileSync(join(cwd, 'work.mjs'), options.work ?? WORK);
  }

  /** @param attempts more deliveries than faults, so that no task is dead */
  async push(count: number, attempts = 1000): Promise<void> {
    const tasks = Array.from({ length: count }, (_, i) => {
      const uuid = `t${this.pushed.length + i}`;
      return new Task(uuid, `{"uuid":"${uuid}"}`);
    });
    for (const { uuid } of tasks) this.pushed.push(uuid);
    for (;;) {
      try {
        await this.queue.push(tasks, { attempts });
        return;
      } catch (error) {
        if (!String(error).includes('its memory is')) throw error;
        this.refused++;
        await after(200);
      }
    }
  }

  /** Keeps the machines busy, until `finish()`. */
  async feed(): Promise<void> {
    await this.push(FEED);
    const feed = async (): Promise<void> => {
      for (; this.#isFeeding; await after(100))
        if ((await this.queue.size()).waiting < FEED) await this.push(FEED);
    };
    this.#feeding = feed();
  }

  /** Starts a machine, perhaps again. */
  start(name: string, options: MachineOptions = {}): Machine {
    const { program, exec = '', lease = LEASE, url } = this.#options;
    this.#names.add(name);
    const machine = startMachine(program, this.cwd, name, { url, queue: NAME, exec, lease, ...options });
    this.#running.push(machine);
    return machine;
  }

  /** Returns the number of bytes of rows that a machine has saved. */
  saved(name: string): number {
    return statSync(join(this.cwd, `${name}.csv`), { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Waits until a machine has saved more rows. Resolves to false if it ended before. */
  async works(machine: Machine): Promise<boolean> {
    const { name } = machine;
    const before = this.saved(name);
    const began = performance.now();
    while (this.saved(name) <= before) {
      if (!isAlive(machine)) return false;
      if (performance.now() - began > STILL) {
        this.notes.add('hang', `${name} saved nothing for ${STILL / 1000} s`);
        return false;
      }
      await after(20);
    }
    return true;
  }

  /** Waits until no lease of a machine is left. Renewals that are still under way may bring one back once. */
  async leasesEnd(name: string): Promise<void> {
    await until(async () => {
      const { workers } = await this.queue.size();
      return !workers.some(({ worker, out }) => worker === name && out > 0);
    });
  }

  /** Allows that the tasks of some machines are delivered once more. */
  allow(machines = 1): void {
    this.#allowed += machines * WINDOW;
  }

  /** Kills a machine that never returns. Returns false if it had ended. */
  lose(machine: Machine): boolean {
    this.#lost.add(machine.name);
    return kill(machine);
  }

  killAll(): void {
    this.#isFeeding = false;
    for (const machine of this.#running) kill(machine);
  }

  /** Asks running machines to stop, which must succeed, and lets new pipes with the same names complete the rest. */
  async finish(
    running: readonly Machine[],
    options: ReadonlyMap<string, MachineOptions> = new Map(),
  ): Promise<void> {
    this.#isFeeding = false;
    await this.#feeding;
    let isStopped = false;
    const ends = Promise.all(running.map((machine) => this.endsWell(machine))).finally(() => {
      isStopped = true;
    });
    // More than once, because a machine that was cut off is registered only after its next heartbeat.
    for (; !isStopped; await after(500)) await this.queue.stop();
    await ends;
    const names = running.map(({ name }) => name);
    await this.drain(names, options);
  }

  /** Lets machines work until the queue is empty. */
  async drain(
    names: readonly string[],
    options: ReadonlyMap<string, MachineOptions> = new Map(),
  ): Promise<void> {
    const last = names.map((name) => this.start(name, { ...options.get(name), untilEmpty: true }));
    await Promise.all(last.map((machine) => this.endsWell(machine)));
  }

  /** Waits for the end of a machine, which must succeed. */
  async endsWell(machine: Machine): Promise<void> {
    const { name } = machine;
    const { codes, stderr } = await this.ends(machine);
    if (codes.size === 0) this.notes.add('crash', `${name} was killed`);
    for (const [stage, code] of codes)
      if (code !== 0)
        this.notes.add('exit code', `${name}: ${stage} ended with ${code}: ${stderr.slice(-500)}`);
  }

  /** Waits for the end of a machine as long as the queue makes progress; otherwise kills the machine. */
  async ends(machine: Machine): Promise<Awaited<Machine['end']>> {
    let isEnded = false;
    const watch = async (): Promise<void> => {
      for (let before = '', since = performance.now(); !isEnded; await after(250)) {
        const { workers: _, ...size } = await this.queue.size();
        if (JSON.stringify(size) !== before) since = performance.now();
        before = JSON.stringify(size);
        if (performance.now() - since < STILL) continue;
        const left = processesOf(machine.group).map(({ command }) => command.replaceAll('\0', ' '));
        this.notes.add('hang', `${machine.name}: ${left.join('; ')}`);
        kill(machine);
      }
    };
    const watching = watch();
    const ended = await machine.end;
    isEnded = true;
    await watching;
    return ended;
  }

  /** At any time, each task that the queue calls finished must have a row. */
  async checkFinished(): Promise<void> {
    checkFinished(await this.#remains());
  }

  /**
   * Checks the end: see `checkEnd`.
   * @param guilty the tasks that must be dead, and have no row
   */
  async examine(guilty: readonly string[] = []): Promise<void> {
    const { workers: _, ...size } = await this.queue.size();
    checkEnd(await this.#remains(), { pushed: this.pushed, guilty, size, allowed: this.#allowed });
    this.notes.figures.tasks = (this.notes.figures.tasks ?? 0) + this.pushed.length;
  }

  async #remains(): Promise<FleetRemains> {
    const { port = () => 0, db = 0 } = this.#options;
    const inRedis = async (): Promise<readonly string[]> => {
      const answer = await ask(port(), `-n ${db} smembers taskpipe:${NAME}:finished`);
      return answer.split('\n').filter((uuid) => uuid !== '');
    };
    const finished = await (this.#options.finished?.(NAME) ?? inRedis());
    return { folder: this.cwd, names: [...this.#names], lost: this.#lost, finished, notes: this.notes };
  }
}
