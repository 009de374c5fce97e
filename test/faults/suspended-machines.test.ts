import { beforeEach, test } from 'vitest';
import { needsRedis } from '../support/redis.ts';
import { ours } from './support/program.ts';
import { prove, trials } from './support/report.ts';
import { suspendedMachines } from './suspended-machines.ts';

beforeEach(needsRedis);

const STOPS = trials(30, 8);

test('a machine that is suspended past its lease does no harm when it wakes, and continues to work', async () => {
  const report = await suspendedMachines(ours, STOPS);
  prove('SIGSTOP of a machine that shares a queue until its leases have ended, then SIGCONT', report, {
    stops: STOPS,
  });
}, 600_000);
