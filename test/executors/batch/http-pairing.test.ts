import { describe, expect, test } from 'vitest';
import { parsed } from '../../pipes/pipeline.ts';
import { serve } from '../../support/http-server.ts';
import { sh } from '../../support/run.ts';

interface Item {
  readonly uuid: string;
  readonly n: number;
}

/** Functions that answer a batch of five items, by name. */
type Answers = Readonly<Record<string, (items: readonly Item[]) => unknown>>;

/**
 * Runs five tasks for each answer, as one batch.
 * @returns by name, the ends of its tasks: `n` of their results, or an error
 */
async function endsOf(answers: Answers): Promise<Readonly<Record<string, readonly unknown[]>>> {
  const all = Object.entries(answers);
  const { url } = await serve((response, { url: path, body }) => {
    const [, answer] = all[Number(path.slice(1))] as (typeof all)[number];
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(answer(JSON.parse(body))));
  });
  const input = all.flatMap((_, c) =>
    [0, 1, 2, 3, 4].map((n) => `{"uuid":"case-${c}-${n}","n":${n},"url":"${url}/${c}"}\n`),
  );
  const { stdout } = await sh('task-exec --http --batch 5', { input: input.join('') });
  const rows = parsed(stdout).sort((a, b) => Number(a.n) - Number(b.n));
  const own = (c: number): typeof rows => rows.filter(({ uuid }) => String(uuid).startsWith(`case-${c}-`));
  const endOf = ({ result, run }: (typeof rows)[number]): unknown =>
    Object(result).json?.n ?? Object(run).error;
  return Object.fromEntries(all.map(([name], c) => [name, own(c).map(endOf)]));
}

const nothing = { code: 'BATCH', message: 'the answer has nothing for this task of its batch' };

describe('--http --batch', () => {
  test('pairs items with tasks by what they show, in any order', async () => {
    const ends = await endsOf({
      'indexes as text': (items) => items.map(({ n }, i) => ({ index: String(i), n })).reverse(),
      'an index that is not a number': (items) => items.map(({ n }) => ({ index: { _id: 'x' }, n })),
      'an error at its place': (items) => items.map(({ n }, i) => (i === 2 ? { n } : { index: i, n })),
      'uuids in upper case': (items) =>
        items.map(({ uuid, n }) => ({ uuid: uuid.toUpperCase(), n })).reverse(),
      'an object in upper case': (items) => Object.fromEntries(items.map((i) => [i.uuid.toUpperCase(), i])),
      'its own uuids, with indexes': (items) =>
        items.map(({ n }, index) => ({ uuid: `new ${n}`, index, n })).reverse(),
      'uuids as id': (items) => items.map(({ uuid, n }) => ({ id: uuid, n })).reverse(),
      'its own ids, one like a uuid': (items) =>
        items.map(({ n }) => ({ id: n === 1 ? items[0]?.uuid : `id ${n}`, n })),
      'ids as numbers': (items) => items.map(({ n }) => ({ id: 100 - n, n })),
      'the same item twice': (items) => [items[1], ...items],
    });
    for (const [name, n] of Object.entries(ends)) expect([name, n]).toEqual([name, [0, 1, 2, 3, 4]]);
  });

  test('does not guess the task of an item without an index if others moved', async () => {
    const ends = await endsOf({
      moved: (items) => items.map(({ n }, i) => (i === 1 ? { n } : { index: i, n })).reverse(),
    });
    expect(ends.moved).toEqual([0, nothing, 2, 3, 4]);
  });

  // A task got the result of another one, as a SUCCESS.
  test('refuses an answer whose items show other indexes or uuids', async () => {
    const ends = await endsOf({
      'item 1 has the index 5, and indexes count from 0 to 4': (items) =>
        items.map(({ n }, i) => ({ index: i + 1, n })).reverse(),
      'items 1 and 2 both have the index 3': (items) =>
        items.map(({ n }, i) => ({ index: Math.min(i, 3), n })).reverse(),
      'item 1 has the index 100, and indexes count from 0 to 4': (items) =>
        items.map(({ n }) => ({ index: 100 - n, n })),
      'item 2 has the index 0.5, and indexes count from 0 to 4': (items) =>
        items.map(({ n }) => ({ index: n / 2, n })),
      'item 1 has the index "04", and indexes count from 0 to 4': (items) =>
        items.map(({ n }, i) => ({ index: `0${i}`, n })).reverse(),
      'item 1 has the uuid "new 4", which no task of the batch has': (items) =>
        items.map(({ n }) => ({ uuid: `new ${n}`, n })).reverse(),
      'items 2 and 6 have the same uuid and differ': (items) => [...items, { ...items[1], n: 100 }],
      'it has 2 values for one uuid': (items) => ({
        ...Object.fromEntries(items.map(({ uuid, n }) => [uuid, n])),
        [String(items[1]?.uuid.toUpperCase())]: 100,
      }),
    });
    for (const [why, errors] of Object.entries(ends)) {
      const error = { code: 'BATCH', message: expect.stringContaining(`; ${why} (--batch-answer`) };
      expect(errors).toEqual(new Array(5).fill(error));
    }
  });
});
