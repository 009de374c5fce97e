/* The suites of queues and of the service must fail on builds with a mistake in them, as those of teeth.test.ts. */
import { beforeEach, describe, test } from 'vitest';
import { needsRedis } from '../support/redis.ts';
import { killedMachines } from './killed-machines.ts';
import { killedService } from './killed-service.ts';
import { partitions } from './partitions.ts';
import { poison } from './poison.ts';
import { redisFaults } from './redis-faults.ts';
import { type Bite, notices } from './support/bite.ts';
import { notes } from './support/live.ts';
import { suspendedMachines } from './suspended-machines.ts';
import { clockLibrary, wrongClocks } from './wrong-clocks.ts';

const JUDGE = `if (spent >= attempts && alone > 0) return { alone };
  if (spent + 1 >= attempts) return { size: 1 };
  return { size: group > 0 ? Math.max(1, Math.floor(group / SHRINK)) : FIRST };`;
const STORED = `const values = [];
          for (const { change } of group) values.push(await change());`;

const UNCONNECTED = {
  from: 'this.#verdict !== void 0 || this.#isOver() ? null',
  to: 'this.#returns >= 0 || this.#verdict !== void 0 || this.#isOver() ? null',
};

const fleet: readonly Bite[] = [
  {
    name: 'suspects are not tried alone before they are dead',
    from: JUDGE,
    to: 'return spent >= attempts ? { alone: spent } : { size: Number.POSITIVE_INFINITY };',
    tried: (program) => poison(program, (name) => name === 'that kill task-exec'),
    kind: 'lost',
  },
  {
    name: 'tasks that were in flight at a death are dropped',
    from: 'backend.moveToDelayed(id, now, 1, this.#token, { skipAttempt: true })',
    to: 'backend.moveToCompleted({ id, opts: { attempts: 1 } }, null, true, this.#token, false)',
    tried: (program) => killedMachines(program, 1),
    kind: 'lost',
  },
  {
    name: 'a worker that lost a lease ends',
    from: 'await this.#takeUp(lost);',
    to: 'throw new Error("a lease has ended");',
    tried: (program) => suspendedMachines(program, 2),
    kind: 'exit code',
  },
  {
    name: 'a lost connection is not made again',
    ...UNCONNECTED,
    tried: (program) => partitions(program, 2, ['cuts']),
    kind: 'exit code',
  },
  {
    name: 'a worker ends when Redis ends',
    ...UNCONNECTED,
    tried: (program) => redisFaults(program, 1, notes(), ['restarted']),
    kind: 'exit code',
  },
];

beforeEach(needsRedis);

describe('fault suites of queues', () => {
  test.each(fleet)('fail if $name', notices, 300_000);
});

test('the fault suite of wrong clocks fails if delayed tasks become due by the clock of a machine', async ({
  skip,
}) => {
  const library = (await clockLibrary()) ?? skip('faketime is not installed');
  await notices({
    name: 'delayed tasks become due by the clock of a machine',
    from: 'args[at] = link.now();',
    to: 'void 0;',
    tried: (program) => wrongClocks(program, library, 1),
    kind: 'other',
  });
}, 300_000);

test('the fault suite of the service fails if a task is accepted before it is stored', async () => {
  await notices({
    name: 'a task is accepted before it is stored',
    from: STORED,
    to: `${STORED}
          for (const [i, { resolve }] of group.entries()) if (Array.isArray(values[i])) resolve(values[i]);
          await new Promise((resolve) => setTimeout(resolve, 500));`,
    tried: (program) => killedService(program, 1),
    kind: 'lost',
  });
}, 300_000);
