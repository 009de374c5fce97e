/* Promises of every engine to a worker: windows, leases, and which task is suspected when a worker dies. */
import { expect } from 'vitest';
import type { Consumer, Queue } from '../../../src/queues/index.ts';
import { until } from '../../support/until.ts';
import { all, consume, contract, deadOf, drain, numbered, tasks, uuidsOf } from './engines.ts';

contract('a consumer', (given) => {
  given('takes at most the count it asks for', async ({ queue }) => {
    await queue.push(numbered(10));
    const consumer = await consume(queue);
    expect(await consumer.take(3)).toHaveLength(3);
    expect([...consumer.out]).toEqual(['t0', 't1', 't2']);
    expect(await consumer.take(100)).toHaveLength(7);
    expect([consumer.out.size, consumer.out.has('t9')]).toEqual([10, true]);
    expect(await consumer.take(1)).toEqual([]);
  });

  given('does not get what another one has', async ({ queue, another }) => {
    await queue.push(numbered(400));
    const queues = [
      queue,
      ...(await Promise.all([another(), another()])).map(({ all: [one] }) => one as Queue),
    ];
    const consumers = await Promise.all(queues.map((one, i) => consume(one, `w${i}`)));
    const taken = await Promise.all(
      consumers.flatMap((consumer) => [consumer.take(50), consumer.take(50), consumer.take(50)]),
    );
    const uuids = taken.flatMap(uuidsOf);
    expect(new Set(uuids).size).toBe(uuids.length);
    expect((await queue.size()).active).toBe(uuids.length);
    expect([...uuids, ...(await drain(queue))].sort()).toEqual(uuidsOf(numbered(400)).sort());
  });

  given('leaves tasks that it must not take now for later, uncounted', async ({ queue }) => {
    await queue.push(tasks('a', 'b'), { attempts: 1 });
    const consumer = await consume(queue);
    expect(uuidsOf(await consumer.take(2, (uuid) => uuid === 'a'))).toEqual(['b']);
    expect(await consumer.isEmpty()).toBe(false);
    const later: string[] = [];
    await until(async () => {
      later.push(...uuidsOf(await consumer.take(2)));
      return later.length > 0;
    });
    expect([later, await deadOf(queue)]).toEqual([['a'], []]);
  });

  given('gives tasks back to the front, in their order and uncounted', async ({ queue }) => {
    await queue.push(tasks('a', 'b', 'c', 'd'), { attempts: 1 });
    const one = await consume(queue, 'one');
    await one.take(3);
    expect(await one.giveBack()).toBe(3);
    expect(one.out.size).toBe(0);
    const two = await consume(queue, 'two');
    expect(uuidsOf(await two.take(9))).toEqual(['a', 'b', 'c', 'd']);
    expect(await one.giveBack()).toBe(0);
  });

  given('that is closed keeps its tasks until its lease expires', async ({ queue }) => {
    await queue.push(tasks('a'));
    const one = await consume(queue, 'one', 1000);
    await one.take(1);
    await one.close();
    expect((await queue.size()).workers).toEqual([]);
    const two = await consume(queue, 'two', 1000);
    await until(async () => {
      await two.renew();
      return (await two.take(1)).length === 1;
    });
    expect((await queue.settle(all('done', 'a'), { worker: 'two' })).done).toBe(1);
  });

  given(
    'that is silent loses its tasks when its lease expires, and learns it',
    async ({ queue, another }) => {
      await queue.push(tasks('a', 'b'));
      const one = await consume(queue, 'one', 500);
      await one.take(2);
      await until(async () => (await queue.size()).waiting === 2);
      const two = await consume((await another()).all[0] as Queue, 'two', 2000);
      await until(async () => {
        await two.renew();
        await two.take(2); // one by one, or together
        return two.out.size === 2;
      });
      await two.renew();
      await one.renew();
      expect([one.out.size, [...two.out].sort()]).toEqual([0, ['a', 'b']]);
      const late = [...all('failed', 'a'), ...all('back', 'b')];
      expect(await queue.settle(late, { worker: 'one' })).toMatchObject({ again: 0, back: 0, gone: 2 });
      expect((await queue.settle(all('done', 'a', 'b'), { worker: 'one' })).done).toBe(2);
    },
  );

  given('renews an expired lease that no other worker took', async ({ queue, another }) => {
    await queue.push(tasks('a', 'b'));
    const one = await consume(queue, 'one', 500);
    await one.take(2);
    await until(async () => (await queue.size()).waiting === 2);
    await queue.settle(all('done', 'b'));
    await one.renew();
    expect([...one.out]).toEqual(['a']);
    const other = (await another()).all[0] as Queue;
    expect((await other.settle(all('failed', 'a'), { worker: 'one' })).again).toBe(1);
  });

  given('is empty only without tasks that wait, are delayed or with a worker', async ({ queue }) => {
    const consumer = await consume(queue);
    expect(await consumer.isEmpty()).toBe(true);
    await queue.push(tasks('a'));
    expect(await consumer.isEmpty()).toBe(false);
    await consumer.take(1);
    expect(await consumer.isEmpty()).toBe(false);
    await queue.settle(all('failed', 'a'), { delay: 3_600_000 });
    expect(await consumer.isEmpty()).toBe(false);
    await queue.settle([{ uuid: 'a', kind: 'done' }]);
    expect(await consumer.isEmpty()).toBe(true);
  });

  given('gets nothing while the queue is paused', async ({ queue }) => {
    await queue.push(tasks('a'));
    const consumer = await consume(queue);
    await queue.pause();
    await queue.pause();
    expect([await consumer.take(1), await queue.isPaused()]).toEqual([[], true]);
    expect(await queue.size()).toMatchObject({ paused: true, waiting: 1 });
    await queue.push(tasks('b'));
    expect(await consumer.take(1)).toEqual([]);
    await queue.resume();
    expect([uuidsOf(await consumer.take(2)), await queue.isPaused()]).toEqual([['a', 'b'], false]);
  });

  given('is asked to stop, by its name or with all', async ({ queue }) => {
    const [one, two, three] = (await Promise.all(
      ['m1', 'm1', 'm2'].map((worker) => consume(queue, worker)),
    )) as [Consumer, Consumer, Consumer];
    const asked = async (): Promise<boolean[]> => [await one.greet(), await two.greet(), await three.greet()];
    expect(await asked()).toEqual([false, false, false]);
    expect([await queue.stop('m1'), await queue.stop('none')]).toEqual([2, 0]);
    expect(await asked()).toEqual([true, true, false]);
    await two.close();
    expect(await queue.stop()).toBe(2);
    expect(await three.greet()).toBe(true);
    await Promise.all([one.close(), three.close()]);
    expect(await queue.stop()).toBe(0);
    expect(await (await consume(queue, 'm1')).greet()).toBe(false);
  });
});

/**
 * Runs a queue like a service that is restarted after each death: a pull ends with the stage that died.
 * @param kills returns true for tasks that kill the stage that runs them
 */
async function runUntilEmpty(queue: Queue, kills: (uuid: string) => boolean): Promise<void> {
  for (let starts = 1; starts < 300; starts++) {
    const consumer = await queue.consume({ worker: 'w', lease: 30_000 });
    let isDead = false;
    while (!isDead && !(await consumer.isEmpty())) {
      const some = await consumer.take(20);
      isDead = some.some(({ uuid }) => kills(uuid));
      if (!isDead) await queue.settle(all('done', ...uuidsOf(some)));
      await consumer.returned();
    }
    await consumer.giveBack(() => isDead);
    await consumer.close();
    if (!isDead) return;
  }
  throw new Error('the queue does not become empty');
}

contract('of the tasks that were in flight when a worker died', (given) => {
  given('only the one that kills it is dead', async ({ queue }) => {
    await queue.push(numbered(50), { attempts: 3 });
    await runUntilEmpty(queue, (uuid) => uuid === 't31');
    expect(await deadOf(queue)).toEqual(['t31 LEASE']);
    expect((await queue.size()).finished).toBe(49);
  });

  given('each that kills it is found, and can be let in again', async ({ queue }) => {
    await queue.push(numbered(40), { attempts: 2 });
    await runUntilEmpty(queue, (uuid) => /^t(7|8|39)$/.test(uuid));
    expect((await deadOf(queue)).sort()).toEqual(['t39 LEASE', 't7 LEASE', 't8 LEASE']);
    expect(await queue.retry()).toBe(3);
    await runUntilEmpty(queue, () => false);
    expect(await queue.size()).toMatchObject({ dead: 0, finished: 40 });
  });

  given('all are delivered again while none is finished', async ({ queue }) => {
    await queue.push(numbered(20), { attempts: 3 });
    for (let start = 0; start < 4; start++) {
      const consumer = await consume(queue);
      await until(async () => (await consumer.take(50)).length > 0); // they may be delayed for a moment
      await consumer.giveBack(() => true);
      await consumer.close();
    }
    expect(await deadOf(queue)).toEqual([]);
    await runUntilEmpty(queue, () => false);
    expect((await queue.size()).finished).toBe(20);
  });

  given(
    'none runs with others, and nothing is taken beside them',
    async ({ queue }) => {
      await queue.push(numbered(8));
      const first = await consume(queue);
      expect(await first.take(8)).toHaveLength(8);
      await first.giveBack(() => true);
      await queue.push(tasks('later'), { front: true });
      const second = await consume(queue);
      expect(uuidsOf(await second.take(1))).toEqual(['later']);
      const group: string[] = [];
      await until(async () => {
        group.push(...uuidsOf(await second.take(50)));
        await queue.settle(all('done', 'later'));
        await second.returned();
        return group.length > 0;
      });
      expect(group).toHaveLength(2);
      await queue.push(tasks('other'), { front: true });
      expect(await second.take(50)).toEqual([]);
      await queue.settle(all('done', ...group));
      await second.returned();
      expect(await second.take(50)).not.toContainEqual(expect.objectContaining({ uuid: group[0] }));
    },
    'order',
  );
});
