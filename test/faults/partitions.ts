import { startRedis } from '../support/redis.ts';
import { type Relay, startRelay } from '../support/relay.ts';
import { until } from '../support/until.ts';
import { type Fleet, withFleet } from './support/fleet.ts';
import { notes, randomFrom } from './support/live.ts';
import type { Machine } from './support/machine.ts';
import type { Program } from './support/program.ts';
import type { Report } from './support/report.ts';

/*
 * Machines whose network to Redis fails, each through its own relay: for less time than it takes to notice, and for
 * more.
 */

const MACHINES = 5;

/** Fault of the network of a machine, by the name of its figure. It ends when this resolves. */
type Fault = (fleet: Fleet, machine: Machine, relay: Relay) => Promise<void>;

const FAULTS: Readonly<Record<string, Fault>> = {
  // Until its leases have expired: the same connections continue, and deliver the lost data.
  'black holes': async (fleet, { name }, relay) => {
    relay.set('hole');
    await fleet.leasesEnd(name);
  },
  // Until it has given up its connections: the data that it sent on them arrives late.
  'long black holes': async (_, __, relay) => {
    const before = relay.opened;
    relay.set('hole');
    await until(() => relay.opened > before);
  },
  // Its commands are carried out, and it does not know.
  'answers lost': async (_, __, relay) => {
    const before = relay.opened;
    relay.set('mute');
    await until(() => relay.opened > before);
    relay.set('cut');
  },
  cuts: async (_, __, relay) => {
    relay.set('cut');
  },
  'long cuts': async (fleet, { name }, relay) => {
    relay.set('cut');
    await fleet.leasesEnd(name);
  },
  delays: async (fleet, machine, relay) => {
    relay.set('open', 200);
    await fleet.works(machine);
    await fleet.works(machine);
  },
};

/**
 * Tries each fault.
 * @param each number of trials of each fault
 * @param kinds names of the faults. Default: all
 */
export async function partitions(
  program: Program,
  each: number,
  kinds: readonly string[] = Object.keys(FAULTS),
  seed = Date.now(),
): Promise<Report> {
  const redis = await startRedis();
  const random = randomFrom(seed);
  const report = notes();
  const relays = await Promise.all(Array.from({ length: MACHINES }, () => startRelay(() => redis.port)));
  const left = kinds
    .flatMap((kind) => Array.from({ length: each }, () => ({ kind, order: random() })))
    .sort((a, b) => a.order - b.order)
    .map(({ kind }) => kind);
  try {
    await withFleet({ program, notes: report, url: redis.url, port: () => redis.port }, async (fleet) => {
      await fleet.feed();
      const lane = async (relay: Relay, number: number): Promise<Machine> => {
        const machine = fleet.start(`m${number}`, { url: `redis://127.0.0.1:${relay.port}/0` });
        for (let kind = left.pop(); kind !== undefined; kind = left.pop()) {
          if (!(await fleet.works(machine))) break;
          fleet.allow();
          await FAULTS[kind]?.(fleet, machine, relay);
          relay.set('open');
          report.count(kind);
          await fleet.checkFinished();
        }
        return machine;
      };
      await fleet.finish(await Promise.all(relays.map(lane)));
      await fleet.examine();
    });
  } finally {
    for (const relay of relays) relay.close();
  }
  return report;
}
