import { beforeEach, test } from 'vitest';
import { needsRedis } from '../support/redis.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';
import { suspendedMachines } from './suspended-machines.ts';

beforeEach(needsRedis);

test('a machine that is suspended past its lease does no harm when it wakes, and works on', async () => {
  const report = await suspendedMachines(ours, 30);
  prove('SIGSTOP of a machine that shares a queue until its leases have ended, then SIGCONT', report, {
    stops: 30,
  });
}, 600_000);
