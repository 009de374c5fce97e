import { expect, test } from 'vitest';
import { type Run, Task, uuidFault, withOutcome, withRun } from '../../../src/core/record/task.ts';

const run = { state: 'SUCCESS', as: 'page', attempts: 1, at: '2026-01-01T00:00:00.000Z', ms: 5 } as const;

test('adding an outcome keeps every other byte, also in the second stage of a chain', () => {
  const line = '{"uuid":"a","n":12345678901234567890,"p":1.10, "e" : 1e999}';
  const first = withOutcome(new Task('a', line), run, '{"status":200}');
  expect(first.line).toBe(`${line.slice(0, -1)},"page":{"status":200},"run":${JSON.stringify(run)}}`);
  const parsed = { ...run, as: 'parsed' };
  const second = withOutcome(new Task('a', first.line), parsed, '1.10');
  expect(second.line).toBe(
    `${line.slice(0, -1)},"page":{"status":200},"parsed":1.10,"run":${JSON.stringify(parsed)}}`,
  );
});

test('a result replaces an earlier one under the same key, and a failure without a result removes it', () => {
  const failed = { ...run, state: 'FAILURE', error: { code: 'TIMEOUT', message: 'no "answer"' } } as const;
  const task = new Task('a', '{"page":1,"uuid":"a","run":{"state":"SUCCESS"},"x":2}');
  expect(withOutcome(task, run, '3').line).toBe(`{"uuid":"a","x":2,"page":3,"run":${JSON.stringify(run)}}`);
  expect(withOutcome(task, failed, undefined).line).toBe(
    `{"uuid":"a","x":2,"run":${JSON.stringify(failed)}}`,
  );
});

test('a uuid is a string of 1 to 256 bytes without control characters', () => {
  expect(['a', 'é'.repeat(128), 'a b', '日本'].map(uuidFault)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  for (const bad of [undefined, null, 5, '', 'é'.repeat(129), 'a\nb', 'a\u0000', 'a\u0085', '\ud800']) {
    expect(uuidFault(bad)).toBeTypeOf('string');
  }
});

test('a run from outside may lack fields, and the record stays valid JSON', () => {
  const task = new Task('a', '{"uuid":"a","n":1.10,"run":{"state":"FAILURE"}}');
  const run = { ...(task.fields.run as Run), state: 'SUCCESS' as const, ms: undefined as never };
  expect(withRun(task, run).line).toBe('{"uuid":"a","n":1.10,"run":{"state":"SUCCESS"}}');
  expect(withRun(task, undefined).line).toBe('{"uuid":"a","n":1.10}');
});
