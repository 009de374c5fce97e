import { beforeEach, test } from 'vitest';
import { needsRedis } from '../support/redis.ts';
import { killedMachines } from './killed-machines.ts';
import { ours } from './support/program.ts';
import { prove, trials } from './support/report.ts';

beforeEach(needsRedis);

const EACH = trials(50, 10);

test('machines that share a queue lose no task when any of their processes is killed', async () => {
  const report = await killedMachines(ours, EACH);
  prove(
    'kill -9 in machines that share a queue: pull, exec, save, ack, a whole pipe, a machine forever',
    report,
    {
      pull: EACH,
      exec: EACH,
      save: EACH,
      ack: EACH,
      group: EACH,
      machine: EACH,
    },
  );
}, 900_000);
