import { beforeEach, test } from 'vitest';
import { needsRedis } from '../support/redis.ts';
import { killedMachines } from './killed-machines.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

beforeEach(needsRedis);

test('machines that share a queue lose no task when any of their processes is killed', async () => {
  const report = await killedMachines(ours, 50);
  prove(
    'kill -9 in machines that share a queue: pull, exec, save, ack, a whole pipe, a machine for ever',
    report,
    {
      pull: 50,
      exec: 50,
      save: 50,
      ack: 50,
      group: 50,
      machine: 50,
    },
  );
}, 900_000);
