import { beforeEach, test } from 'vitest';
import { needsRedis } from '../support/redis.ts';
import { ours } from './support/program.ts';
import { prove, trials } from './support/report.ts';
import { clockLibrary, wrongClocks } from './wrong-clocks.ts';

beforeEach(needsRedis);

const EACH = trials(3, 1);

test('machines whose clocks are an hour fast and an hour slow share a queue with one whose clock is right', async ({
  skip,
}) => {
  const library = (await clockLibrary()) ?? skip('faketime is not installed');
  const report = await wrongClocks(ours, library, EACH);
  prove('clocks of machines off by +1 h and -1 h, which are also killed and suspended', report, {
    'machine fast': 1,
    'machine right': 1,
    'machine slow': 1,
    killed: 3 * EACH,
    suspended: 3 * EACH,
  });
}, 600_000);
