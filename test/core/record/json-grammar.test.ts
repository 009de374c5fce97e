import fc from 'fast-check';
import { expect, test } from 'vitest';
import { recordChecker, stringFinder } from '../../../src/core/record/json-grammar.ts';
import { jsonBody, parseTask } from '../../../src/core/record/ndjson.ts';
import { stateOf, Task, withOutcome } from '../../../src/core/record/task.ts';

const checkedUuid = stringFinder('uuid', 0);

const scalar = fc.oneof(
  fc.constantFrom('0', '-0', '1.10', '1e400', '-1E-7', '12345678901234567890', 'true', 'false', 'null'),
  fc
    .oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', 'uuid', '\\', '"'))
    .map((text) => JSON.stringify(text)),
);
const name = fc.oneof(
  fc.constantFrom('"uuid"', '"\\u0075uid"', '"run"', '"__proto__"'),
  fc.string().map((text) => JSON.stringify(text)),
);
const space = fc.constantFrom('', '', '', ' ');
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc
      .tuple(fc.array(tie('value'), { maxLength: 3 }), space)
      .map(([items, gap]) => `[${items.join(`,${gap}`)}]`),
    objectOf(tie('value')),
  ),
}));

function objectOf(inner: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .array(fc.tuple(name, space, inner), { maxLength: 4 })
    .map((members) => `{${members.map(([key, gap, raw]) => `${key}:${gap}${raw}`).join()}}`);
}

const record = fc
  .tuple(objectOf(value), fc.nat(), fc.string())
  .map(([text, at, uuid]) => (at % 3 === 0 ? text : `{"uuid":${JSON.stringify(uuid)},${text.slice(1)}`));

/** A text, and perhaps one character of it removed, doubled or replaced. */
const damaged = fc
  .tuple(
    record,
    fc.nat(),
    fc.constantFrom('', '', '"', '\\', ',', ':', '{', '}', '[', ']', '0', '-', '\t', 'e'),
  )
  .map(
    ([text, at, sign]) =>
      `${text.slice(0, at % text.length)}${sign}${text.slice((at % text.length) + (at % 2))}`,
  );

test('a text with a checked uuid is a record that JSON.parse reads, with that uuid', () => {
  let checked = 0;
  fc.assert(
    fc.property(fc.oneof(record, damaged), (line) => {
      const uuid = checkedUuid(line);
      if (uuid === undefined) return;
      checked++;
      expect((JSON.parse(line) as { uuid: unknown }).uuid).toBe(uuid);
    }),
    { numRuns: 20_000 },
  );
  expect(checked).toBeGreaterThan(1000);
});

test('a body is the same, whether the grammar or JSON.parse checks it', () => {
  const isPlain = recordChecker(0);
  let checked = 0;
  fc.assert(
    fc.property(fc.oneof(record, damaged), (body) => {
      if (isPlain(body)) checked++;
      expect(jsonBody(body, isPlain)).toEqual(jsonBody(body, () => false));
    }),
    { numRuns: 20_000 },
  );
  expect(checked).toBeGreaterThan(1000);
});

test('records of few levels are checked, in the layouts that programs write', () => {
  const fields = { id: 1, uuid: 'é "1"', tags: ['a', -1.5e3], deep: { a: [{ b: null }], c: {} }, d: [] };
  const python = JSON.stringify(fields).replace(/([:,])(?! )/g, '$1 ');
  for (const line of [JSON.stringify(fields), python]) expect(checkedUuid(line)).toBe(fields.uuid);
});

test.each([
  ['{"uuid":"a","uuid":"b"}', 'two uuids'],
  ['{"uuid":"a","\\u0075uid":"b"}', 'a uuid in another spelling'],
  ['{"uuid":1}', 'a number'],
  ['{"x":{"uuid":"a"}}', 'no uuid at the top'],
  ['{"uuid":"a",}', 'a comma at the end'],
  ['{"uuid":"a","n":01}', 'a number with a zero before it'],
  [`{"uuid":"a","n":${'['.repeat(9)}${']'.repeat(9)}}`, 'deep text'],
  [`{"uuid":"a","n":"${'x'.repeat(70_000)}"}`, 'long text'],
])('%.30s is left to JSON.parse: %s', (line) => {
  expect(checkedUuid(line)).toBeUndefined();
});

test('a record has the state that its text has, wherever the run is and however it is spelled', () => {
  const run = {
    state: 'FAILURE',
    as: 'result',
    attempts: 1,
    at: '2026-01-01T00:00:00.000Z',
    ms: 1.5,
  } as const;
  const own = withOutcome(
    new Task('a', '{"uuid":"a","run":{"state":"PENDING"}}'),
    run,
    '{"run":{"state":"SUCCESS"}}',
  ).line;
  const lines: [string, string | undefined][] = [
    [own, 'FAILURE'],
    [`{"uuid":"a","inner":${own}}`, undefined],
    [`{"uuid":"a","text":${JSON.stringify(own)}}`, undefined],
    ['{"uuid":"a","\\u0072un":{"state":"REVERTED"}}', 'REVERTED'],
    ['{"uuid":"a","x":["run"]}', undefined],
    [own.replace('"ms":1.5}', '"ms":1.5,"state":"SUCCESS"}'), 'SUCCESS'],
    [own.replace('"ms":1.5}}', '"ms":1.5},"run":null}'), undefined],
  ];
  for (const [line, state] of lines) expect([line, stateOf(new Task('a', line))]).toEqual([line, state]);
  const parsed = parseTask(own) as Task;
  expect(stateOf(parsed)).toBe('FAILURE');
});
