/* Promises of every engine about adding tasks, and about the order in which it delivers them. */
import { expect } from 'vitest';
import { Task, withRun } from '../../../src/core/record/task.ts';
import { ATTEMPTS } from '../../../src/queues/contract.ts';
import { until } from '../../support/until.ts';
import { all, bury, consume, contract, drain, numbered, task, tasks, uuidsOf } from './engines.ts';

contract('push', (given) => {
  given('delivers tasks in their order, with their bytes', async ({ queue }) => {
    const lines = ['{"uuid":"a", "n":12345678901234567890}', '{"t":"ä\\u0000\\ud800😀\\\\","uuid":"b"}'];
    const pushed = lines.map((line, i) => new Task(i === 0 ? 'a' : 'b', line));
    expect(await queue.push(pushed)).toEqual({ added: 2, seen: 0, done: 0 });
    const taken = await (await consume(queue)).take(10);
    expect(taken.map(({ line }) => line)).toEqual(lines);
  });

  given('counts tasks that are in the queue, dead or given twice as seen', async ({ queue }) => {
    await bury(queue, 'dead');
    expect(await queue.push(tasks('a', 'a', 'dead'))).toEqual({ added: 1, seen: 2, done: 0 });
    expect(await queue.push(tasks('a', 'b'))).toEqual({ added: 1, seen: 1, done: 0 });
    await (await consume(queue)).take(1);
    expect(await queue.push(tasks('a', 'b'))).toEqual({ added: 0, seen: 2, done: 0 });
  });

  given('counts finished tasks as done, and does not deliver them', async ({ queue }) => {
    await queue.push(tasks('a'));
    await drain(queue);
    expect(await queue.push(tasks('a', 'b'))).toEqual({ added: 1, seen: 0, done: 1 });
    expect(await drain(queue)).toEqual(['b']);
  });

  given('again adds finished and dead tasks, and not those that are in the queue', async ({ queue }) => {
    await queue.push(tasks('finished'));
    await drain(queue);
    await bury(queue, 'dead');
    await queue.push(tasks('waiting'));
    const counts = await queue.push(tasks('finished', 'dead', 'waiting'), { again: true });
    expect(counts).toEqual({ added: 2, seen: 1, done: 0 });
    expect(await queue.size()).toMatchObject({ waiting: 3, dead: 0, finished: 0 });
    expect(await drain(queue)).toEqual(['waiting', 'finished', 'dead']);
  });

  given('of nothing adds nothing', async ({ queue }) => {
    expect(await queue.push([])).toEqual({ added: 0, seen: 0, done: 0 });
    expect(await queue.settle([])).toMatchObject({ done: 0, gone: 0 });
  });

  given('by several clients at once adds each task once', async ({ queue, another }) => {
    const others = await Promise.all([another(), another()]);
    const queues = [queue, ...others.map((one) => one.all[0] as typeof queue)];
    const counts = await Promise.all(
      queues.map((one, i) => one.push(i === 1 ? numbered(500).reverse() : numbered(500))),
    );
    expect(counts.reduce((sum, { added }) => sum + added, 0)).toBe(500);
    expect(counts.reduce((sum, { seen }) => sum + seen, 0)).toBe(1000);
    expect((await drain(queue)).length).toBe(500);
  });

  given('at the moment of settling adds no task that is finished', async ({ queue, another }) => {
    const other = (await another()).all[0] as typeof queue;
    const uuids = uuidsOf(numbered(50));
    await queue.push(numbered(50));
    const consumer = await consume(queue);
    await consumer.take(50);
    const [, ...counts] = await Promise.all([
      queue.settle(all('done', ...uuids)),
      ...Array.from({ length: 10 }, () => other.push(numbered(50))),
    ]);
    expect(counts.reduce((sum, { added }) => sum + added, 0)).toBe(0);
    expect(await queue.size()).toMatchObject({ waiting: 0, active: 0, finished: 50 });
  });

  given(
    'with repeat runs a task once more after its present run',
    async ({ queue }) => {
      const line = (round: number): Task => new Task('a', `{"uuid":"a","round":${round}}`);
      const roundsOf = (some: readonly Task[]): unknown[] => some.map(({ fields }) => fields.round);
      await queue.push([line(0)]);
      const consumer = await consume(queue);
      expect(roundsOf(await consumer.take(10))).toEqual([0]);
      expect(await queue.push([line(1), line(2)], { again: true, repeat: true })).toMatchObject({ added: 2 });
      expect(await consumer.take(10)).toEqual([]);
      expect((await queue.size()).delayed).toBe(1);
      for (const round of [1, 2]) {
        expect(await consumer.isEmpty()).toBe(false);
        await queue.settle(all('done', 'a'), { worker: 'w' });
        expect(roundsOf(await consumer.take(10))).toEqual([round]);
      }
      await queue.settle(all('done', 'a'), { worker: 'w' });
      expect(await consumer.isEmpty()).toBe(true);
    },
    'repeat',
  );

  given(
    'with repeat adds tasks that are not in the queue, and dead ones',
    async ({ queue }) => {
      await bury(queue, 'dead');
      expect(await queue.push(tasks('new', 'dead'), { repeat: true })).toMatchObject({ added: 2, seen: 0 });
      expect((await drain(queue)).sort()).toEqual(['dead', 'new']);
      expect(await queue.size()).toMatchObject({ waiting: 0, delayed: 0, dead: 0, finished: 2 });
    },
    'repeat',
  );

  given('removes the run of a failed task', async ({ queue }) => {
    const run = {
      state: 'FAILURE',
      as: 'result',
      attempts: 1,
      at: '2026-01-01T00:00:00.000Z',
      ms: 0,
    } as const;
    await queue.push([withRun(task('a'), run)]);
    const [taken] = await (await consume(queue)).take(1);
    expect(taken?.line).toBe('{"uuid":"a"}');
  });

  given('keeps uuids apart, whatever is in them', async ({ queue, another }) => {
    const odd = [
      'wait',
      '17',
      'a:b',
      '%3A',
      '=a',
      'NULL',
      '{a,b}',
      '"',
      "'; --",
      '\\',
      '\\x00',
      'ä',
      'a\u0308',
    ];
    odd.push('😀', ' a', 'A', '$1', 'é'.repeat(128), '../x', '\u202e', '*', '>');
    expect(await queue.push(tasks(...odd))).toMatchObject({ added: odd.length });
    expect(await queue.push(tasks(...odd))).toMatchObject({ seen: odd.length });
    const consumer = await consume(queue, 'worker "ä" \\');
    expect(uuidsOf(await consumer.take(100))).toEqual(odd);
    const other = (await another()).all[0] as typeof queue;
    const half = odd.slice(0, 10);
    await other.settle(all('done', ...half), { worker: 'worker "ä" \\' });
    expect([...(await consumer.returned()).uuids].sort()).toEqual([...half].sort());
    expect((await queue.settle(all('failed', ...odd), { worker: 'worker "ä" \\' })).again).toBe(
      odd.length - 10,
    );
    expect(await queue.remove(odd)).toEqual(odd.slice(10));
    expect(await queue.push(tasks(...odd))).toEqual({ added: odd.length - 10, seen: 0, done: 10 });
  });

  given('of 10,000 tasks delivers each once, in their order', async ({ queue }) => {
    const many = numbered(10_000);
    for (let i = 0; i < many.length; i += 1000) await queue.push(many.slice(i, i + 1000));
    expect(await queue.size()).toMatchObject({ waiting: 10_000 });
    expect(await drain(queue)).toEqual(uuidsOf(many));
    expect(await queue.size()).toMatchObject({ waiting: 0, active: 0, finished: 10_000 });
  });

  given('keeps queues of one server apart', async ({ queue, name, another }) => {
    const two = await another(`${name}a`, `${name}b`);
    const [first, second] = two.all as [typeof queue, typeof queue];
    await first.push(tasks('a'));
    await second.push(tasks('a', 'b'));
    expect([await drain(first), await drain(queue)]).toEqual([['a'], []]);
    await first.clear();
    expect([await drain(second), (await first.size()).finished]).toEqual([['a', 'b'], 1]);
  });
});

contract('order', (given) => {
  given(
    'front comes before all others, in its own order',
    async ({ queue }) => {
      await queue.push(tasks('a', 'b'));
      await queue.push(tasks('c', 'd'), { front: true });
      await queue.push(tasks('e', 'f'), { front: true });
      expect(await drain(queue)).toEqual(['e', 'f', 'c', 'd', 'a', 'b']);
    },
    'order',
  );

  given(
    'tasks without a priority come first, then 1, then 2',
    async ({ queue }) => {
      await queue.push(tasks('low', 'low2'), { priority: 2 });
      await queue.push(tasks('high'), { priority: 1 });
      await queue.push(tasks('none'));
      expect(await drain(queue)).toEqual(['none', 'high', 'low', 'low2']);
    },
    'order',
  );

  given(
    'a delayed task is delivered once it is due',
    async ({ queue }) => {
      await queue.push(tasks('later'), { delay: 3_600_000 });
      await queue.push(tasks('soon'), { delay: 300 });
      await queue.push(tasks('now'));
      expect(await drain(queue)).not.toContain('later');
      const consumer = await consume(queue);
      const known = async (): Promise<readonly number[]> => queue.claims(['soon', 'later'], undefined);
      await until(async () => {
        await queue.settle(all('done', ...uuidsOf(await consumer.take(10))));
        await consumer.returned();
        return (await known())[0] === 1;
      });
      expect(await known()).toEqual([1, 2]);
      expect(await queue.size()).toMatchObject({ delayed: 1, waiting: 0, finished: 2 });
    },
    'order',
  );

  given(
    'front() moves waiting tasks, in the order of its uuids',
    async ({ queue }) => {
      await queue.push(tasks('active'));
      await (await consume(queue)).take(1);
      await queue.push(tasks('a', 'b', 'c'));
      await queue.push(tasks('low'), { priority: 5 });
      await queue.push(tasks('delayed'), { delay: 60_000 });
      const moved = await queue.front(['c', 'low', 'delayed', 'active', 'none', 'b']);
      expect(moved).toEqual(['c', 'low', 'b']);
      expect(await drain(queue)).toEqual(['c', 'low', 'b', 'a']);
    },
    'order',
  );

  given(
    'tasks that go back are at the front in their order, failed ones at the end',
    async ({ queue }) => {
      await queue.push(tasks('a', 'b', 'c', 'd', 'e'));
      const consumer = await consume(queue);
      expect(uuidsOf(await consumer.take(4))).toEqual(['a', 'b', 'c', 'd']);
      await queue.settle([
        ...all('back', 'a'),
        ...all('failed', 'b'),
        ...all('back', 'c'),
        ...all('done', 'd'),
      ]);
      await consumer.returned();
      expect(uuidsOf(await consumer.take(10))).toEqual(['a', 'c', 'e', 'b']);
    },
    'failed last',
  );

  given(
    'a failed task keeps its priority',
    async ({ queue }) => {
      for (const [uuid, priority] of [
        ['low', 9],
        ['high', 1],
        ['middle', 5],
      ] as const)
        await queue.push(tasks(uuid), { priority });
      const consumer = await consume(queue);
      expect(uuidsOf(await consumer.take(1))).toEqual(['high']);
      expect((await queue.settle(all('failed', 'high'))).again).toBe(1);
      await consumer.returned();
      expect(uuidsOf(await consumer.take(3))).toEqual(['high', 'middle', 'low']);
    },
    'order',
  );

  given('a failed task waits for its delay', async ({ queue }) => {
    await queue.push(tasks('a'), { attempts: ATTEMPTS });
    const consumer = await consume(queue);
    await consumer.take(1);
    expect((await queue.settle(all('failed', 'a'), { delay: 3_600_000 })).again).toBe(1);
    await consumer.returned();
    expect(await consumer.take(1)).toEqual([]);
    expect(await queue.size()).toMatchObject({ delayed: 1, waiting: 0, active: 0 });
  });
});
