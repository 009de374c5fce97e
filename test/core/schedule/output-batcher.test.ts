import { afterEach, expect, test, vi } from 'vitest';
import { Task } from '../../../src/core/record/task.ts';
import { OutputBatcher } from '../../../src/core/schedule/output-batcher.ts';

/** Waits for the end of a turn and all that it triggers. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
const put = (outlet: OutputBatcher, ...uuids: string[]): void => {
  for (const uuid of uuids) outlet.put(new Task(uuid, JSON.stringify({ uuid })));
};

/** Collects the uuids of each batch as it arrives. */
function taken(outlet: OutputBatcher): string[][] {
  const batches: string[][] = [];
  void (async () => {
    for await (const batch of outlet) batches.push(batch.map(({ uuid }) => uuid));
  })();
  return batches;
}

// The clock moves only when the test advances it, so the load of the machine does not matter.
const clock = (): unknown => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
afterEach(() => void vi.useRealTimers());

test('the first tasks leave at once, even while others are in flight', async () => {
  clock();
  const outlet = new OutputBatcher({ onRoom: () => {}, isBusy: () => true });
  const batches = taken(outlet);
  await turn();
  put(outlet, 'a', 'b');
  await turn();
  expect(batches).toEqual([['a', 'b']]);
});

/** Makes a batcher that has emitted its first task, and its batches. */
async function begun(isBusy: () => boolean): Promise<{ outlet: OutputBatcher; batches: string[][] }> {
  clock();
  const outlet = new OutputBatcher({ onRoom: () => {}, isBusy });
  const batches = taken(outlet);
  await turn();
  put(outlet, 'a');
  await turn();
  return { outlet, batches };
}

test('a task right after a batch waits at most a moment for more', async () => {
  const { outlet, batches } = await begun(() => true);
  put(outlet, 'b');
  await turn();
  put(outlet, 'c');
  await turn();
  expect(batches).toEqual([['a']]);
  vi.advanceTimersByTime(4);
  await turn();
  expect(batches).toEqual([['a'], ['b', 'c']]);
  vi.advanceTimersByTime(4);
  put(outlet, 'd'); // like each task of a slow trickle
  await turn();
  expect(batches.at(-1)).toEqual(['d']);
});

test('tasks leave at once if nothing else is in flight', async () => {
  let isBusy = true;
  const { outlet, batches } = await begun(() => isBusy);
  put(outlet, 'b');
  await turn();
  isBusy = false;
  put(outlet, 'c');
  await turn();
  expect(batches).toEqual([['a'], ['b', 'c']]);
});

test('the end flushes waiting tasks at once', async () => {
  const { outlet, batches } = await begun(() => true);
  put(outlet, 'b');
  outlet.end();
  await turn();
  expect(batches).toEqual([['a'], ['b']]);
});
