import { beforeEach, test } from 'vitest';
import { needsRedis } from '../support/redis.ts';
import { partitions } from './partitions.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

beforeEach(needsRedis);

test('a machine that loses its network to Redis does no harm when it is back, and works on', async () => {
  const report = await partitions(ours, 5);
  prove('machines cut off from their queue by a relay, and connected again', report, {
    'black holes': 5,
    'long black holes': 5,
    'answers lost': 5,
    cuts: 5,
    'long cuts': 5,
    delays: 5,
  });
}, 600_000);
