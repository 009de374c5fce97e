/* load() of rows in memory: each row becomes the same task as a line of NDJSON with its JSON. */
import { expect, test } from 'vitest';
import { attribute, type LoadOptions, load, type RowSource, type Task } from '../../src/index.ts';

async function tasksOf(
  rows: RowSource | readonly string[],
  options: LoadOptions = {},
): Promise<readonly Task[]> {
  const tasks: Task[] = [];
  for await (const batch of load(rows, options)) tasks.push(...batch);
  return tasks;
}

/** Returns the tasks of the same rows as a file of NDJSON. */
function fromNdjson(rows: readonly object[], options: LoadOptions): Promise<readonly Task[]> {
  const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  const stdin = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from(text);
  };
  return tasksOf(['-'], { ...options, format: 'ndjson', stdin });
}

const ROWS = [
  { url: 'http://h/1', n: 1, deep: { a: [1, null] } },
  { url: 'http://h/2', n: 2.5, when: new Date(0), gone: undefined },
  { uuid: 'mine', url: 'http://h/3', text: 'é"\n' },
];

test.each<LoadOptions>([
  {},
  { uuidFields: ['url'] },
  { select: ['n'], rename: new Map([['n', 'number']]), limit: 2 },
  { shard: { index: 1, of: 2 } },
])('rows in memory give the same tasks as lines of a file, with %j', async (options) => {
  const lines = (tasks: readonly Task[]): string[] => tasks.map(({ line }) => line);
  const wanted = lines(await fromNdjson(ROWS, options));
  expect(wanted.length).toBeGreaterThan(0);
  expect(lines(await tasksOf(ROWS, options))).toEqual(wanted);
  expect(lines(await tasksOf(new Set(ROWS), options))).toEqual(wanted);
  const slow = async function* (): AsyncGenerator<object> {
    yield* ROWS;
  };
  expect(lines(await tasksOf(slow(), options))).toEqual(wanted);
});

test('an asynchronous source is read row by row, without reading ahead', async () => {
  let given = 0;
  const rows = async function* (): AsyncGenerator<object> {
    for (;;) yield { n: ++given };
  };
  for await (const [task] of load(rows())) {
    expect(attribute((task as Task).fields, 'n')).toBe(given);
    if (given === 3) break;
  }
  expect(given).toBe(3);
});

test('many rows are emitted in batches, and none is lost', async () => {
  let most = 0;
  let count = 0;
  const rows = Array.from({ length: 20_000 }, (_, n) => ({ n }));
  for await (const batch of load(rows)) {
    most = Math.max(most, batch.length);
    count += batch.length;
  }
  expect(count).toBe(20_000);
  expect(most).toBeLessThan(20_000);
});

const cycle: Record<string, unknown> = {};
cycle.self = cycle;

test.each([
  ['a number', 7, 'expected'],
  ['null', null, 'null'],
  ['an array', [1], 'array'],
  ['undefined', undefined, 'JSON'],
  ['a BigInt inside', { n: 1n }, 'BigInt'],
  ['a cycle', cycle, 'circular'],
])('%s as a row is rejected with its number, or ends the load', async (_, row, words) => {
  const rows = [{ n: 1 }, row as object, { n: 2 }];
  const bad: string[] = [];
  const tasks = await tasksOf(rows, {
    reject: ({ source, line, message }) => void bad.push(`${source}:${line}: ${message}`),
  });
  expect(tasks).toHaveLength(2);
  expect(bad).toEqual([expect.stringMatching(/^rows:2: /)]);
  expect(bad[0]).toContain(words);
  await expect(tasksOf(rows)).rejects.toMatchObject({
    code: 'DATA',
    message: expect.stringMatching(/^rows:2: /),
  });
});

test('a signal ends the load after the rows read so far', async () => {
  const stop = new AbortController();
  const seen: number[] = [];
  const rows = async function* (): AsyncGenerator<object> {
    for (let n = 1; ; n++) yield { n };
  };
  for await (const batch of load(rows(), { signal: stop.signal })) {
    seen.push(batch.length);
    if (seen.length === 2) stop.abort();
  }
  expect(seen).toEqual([1, 1]);
});
