/* Promises of every engine about its state, about dead tasks, and about rates that machines share. */
import { expect } from 'vitest';
import type { QuotaCharge } from '../../../src/queues/index.ts';
import { all, bury, consume, contract, deadOf, drain, numbered, tasks, uuidsOf } from './engines.ts';

contract('look', (given) => {
  given(
    'size tells the tasks by state, and the workers',
    async ({ queue }) => {
      await bury(queue, 'dead');
      await queue.push(tasks('a', 'b', 'c', 'd'));
      await queue.push(tasks('low'), { priority: 3 });
      await queue.push(tasks('later'), { delay: 60_000 });
      await queue.settle(all('done', 'd'));
      const [one, two] = [await consume(queue, 'm1'), await consume(queue, 'm2')];
      await one.take(2);
      await Promise.all([one.greet(), two.greet()]);
      const { workers, ...size } = await queue.size();
      expect(size).toEqual({ waiting: 2, delayed: 1, active: 2, dead: 1, finished: 1, paused: false });
      const states = workers.map(({ worker, out }) => `${worker} ${out}`).sort();
      expect(states).toEqual(['m1 2', 'm2 0']);
    },
    'order',
  );

  given('causes count dead tasks by code, the most frequent first', async ({ queue }) => {
    await queue.push(tasks('a', 'b', 'c'), { attempts: 1 });
    await (await consume(queue)).take(3);
    const codes = { a: 'TIMEOUT', b: 'HTTP_STATUS', c: 'TIMEOUT' };
    await queue.settle(
      Object.entries(codes).map(([uuid, code]) => ({ uuid, kind: 'failed', error: { code, message: '' } })),
    );
    expect(Object.entries(await queue.causes())).toEqual([
      ['TIMEOUT', 2],
      ['HTTP_STATUS', 1],
    ]);
  });

  given(
    'latency is that of the next task, 0 without one',
    async ({ queue }) => {
      expect(await queue.latency()).toBe(0);
      await queue.push(tasks('a'), { delay: 60_000 });
      expect(await queue.latency()).toBe(0);
      await queue.push(tasks('b'));
      while ((await queue.latency()) === 0);
      await drain(queue);
      expect(await queue.latency()).toBe(0);
    },
    'order',
  );

  given('dead lists thousands of tasks once each', async ({ queue }) => {
    const uuids = uuidsOf(numbered(2500));
    await queue.push(numbered(2500), { attempts: 1 });
    const consumer = await consume(queue);
    await consumer.take(2500);
    await queue.settle(all('failed', ...uuids));
    const dead = await deadOf(queue);
    expect(dead.sort()).toEqual(uuids.map((uuid) => `${uuid} UNKNOWN`).sort());
    expect(await queue.retry()).toBe(2500);
    expect(await queue.size()).toMatchObject({ waiting: 2500, dead: 0 });
  });
});

contract('change', (given) => {
  given('retry lets dead tasks in with all attempts, some or all', async ({ queue }) => {
    await bury(queue, 'a', 'b', 'c');
    await queue.push(tasks('waiting'));
    expect(await queue.retryThese(['b', 'waiting', 'none'])).toEqual(['b']);
    expect(await queue.size()).toMatchObject({ waiting: 2, dead: 2 });
    expect(await queue.retry()).toBe(2);
    expect(await queue.retry()).toBe(0);
    expect((await drain(queue)).slice(0, 2)).toEqual(['waiting', 'b']);
    await queue.push(tasks('d'), { attempts: 2 });
    const consumer = await consume(queue);
    for (const round of [1, 2]) {
      for (const outcome of ['again', 'dead'] as const) {
        expect(uuidsOf(await consumer.take(1)), `round ${round}`).toEqual(['d']);
        expect((await queue.settle(all('failed', 'd')))[outcome]).toBe(1);
        await consumer.returned();
      }
      expect(await queue.retryThese(['d'])).toEqual(['d']);
    }
  });

  given(
    'remove takes out tasks that no worker has',
    async ({ queue }) => {
      await bury(queue, 'dead');
      await queue.push(tasks('active', 'waiting'));
      await queue.push(tasks('low'), { priority: 1 });
      await queue.push(tasks('later'), { delay: 60_000 });
      await (await consume(queue)).take(1);
      const uuids = ['waiting', 'none', 'active', 'dead', 'later', 'low'];
      expect(await queue.remove(uuids)).toEqual(['waiting', 'dead', 'later', 'low']);
      expect(await queue.size()).toMatchObject({ waiting: 0, delayed: 0, active: 1, dead: 0, finished: 0 });
      expect(await queue.push(tasks(...uuids))).toMatchObject({ added: 5, seen: 1 });
    },
    'order',
  );

  given(
    'remove also forgets that a task was to run again',
    async ({ queue }) => {
      await queue.push(tasks('a'));
      await queue.push(tasks('a'), { repeat: true });
      expect(await queue.remove(['a'])).toEqual(['a']);
      expect(await queue.size()).toMatchObject({ waiting: 0, delayed: 0 });
    },
    'repeat',
  );

  given(
    'clear removes all tasks, and knows what was finished',
    async ({ queue }) => {
      await queue.push(tasks('finished'));
      await drain(queue);
      await bury(queue, 'dead');
      await queue.push(tasks('active', 'waiting'));
      await queue.push(tasks('later'), { delay: 60_000 });
      const consumer = await consume(queue);
      await consumer.take(1);
      await queue.push(tasks('active'), { repeat: true });
      await queue.clear();
      const { workers: _, ...size } = await queue.size();
      expect(size).toEqual({ waiting: 0, delayed: 0, active: 0, dead: 0, finished: 1, paused: false });
      await consumer.renew();
      expect(consumer.out.size).toBe(0);
      expect(await queue.push(tasks('active', 'waiting', 'finished'))).toEqual({
        added: 2,
        seen: 0,
        done: 1,
      });
      await queue.pause();
      await queue.clear();
      expect(await queue.isPaused()).toBe(true);
    },
    'order',
  );
});

/** A window much longer than a test, in milliseconds. */
const LONG = 3_600_000;

contract('rates', (given) => {
  given(
    'turns of a lane are in turn for all clients',
    async ({ queues, another, name }) => {
      const clients = [queues, await another(), queues, await another()];
      const waits: number[] = [];
      for (const client of clients) waits.push(await client.turn(name, { count: 1, per: LONG }));
      expect(waits.map((wait) => Math.round(wait / LONG))).toEqual([0, 1, 2, 3]);
      expect(await queues.turn(`${name} other`, { count: 1, per: LONG })).toBe(0);
      const many = await Promise.all(
        clients.map((client) => client.turn(`${name} many`, { count: 2, per: LONG })),
      );
      expect(many.map((wait) => Math.round((wait / LONG) * 2)).sort()).toEqual([0, 1, 2, 3]);
    },
    'rates',
  );

  given(
    'a quota holds for all clients together, and takes corrections',
    async ({ queues, another, name }) => {
      const other = await another();
      const of = (cost: number): QuotaCharge => ({ name: 'tokens', rate: { count: 10, per: LONG }, cost });
      const first = await queues.charge(name, 'one', [of(6)]);
      expect([first.wait, first.places.length]).toEqual([0, 1]);
      const second = await other.charge(name, 'two', [of(6)]);
      expect([second.wait > LONG / 2, second.places]).toEqual([true, []]);
      const [place] = first.places as [string];
      const { cost: _, ...quota } = of(0);
      await queues.correct(name, [{ ...quota, place, difference: -3 }]);
      expect((await other.charge(name, 'two', [of(6)])).wait).toBe(0);
      expect((await queues.charge(name, 'one', [of(2)])).wait).toBeGreaterThan(0);
      expect((await queues.charge(`${name} other`, 'one', [of(2)])).wait).toBe(0);
    },
    'rates',
  );

  given(
    'an attempt is charged to all quotas or to none',
    async ({ queues, name }) => {
      const of = (quota: string, count: number): QuotaCharge => ({
        name: quota,
        rate: { count, per: LONG },
        cost: 1,
      });
      expect((await queues.charge(name, 'a', [of('few', 1), of('many', 2)])).wait).toBe(0);
      expect((await queues.charge(name, 'a', [of('few', 1), of('many', 2)])).wait).toBeGreaterThan(0);
      expect((await queues.charge(name, 'a', [of('many', 2)])).wait).toBe(0);
    },
    'rates',
  );

  given(
    'who waits longest is served first',
    async ({ queues, name }) => {
      const of = (cost: number): QuotaCharge => ({ name: 'tokens', rate: { count: 10, per: LONG }, cost });
      await queues.charge(name, 'a', [of(5)]);
      expect((await queues.charge(name, 'large', [of(9)])).wait).toBeGreaterThan(0);
      expect((await queues.charge(name, 'small', [of(1)])).wait).toBeGreaterThan(0);
    },
    'rates',
  );

  given(
    'a cost above the limit is charged to later windows',
    async ({ queues, name }) => {
      const of = (cost: number): QuotaCharge => ({ name: 'tokens', rate: { count: 10, per: LONG }, cost });
      expect((await queues.charge(name, 'a', [of(25)])).wait).toBe(0);
      const { wait } = await queues.charge(name, 'a', [of(1)]);
      expect(wait).toBeGreaterThan(LONG * 1.5);
    },
    'rates',
  );
});
