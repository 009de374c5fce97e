import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Task } from '../../../src/core/record/task.ts';
import { rawMember } from '../../../src/core/record/template.ts';
import { RETRY_ON, toRetryOn } from '../../../src/executors/program/retry-on.ts';
import type { BatchAnswer } from '../../../src/executors/worker/assignment.ts';
import { BatchReader, ECHO, outcomesOf } from '../../../src/executors/worker/batch-form.ts';
import { outcomeOf } from '../../../src/executors/worker/worker-answer.ts';

const retryOn = toRetryOn(RETRY_ON);
const tasks = ['a', 'b', 'c"\\é'].map((uuid) => new Task(uuid, JSON.stringify({ uuid, n: 1 })));
const keys = fc.constantFrom('uuid', 'result', 'error', 'x', 'r\\u0065sult', 'batch');
const values = fc.oneof(
  fc.constantFrom(
    '"a"',
    '"b"',
    '"result"',
    '"uuid"',
    '{"result":1}',
    '[ "uuid", {"batch":[2]} ]',
    '1.50',
    'null',
  ),
  fc.json().map((text) => text.replaceAll('\n', ' ')),
);
const spaces = fc.constantFrom('', ' ', '  ');
const records = fc
  .tuple(
    fc.array(fc.tuple(keys, values, spaces, spaces), { maxLength: 4 }),
    fc.constantFrom(...tasks, undefined),
  )
  .map(([members, task]) => {
    const own = task === undefined ? [] : [`"uuid":${JSON.stringify(task.uuid)}`];
    const others = members.map(([key, value, before, after]) => `"${key}":${before}${value}${after}`);
    return `{${[...own, ...others].join(', ')}}`;
  });
const items = fc.oneof(records, values);

test('an item of an answer for a batch is the same read by text and by search', () => {
  fc.assert(
    fc.property(fc.array(items, { maxLength: 4 }), spaces, fc.option(items), (made, space, more) => {
      const list = made.join(`${space},`);
      const line = `{"batch":${space}[${list}]${more === null ? '' : `,"batch":[${more}]`}${space}}`;
      const answer = new BatchReader('object').take(line) as BatchAnswer;
      const texts = more === null ? made : [more];
      expect(answer.items).toEqual(texts.map((text) => text.trim()));
      // Without values, each item is parsed on its own, as a line of --batch-lines is.
      expect(outcomesOf(tasks, answer, retryOn, 'w')).toEqual(
        outcomesOf(tasks, { items: texts }, retryOn, 'w'),
      );
    }),
    { numRuns: 2000, seed: 20 },
  );
});

test('the text of a result is the same without reading its members', () => {
  fc.assert(
    fc.property(records, (line) => {
      const fields = JSON.parse(line);
      fc.pre(Object.hasOwn(fields, 'result'));
      const { result } = outcomeOf(new Task('a', line, fields), tasks[0] as Task, retryOn);
      expect(result).toBe(rawMember(line, 'result'));
    }),
    { numRuns: 2000, seed: 20 },
  );
});

test('an answer that repeats a batch is a success of each task, without a result', () => {
  expect(outcomesOf(tasks, ECHO, retryOn, 'w')).toEqual([{}, {}, {}]);
});

// sglang #4026, accrue #47: of two requests with one id, the answer of one replaced that of the other.
test('two tasks of one uuid in a batch get an item each, in any order', () => {
  const twice = ['a', 'a', 'b'].map((uuid, n) => new Task(uuid, JSON.stringify({ uuid, n })));
  const items = ['{"uuid":"b","result":3}', '{"uuid":"a","result":1}', '{"uuid":"a","result":2}'];
  for (const order of [
    [0, 1, 2],
    [1, 0, 2],
    [1, 2, 0],
  ]) {
    const answer = { items: order.map((i) => items[i] as string) };
    const [one, two, three] = outcomesOf(twice, answer, retryOn, 'w') as { result: string }[];
    expect([[one?.result, two?.result].sort(), three?.result]).toEqual([['1', '2'], '3']);
  }
});
