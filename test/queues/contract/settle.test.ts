/* Promises of every engine about settling tasks, in this process or another one. */
import { expect } from 'vitest';
import { TaskpipeError } from '../../../src/core/base/errors.ts';
import { openLedger } from '../../../src/ledgers/index.ts';
import { ledgerOf } from '../../../src/queues/index.ts';
import { until } from '../../support/until.ts';
import { all, bury, consume, contract, deadOf, drain, numbered, tasks, uuidsOf } from './engines.ts';

contract('settle', (given) => {
  given('by another process tells the worker', async ({ queue, another }) => {
    await queue.push(tasks('a', 'b', 'c'));
    const consumer = await consume(queue);
    await consumer.take(3);
    const other = (await another()).all[0] as typeof queue;
    const counts = await other.settle([...all('done', 'a'), ...all('failed', 'b')], { worker: 'w' });
    expect(counts).toMatchObject({ done: 1, again: 1, gone: 0 });
    const { uuids, isEnd } = await consumer.returned();
    expect([[...uuids].sort(), isEnd, [...consumer.out]]).toEqual([['a', 'b'], false, ['c']]);
    expect((await consumer.returned()).uuids).toEqual([]);
  });

  given('twice is harmless', async ({ queue }) => {
    await queue.push(tasks('a', 'b'));
    const consumer = await consume(queue);
    await consumer.take(2);
    const verdicts = [...all('done', 'a'), ...all('failed', 'b')];
    expect(await queue.settle(verdicts)).toMatchObject({ done: 1, again: 1, gone: 0 });
    expect(await queue.settle(verdicts)).toMatchObject({ done: 0, again: 0, gone: 2 });
    expect(await queue.size()).toMatchObject({ waiting: 1, active: 0, finished: 1, dead: 0 });
  });

  given('of a uuid that comes twice counts it once', async ({ queue }) => {
    await queue.push(tasks('a'));
    await (await consume(queue)).take(1);
    expect(await queue.settle(all('done', 'a', 'a'))).toMatchObject({ done: 1, gone: 1 });
    expect((await queue.size()).finished).toBe(1);
  });

  given('tells the worker when no more verdicts come', async ({ queue, another }) => {
    const other = (await another()).all[0] as typeof queue;
    const consumer = await consume(queue, 'w');
    expect(await consumer.isHeardOf()).toBe(false);
    await other.keepSettling('someone else');
    expect(await consumer.isHeardOf()).toBe(false);
    await other.keepSettling('w');
    await until(() => consumer.isHeardOf());
    await other.endSettling('w');
    await until(async () => (await consumer.returned()).isEnd);
    expect((await consumer.returned()).isEnd).toBe(false);
  });

  given('failed delivers again, and after the attempts the task is dead', async ({ queue }) => {
    await queue.push(tasks('a'), { attempts: 3 });
    const consumer = await consume(queue);
    const error = { code: 'HTTP_STATUS', message: '500 "ä"\n\0' };
    for (const outcome of ['again', 'again', 'dead'] as const) {
      expect(uuidsOf(await consumer.take(1))).toEqual(['a']);
      const counts = await queue.settle([{ uuid: 'a', kind: 'failed', error }], { worker: 'w' });
      expect(counts[outcome]).toBe(1);
      await consumer.returned();
    }
    expect(await consumer.take(1)).toEqual([]);
    for await (const [dead] of queue.dead()) {
      expect(dead).toMatchObject({ deliveries: 3, error: { code: 'HTTP_STATUS' }, task: { uuid: 'a' } });
      expect(dead?.error.message).toMatch(/^500 "ä"\n[\0\ufffd]$/);
      expect(dead?.at).toBeGreaterThan(Date.UTC(2026));
    }
    expect(await queue.size()).toMatchObject({ waiting: 0, active: 0, dead: 1 });
  });

  given('failed for the last time makes a task dead at once', async ({ queue }) => {
    await queue.push(tasks('a'));
    await (await consume(queue)).take(1);
    const error = { code: 'COLUMNS', message: 'no such column' };
    expect((await queue.settle([{ uuid: 'a', kind: 'failed', isFinal: true, error }])).dead).toBe(1);
    expect(await deadOf(queue)).toEqual(['a COLUMNS']);
  });

  given('back does not count as an attempt', async ({ queue }) => {
    await queue.push(tasks('a'), { attempts: 2 });
    const consumer = await consume(queue);
    for (let i = 0; i < 5; i++) {
      expect(uuidsOf(await consumer.take(1))).toEqual(['a']);
      expect((await queue.settle(all('back', 'a'))).back).toBe(1);
      await consumer.returned();
    }
    await consumer.take(1);
    expect(await queue.settle(all('failed', 'a'))).toMatchObject({ again: 1, dead: 0 });
  });

  given('of a late failure does not take a task from another worker', async ({ queue, another }) => {
    const late = (await another()).all[0] as typeof queue;
    await queue.push(tasks('a'));
    const one = await consume(queue, 'one');
    await one.take(1);
    expect(await one.giveBack()).toBe(1);
    const two = await consume(queue, 'two');
    await two.take(1);
    expect(await late.settle(all('failed', 'a'), { worker: 'one' })).toMatchObject({ gone: 1, again: 0 });
    expect(await late.settle(all('back', 'a'), { worker: 'one' })).toMatchObject({ gone: 1, back: 0 });
    expect(await late.settle(all('done', 'a'), { worker: 'one' })).toMatchObject({ gone: 0, done: 1 });
    const settled: string[] = [];
    await until(async () => {
      settled.push(...(await two.returned()).uuids);
      return settled.length > 0;
    });
    expect(settled).toEqual(['a']);
  });

  given('without a known worker takes failures of all', async ({ queue }) => {
    await queue.push(tasks('a'));
    await (await consume(queue, 'one')).take(1);
    expect((await queue.settle(all('failed', 'a'), { worker: 'none' })).again).toBe(1);
  });

  given(
    'finishes a task that waits, is delayed or dead',
    async ({ queue }) => {
      await bury(queue, 'dead');
      await queue.push(tasks('waiting'));
      await queue.push(tasks('delayed'), { delay: 60_000 });
      expect((await queue.settle(all('done', 'waiting', 'delayed', 'dead'))).done).toBe(3);
      expect(await queue.size()).toMatchObject({ waiting: 0, delayed: 0, dead: 0, finished: 3 });
      expect(await queue.settle(all('failed', 'waiting'))).toMatchObject({ gone: 1 });
    },
    'order',
  );

  given('marks unknown tasks as finished, unless only known ones may be settled', async ({ queue }) => {
    await queue.push(tasks('a'));
    await (await consume(queue)).take(1);
    const verdicts = [...all('done', 'a', 'x'), ...all('failed', 'y')];
    const counts = await queue.settle(verdicts, { onlyKnown: true });
    expect(counts).toMatchObject({ done: 1, unknown: 2, gone: 0 });
    expect([...counts.strangers].sort()).toEqual(['x', 'y']);
    expect((await queue.size()).finished).toBe(1);
    expect(await queue.settle(all('done', 'a'), { onlyKnown: true })).toMatchObject({ unknown: 0, gone: 1 });
    expect(await queue.settle(all('done', 'x'))).toMatchObject({ unknown: 0, gone: 1 });
    expect(await queue.push(tasks('x'))).toMatchObject({ done: 1 });
  });

  given('claims tell who has a task', async ({ queue }) => {
    await bury(queue, 'dead');
    await queue.push(tasks('active', 'waiting'));
    await (await consume(queue, 'w')).take(1);
    await queue.settle(all('done', 'finished'));
    const uuids = ['finished', 'active', 'none', 'waiting', 'dead'];
    expect(await queue.claims(uuids, 'w')).toEqual([1, 3, 0, 2, 2]);
    expect(await queue.claims(uuids, 'other')).toEqual([1, 2, 0, 2, 2]);
    expect(await queue.claims(uuids, undefined)).toEqual([1, 3, 0, 2, 2]);
    expect(await queue.claims([], 'w')).toEqual([]);
  });

  given('a thousand verdicts in one call', async ({ queue }) => {
    await queue.push(numbered(1000), { attempts: 2 });
    const consumer = await consume(queue);
    const uuids = uuidsOf(await consumer.take(1000));
    const kinds = ['done', 'failed', 'back'] as const;
    const verdicts = uuids.map((uuid, i) => ({ uuid, kind: kinds[i % 3] as 'done' }));
    expect(await queue.settle(verdicts)).toMatchObject({ done: 334, again: 333, back: 333, gone: 0 });
    expect((await consumer.returned()).uuids.length).toBe(1000);
    expect(await queue.size()).toMatchObject({ waiting: 666, active: 0, finished: 334 });
  });
});

contract('the ledger of a queue', (given) => {
  given(
    'has what the queue has finished, and the queue knows what it marks',
    async ({ queue, name, url }) => {
      const place = ledgerOf(url, name);
      if (place === undefined) throw new TaskpipeError('USAGE', 'the queue is not a ledger');
      const ledger = openLedger(place, () => {});
      await queue.push(tasks('a', 'b'));
      await queue.settle(all('done', 'a'));
      const finished = await ledger.finished();
      expect([finished.has('a'), finished.has('b')]).toEqual([true, false]);
      const writer = await ledger.open();
      await writer.append([{ uuid: 'b' }, { uuid: 'a', undone: true }], true);
      await writer.close();
      expect(await drain(queue)).toEqual([]); // `b` is waiting, and not delivered any more
      expect(await queue.push(tasks('a', 'b'))).toEqual({ added: 1, seen: 0, done: 1 });
      expect(await queue.size()).toMatchObject({ waiting: 1, finished: 1 });
    },
    'ledger',
  );
});
