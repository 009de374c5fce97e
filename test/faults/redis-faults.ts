import { ask, startRedis, type TestRedis } from '../support/redis.ts';
import { type Relay, startRelay } from '../support/relay.ts';
import { until } from '../support/until.ts';
import { type Fleet, withFleet } from './support/fleet.ts';
import { after, type Notes, notes } from './support/live.ts';
import type { Machine } from './support/machine.ts';
import type { Program } from './support/program.ts';

/*
 * One Redis under machines that work: frozen until leases have ended, slow, full, killed and started again.
 */

/** Maximum time until the memory of Redis is full, in milliseconds. */
const PATIENCE = 180_000;

const MACHINES = ['m0', 'm1', 'm2'] as const;

/** Redis and the machines that a fault is tried on. */
interface Setting {
  readonly redis: TestRedis;
  readonly relay: Relay;
  readonly fleet: Fleet;
  readonly machines: readonly Machine[];
}

/** Fault of Redis, by the name of its figure. It is over when this resolves. */
type Fault = (setting: Setting) => Promise<void>;

const FAULTS: Readonly<Record<string, Fault>> = {
  frozen: async ({ redis }) => {
    redis.freeze(true);
    await after(2500); // longer than a lease
    redis.freeze(false);
  },
  slow: async ({ relay, fleet, machines }) => {
    relay.set('open', 150);
    await Promise.all(machines.map((machine) => fleet.works(machine)));
    relay.set('open');
  },
  // From now on, no push is possible, and workers use the remaining memory.
  full: async ({ redis, fleet }) => {
    const before = fleet.refused;
    const used = Number(/^used_memory:(\d+)/m.exec(await ask(redis.port, 'info memory'))?.[1]);
    await ask(redis.port, `config set maxmemory ${used + 1_000_000}`);
    await until(() => fleet.refused > before, PATIENCE);
    await after(1000);
    await ask(redis.port, 'config set maxmemory 0');
  },
  restarted: async ({ redis }) => {
    await redis.kill();
    await redis.start();
  },
  'away for longer than a lease': async ({ redis }) => {
    await redis.kill();
    await after(2500);
    await redis.start();
  },
};

/** Tries faults. @param each number of trials of each fault. @param kinds names of faults. Default: all. */
export async function redisFaults(
  program: Program,
  each: number,
  report: Notes = notes(),
  kinds: readonly string[] = Object.keys(FAULTS),
): Promise<Notes> {
  const redis = await startRedis();
  const relay = await startRelay(() => redis.port);
  const rounds = Array.from({ length: each }, () => kinds).flat();
  try {
    await withFleet({ program, notes: report, url: redis.url, port: () => redis.port }, async (fleet) => {
      await fleet.feed();
      const machines = MACHINES.map((name) =>
        fleet.start(name, { url: `redis://127.0.0.1:${relay.port}/0` }),
      );
      for (const kind of rounds) {
        const working = await Promise.all(machines.map((machine) => fleet.works(machine)));
        if (working.includes(false)) break;
        fleet.allow(machines.length);
        await FAULTS[kind]?.({ redis, relay, fleet, machines });
        report.count(kind);
        await fleet.checkFinished();
      }
      await fleet.finish(machines);
      await fleet.examine();
    });
  } finally {
    relay.close();
  }
  return report;
}
