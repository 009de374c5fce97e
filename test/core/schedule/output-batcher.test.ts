import { afterEach, expect, test, vi } from 'vitest';
import { Task } from '../../../src/core/record/task.ts';
import { OutputBatcher } from '../../../src/core/schedule/output-batcher.ts';

/** The end of a turn, and whatever it sets free. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
const put = (outlet: OutputBatcher, ...uuids: string[]): void => {
  for (const uuid of uuids) outlet.put(new Task(uuid, JSON.stringify({ uuid })));
};

/** Batches as they come: the uuids of each. */
function taken(outlet: OutputBatcher): string[][] {
  const batches: string[][] = [];
  void (async () => {
    for await (const batch of outlet) batches.push(batch.map(({ uuid }) => uuid));
  })();
  return batches;
}

// The clock stands still unless it is told to go on: how busy the machine is must not matter.
const clock = (): unknown => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
afterEach(() => void vi.useRealTimers());

test('a task goes on at once where none went before it, though more is under way', async () => {
  clock();
  const outlet = new OutputBatcher({ onRoom: () => {}, isBusy: () => true });
  const batches = taken(outlet);
  await turn();
  put(outlet, 'a', 'b');
  await turn();
  expect(batches).toEqual([['a', 'b']]);
});

/** An outlet that has let its first task out, and its batches. */
async function begun(isBusy: () => boolean): Promise<{ outlet: OutputBatcher; batches: string[][] }> {
  clock();
  const outlet = new OutputBatcher({ onRoom: () => {}, isBusy });
  const batches = taken(outlet);
  await turn();
  put(outlet, 'a');
  await turn();
  return { outlet, batches };
}

test('what comes right after a batch waits a moment for more, and no longer', async () => {
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
  put(outlet, 'd'); // as each of a slow trickle
  await turn();
  expect(batches.at(-1)).toEqual(['d']);
});

test('nothing waits for what is not under way', async () => {
  let isBusy = true;
  const { outlet, batches } = await begun(() => isBusy);
  put(outlet, 'b');
  await turn();
  isBusy = false;
  put(outlet, 'c');
  await turn();
  expect(batches).toEqual([['a'], ['b', 'c']]);
});

test('the end lets out at once what waits', async () => {
  const { outlet, batches } = await begun(() => true);
  put(outlet, 'b');
  outlet.end();
  await turn();
  expect(batches).toEqual([['a'], ['b']]);
});
