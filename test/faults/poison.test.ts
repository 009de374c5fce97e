import { beforeEach, test } from 'vitest';
import { needsRedis } from '../support/redis.ts';
import { poison } from './poison.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

beforeEach(needsRedis);

test('of the tasks in flight, only the one that ends its machine or worker is dead', async () => {
  const report = await poison(ours);
  prove('poison tasks, each alone dead in the end', report, {
    'that kill task-exec': 2,
    'that kill the machine': 2,
    'that throw': 2,
    'that exhaust memory': 2,
    'that exhaust memory of a thread': 2,
    'that exit': 2,
    'that throw from a timer': 2,
  });
}, 600_000);
