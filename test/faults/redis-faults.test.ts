import { beforeEach, test } from 'vitest';
import { needsRedis } from '../support/redis.ts';
import { failovers } from './failovers.ts';
import { redisFaults } from './redis-faults.ts';
import { notes } from './support/live.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

beforeEach(needsRedis);

/** Failovers in each of three groups: `npm run faults` tries thirty, which take minutes, since Sentinel is slow. */
const FAILOVERS = process.env.FAULT_FIGURES === undefined ? 4 : 10;

test('a queue is complete in the end although its Redis fails in every way', async () => {
  const report = notes();
  await Promise.all([redisFaults(ours, 4, report), failovers(ours, FAILOVERS, 3, report)]);
  prove(
    'Redis frozen, slow, full, killed and started again, failed over by Sentinel, under machines that work',
    report,
    {
      frozen: 4,
      slow: 4,
      full: 4,
      restarted: 4,
      'away for longer than a lease': 4,
      'failed over': 3 * FAILOVERS,
    },
  );
}, 900_000);
