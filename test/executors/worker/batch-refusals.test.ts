import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parsed } from '../../pipes/pipeline.ts';
import { freshFolder, sh } from '../../support/run.ts';

const records = (count: number): string =>
  Array.from({ length: count }, (_, i) => `{"uuid":"u${i}","n":${i}}\n`).join('');

/**
 * Runs one worker, which writes what `answer` returns for the tasks of a batch, in JavaScript. Its timeout is an hour.
 * Returns the rows by their `n`, the results, and the errors as code and message.
 */
async function run(answer: string, options: string, count = 6) {
  const cwd = freshFolder();
  const code = `import { createInterface } from 'node:readline';
const answer = ${answer};
let tasks = [];
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== '') tasks.push(...(JSON.parse(line).batch ?? [JSON.parse(line)]));
  if (line !== '' && ${options.includes('--batch-lines')}) continue;
  process.stdout.write(answer(tasks));
  tasks = [];
}`;
  writeFileSync(join(cwd, 'w.mjs'), code);
  const ended = await sh(`task-exec --worker 'node w.mjs' -j 1 ${options}`, { cwd, input: records(count) });
  const rows = parsed(ended.stdout).sort((a, b) => Number(a.n) - Number(b.n));
  const errors = rows
    .map(({ run }) => Object(run).error)
    .map((error) => error && [error.code, error.message]);
  return { ...ended, results: rows.map(({ result }) => result), errors };
}

const answered = "(JSON.stringify({ batch: tasks.map(({ uuid, n }) => ({ uuid, result: n })) }) + '\\n')";

// Each of these waited for --timeout, by default an hour, then for all retries and halves.
describe('an invalid answer of --worker --batch', () => {
  test('fails the task of its item, if the others can be read', async () => {
    for (const bad of ['NaN', '"\u0001"', '[Infinity, -1]']) {
      const made = `(tasks) => ${answered}.replace('"result":1', '"result":' + ${JSON.stringify(bad)})`;
      const { errors, results, stderr } = await run(made, '--batch 3');
      expect(results).toEqual([0, undefined, 2, 3, 4, 5]);
      expect(errors[1]).toEqual(['ANSWER', expect.stringContaining('wrote an invalid answer: not JSON')]);
      expect(stderr).toContain('5 done, 1 failed (ANSWER 1)');
    }
  });

  test('fails a batch whose items are not told apart', async () => {
    for (const [line, why] of [
      ['\'{"batch":{"u0":1}}\'', 'its "batch" is not an array'],
      ['\'{"batch":null}\'', 'its "batch" is not an array'],
      ['\'{"batch":[{"uuid":"\' + tasks[0].uuid + \'"]}]}\'', 'not JSON'],
    ]) {
      const { errors, stderr } = await run(`(tasks) => ${line} + '\\n'`, '--batch 3');
      expect(errors[5]).toEqual(['ANSWER', expect.stringContaining(`wrote an invalid answer: ${why}`)]);
      expect(errors[5]?.[1]).toContain('{"batch":[answer,…]}');
      expect(stderr).toContain('6 failed (ANSWER 6)');
    }
  });

  test('names the form if a worker answers each task', async () => {
    for (const line of ['{ uuid, result: n }', '{ uuid, error: n }', '{ uuid: null, result: n }']) {
      const made = `(tasks) => tasks.map(({ uuid, n }) => JSON.stringify(${line}) + '\\n').join('')`;
      const { errors, stderr } = await run(made, '--batch 3');
      expect(errors[0]).toEqual(['ANSWER', expect.stringContaining('it is for a single task')]);
      expect(errors[5]?.[1]).toContain('a batch with one line {"batch":[answer,…]}, or use --batch-lines');
      expect(stderr).toContain('6 failed (ANSWER 6)');
    }
  });

  test('fails a batch of lines that are not UTF-8, and not a log of the worker', async () => {
    const bad = "Buffer.from('7b22726573756c74223a22ff227d0a', 'hex')";
    const lines = `(tasks) => Buffer.concat(tasks.map(({ n }) => n === 4 ? ${bad} : Buffer.from('{"result":' + n + '}\\n')).concat(Buffer.from('\\n')))`;
    const { errors, results } = await run(lines, '--batch 3 --batch-lines');
    expect(results).toEqual([0, 1, 2, 3, undefined, 5]);
    expect(errors[4]).toEqual(['ANSWER', expect.stringContaining('not valid UTF-8')]);
    const logs = `(tasks) => 'log\\n{"level":"info"}\\n' + ${answered}`;
    expect((await run(logs, '--batch 3')).stderr).toContain('6 done');
  });
});

describe('an answer of --worker --batch for other tasks', () => {
  // The second answer counted for the next batch, whose tasks failed.
  test.each(['', '--batch-lines'])(
    'is ignored if the worker answered that batch before %s',
    async (lines) => {
      const all = 'tasks.map(({ uuid, n }) => JSON.stringify({ uuid, result: n }))';
      const one = lines === '' ? `'{"batch":[' + ${all} + ']}\\n'` : `${all}.join('\\n') + '\\n\\n'`;
      const again = `(tasks) => { const last = globalThis.last ?? ''; globalThis.last = ${one}; return last + globalThis.last; }`;
      const { results, stderr } = await run(again, `--batch 3 ${lines}`, 12);
      expect(results).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
      expect(stderr.match(/answered for a batch that it does not have, or twice/g)).toHaveLength(3);
      expect(stderr).toContain('12 done');
    },
  );

  test('fails the batch at once if its uuids are of no batch that the worker had', async () => {
    const foreign = answered.replace('({ uuid, result', "({ uuid: 'x' + uuid, result");
    const { errors, stderr } = await run(`(tasks) => ${foreign}`, '--batch 3');
    expect(errors[4]).toEqual(['ANSWER', expect.stringContaining('no task of the batch has the uuid "xu')]);
    expect(stderr).toContain('6 failed (ANSWER 6)');
  });

  test('is paired by uuids in other case, and by nothing else if others moved', async () => {
    const upper = answered.replace('({ uuid, result', '({ uuid: uuid.toUpperCase(), result');
    const { results } = await run(`(tasks) => (tasks.reverse(), ${upper})`, '--batch 3');
    expect(results).toEqual([0, 1, 2, 3, 4, 5]);
    const lacking = answered.replace('({ uuid, result', '({ uuid: n === 2 ? undefined : uuid, result');
    const moved = await run(`(tasks) => (tasks.push(tasks.shift()), ${lacking})`, '--batch 4', 4);
    expect(moved.results).toEqual([0, 1, undefined, 3]);
    expect(moved.errors[2]).toEqual(['ANSWER', expect.stringContaining('without this task')]);
  });

  test('fails a task for which it has two different items', async () => {
    const twice = answered.replace('tasks.map', '[...tasks, { ...tasks[1], n: 9 }].map');
    const { results, errors } = await run(`(tasks) => ${twice}`, '--batch 4', 4);
    expect(results).toEqual([0, undefined, 2, 3]);
    expect(errors[1]).toEqual(['ANSWER', expect.stringContaining('answered a batch with 2 different items')]);
  });
});
