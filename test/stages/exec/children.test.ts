import { expect, test } from 'vitest';
import { Task } from '../../../src/core/record/task.ts';
import { Children } from '../../../src/stages/exec/children.ts';

function taskOf(i: number): Task {
  const uuid = `${i.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
  return new Task(uuid, JSON.stringify({ uuid }));
}

/** More children than the set keeps in memory. */
const MANY = 700_000;

async function* batches(from: number, to: number): AsyncGenerator<readonly Task[]> {
  for (let i = from; i < to; i += 1000) yield Array.from({ length: 1000 }, (_, k) => taskOf(i + k));
}

test('a child seen before is skipped, however long ago, and a new one is kept', async () => {
  const counts = { added: 0, known: 0 };
  const children = new Children({}, counts);
  let taken = 0;
  const takeAll = async (from: number, to: number): Promise<void> => {
    for await (const tasks of children.toDo(batches(from, to))) taken += tasks.length;
  };
  const keep = (...numbers: number[]): Promise<readonly { task: Task }[]> =>
    children.keep(numbers.map((i) => ({ task: taskOf(i), front: false, again: false })));
  await takeAll(0, MANY);
  expect(taken).toBe(MANY);
  const fresh = await keep(0, 1, 350_000, MANY - 1, MANY, MANY + 1, MANY);
  expect(fresh.map(({ task }) => task.uuid)).toEqual([taskOf(MANY).uuid, taskOf(MANY + 1).uuid]);
  expect(counts).toEqual({ added: 2, known: 5 });
  await takeAll(MANY, MANY + 2000);
  expect(taken).toBe(MANY + 1998);
  expect(await keep(MANY + 1, MANY + 1999)).toEqual([]);
});
