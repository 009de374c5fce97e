/* The driver of the stage of a task-serve, with a store that answers when the test lets it. */
import { expect, test } from 'vitest';
import { Task } from '../../src/core/record/task.ts';
import type { Store } from '../../src/serve/store/task-store.ts';
import { Feeder } from '../../src/serve/work/feeder.ts';
import type { Stage } from '../../src/serve/work/stage.ts';

test('a stage that is started while the queue is read for the one before gets its tasks again', async () => {
  const waiting = [1, 2].map((seq) => ({ uuid: `t${seq}`, line: `{"uuid":"t${seq}"}`, seq }));
  const reads: (() => void)[] = [];
  const queries = {
    suspects: async () => new Map(),
    waiting: async (after: number) => {
      if (starts === 1 && after === 0 && hasReturned)
        await new Promise<void>((resolve) => reads.push(resolve));
      return waiting.filter(({ seq }) => seq > after);
    },
  };
  let starts = 0;
  let hasReturned = false;
  const stopping = new AbortController();
  const given: string[][] = [];
  const stage: Stage = async function* (tasks, hooks) {
    const input = tasks[Symbol.asyncIterator]();
    const start = ++starts;
    hooks?.control({ cancel: () => {}, replace: () => {} });
    const { value } = await input.next();
    given.push(value.map(({ uuid }: Task) => uuid));
    if (start === 2) return stopping.abort();
    const next = input.next(); // as a program that has room for more
    feeder.abandon('t1'); // such as a task that exceeded its time
    hasReturned = true;
    yield value.map(({ uuid }: Task) => new Task(uuid, `{"uuid":"${uuid}","state":"PENDING"}`));
    while (reads.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    setTimeout(() => {
      for (const answer of reads) answer(); // when the stage has ended
    }, 100);
    next.catch(() => {});
  };
  const feeder = new Feeder(
    { queries } as unknown as Store,
    {
      ...{ stage, stopping: stopping.signal, aborting: new AbortController().signal },
      ...{ isAdopting: false, window: 10, timeout: 60_000, grace: 1000, warn: () => {} },
    },
    { keep: async () => {}, began: () => {}, threw: () => {} },
  );
  feeder.start();
  await new Promise((resolve) => stopping.signal.addEventListener('abort', resolve));
  await feeder.stop();
  expect(given).toEqual([
    ['t1', 't2'],
    ['t1', 't2'],
  ]);
}, 10_000);
