import { beforeEach, expect, test } from 'vitest';
import { needsRedis, startRedis } from '../support/redis.ts';
import { withFleet } from './support/fleet.ts';
import { notes } from './support/live.ts';
import { ours } from './support/program.ts';

beforeEach(needsRedis);

test('three machines save 1,500 tasks, and run each once', async () => {
  const redis = await startRedis();
  const report = notes();
  await withFleet({ program: ours, notes: report, url: redis.url, port: () => redis.port }, async (fleet) => {
    await fleet.push(1500);
    await fleet.drain(['m0', 'm1', 'm2']);
    await fleet.examine();
  });
  expect(report.breaches).toEqual([]);
}, 300_000);
