import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { execPath } from 'node:process';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import split2 from 'split2';
import type { Order, Report, Setup } from './protocol.ts';

/** Starts commands, by way of runners. */
export interface Runners {
  /** @returns undefined where the runner died, which says nothing of the command */
  run(order: Omit<Order, 'id'>): Promise<Report | undefined>;
  /** Kills what still runs. */
  close(): Promise<void>;
}

/** A further runner is started when so many commands were started by each of those there are within `BUSY_TIME`. */
const BUSY = 30;
const BUSY_TIME = 200;

/** How long a runner that is to end may take, in milliseconds. */
const LAST = 2000;

/** @param most how many there may be; one is enough for commands that take long */
export function openRunners(most: number, setup: Setup): Runners {
  let runners: Runner[] = [];
  let [started, since] = [0, performance.now()];
  const isBusy = (): boolean => {
    if (++started < BUSY * runners.length) return false;
    const took = performance.now() - since;
    [started, since] = [0, performance.now()];
    return took < BUSY_TIME;
  };
  return {
    run(order) {
      runners = runners.filter(({ isGone }) => !isGone);
      if (runners.length === 0 || (isBusy() && runners.length < most)) runners.push(new Runner(setup));
      const [least] = runners.toSorted((a, b) => a.load - b.load) as [Runner, ...Runner[]];
      return least.run(order);
    },
    async close() {
      await Promise.all(runners.map((runner) => runner.close()));
    },
  };
}

type Settle = (report: Report | undefined) => void;

/** One runner, seen from the stage. */
class Runner {
  readonly #child: ChildProcess;
  readonly #channel: Duplex;
  readonly #waiting = new Map<number, Settle>();
  #ids = 0;

  constructor(setup: Setup) {
    // Detached, so that Ctrl-C does not reach it.
    this.#child = spawn(execPath, [fileURLToPath(new URL('./runner.js', import.meta.url))], {
      env: {},
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    });
    this.#channel = this.#child.stdio[3] as Duplex;
    this.#child.on('error', () => this.#end());
    this.#channel.on('error', () => {});
    this.#channel.on('close', () => this.#end());
    this.#channel.pipe(split2()).on('data', (line: string) => {
      const report = JSON.parse(line) as Report;
      const settle = this.#waiting.get(report.id);
      this.#waiting.delete(report.id);
      settle?.(report);
    });
    this.#send(setup);
  }

  /** How many of its commands are under way. */
  get load(): number {
    return this.#waiting.size;
  }

  get isGone(): boolean {
    return this.#channel.destroyed;
  }

  run(order: Omit<Order, 'id'>): Promise<Report | undefined> {
    const id = this.#ids++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#send({ id, ...order });
    });
  }

  #send(message: Setup | Order): void {
    this.#channel.write(`${JSON.stringify(message)}\n`);
  }

  #end(): void {
    for (const settle of this.#waiting.values()) settle(undefined);
    this.#waiting.clear();
  }

  async close(): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    this.#channel.destroy();
    if (exitCode !== null || signalCode !== null) return;
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), LAST);
    await once(this.#child, 'exit').catch(() => {});
    clearTimeout(timer);
  }
}
