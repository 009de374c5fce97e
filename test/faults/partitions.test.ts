import { beforeEach, test } from 'vitest';
import { needsRedis } from '../support/redis.ts';
import { partitions } from './partitions.ts';
import { ours } from './support/program.ts';
import { prove, trials } from './support/report.ts';

beforeEach(needsRedis);

const EACH = trials(5, 2);

test('a machine that loses its network to Redis does no harm when it is back, and continues to work', async () => {
  const report = await partitions(ours, EACH);
  prove('machines cut off from their queue by a relay, and connected again', report, {
    'black holes': EACH,
    'long black holes': EACH,
    'answers lost': EACH,
    cuts: EACH,
    'long cuts': EACH,
    delays: EACH,
  });
}, 600_000);
