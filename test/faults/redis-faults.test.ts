import { beforeEach, test } from 'vitest';
import { needsRedis } from '../support/redis.ts';
import { failovers } from './failovers.ts';
import { redisFaults } from './redis-faults.ts';
import { notes } from './support/live.ts';
import { ours } from './support/program.ts';
import { prove, trials } from './support/report.ts';

beforeEach(needsRedis);

const EACH = trials(4, 2);
/** Groups of servers that fail over at the same time, since Sentinel is slow. */
const GROUPS = trials(3, 1);
/** Failovers of each group. */
const FAILOVERS = trials(10, 4);

test('a queue is complete in the end although its Redis fails in every way', async () => {
  const report = notes();
  await Promise.all([redisFaults(ours, EACH, report), failovers(ours, FAILOVERS, GROUPS, report)]);
  prove(
    'Redis frozen, slow, full, killed and started again, failed over by Sentinel, under machines that work',
    report,
    {
      frozen: EACH,
      slow: EACH,
      full: EACH,
      restarted: EACH,
      'away for longer than a lease': EACH,
      'failed over': GROUPS * FAILOVERS,
    },
  );
}, 900_000);
