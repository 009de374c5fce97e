import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseRecord } from '../../src/core/record/ndjson.ts';
import type { Fields } from '../../src/core/record/task.ts';
import type { Loaded } from '../../src/loaders/contract.ts';
import { freshReader } from '../../src/loaders/json/fresh-record.ts';
import { JsonLoaded } from '../../src/loaders/json/json-records.ts';

const shape = { select: undefined, rename: new Map<string, string>(), uuidFields: ['url'] };
const read = freshReader(shape, 0) as NonNullable<ReturnType<typeof freshReader>>;
const byAll = { ...shape, uuidFields: [] };
const readByAll = freshReader(byAll, 0) as typeof read;

/** Returns all values that a load reads from a record. */
function answers(record: Loaded): unknown {
  return {
    ...{ uuid: record.uuid, fault: record.fault, hasRun: record.hasRun, isMadeOf: record.isMadeOf(['url']) },
    ...{
      source: record.source,
      line: record.line,
      checksum: record.checksum(),
      canonical: record.canonical(),
    },
    texts: ['url', 'a', 'o.url', 'none'].map((name) => record.text(name)),
    missing: ['url', 'a', 'o.url', 'none'].map((name) => record.isMissing(name)),
    text: record.toLine('an "uuid"'),
  };
}

test('a record that is not parsed gives the same answers as a parsed one', () => {
  const name = fc.constantFrom('url', 'a', 'o', 'é', 'uuid', 'run', 'result', 'x"');
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom<unknown>(null, true, 0, -1.5, '', 'run', 'a\n"b"', '😀'),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(name, tie('value'), { maxKeys: 4 }),
    ),
  }));
  const record = fc.dictionary(name, value, { maxKeys: 5 });
  let fresh = 0;
  fc.assert(
    fc.property(record, fc.string(), fc.constantFrom('', ' '), (others, url, space) => {
      const text = JSON.stringify({ ...others, url }).replace(/,(?=")/g, `,${space}`);
      const parsed = { ...(parseRecord(text) as { text: string; fields: Fields }), line: 3 };
      const [found, foundByAll] = [read(text, 3), readByAll(text, 3)];
      if (found !== undefined) expect(answers(found)).toEqual(answers(new JsonLoaded(parsed, shape)));
      if (foundByAll === undefined) return;
      expect(answers(foundByAll)).toEqual(answers(new JsonLoaded(parsed, byAll)));
      fresh++;
    }),
    { numRuns: 3000 },
  );
  expect(fresh).toBeGreaterThan(300);
});

test.each([
  ['{"url":"a","run":{"state":"FAILURE"}}', 'a task'],
  ['{"url":"a","uuid":"b"}', 'a record with a uuid'],
  ['{"url":"a","\\u0072un":1}', 'a name in another spelling'],
  ['{"url":1}', 'a number'],
  ['{"url":"a","url":"b"}', 'a name twice'],
])('%s is parsed: %s', (text) => {
  expect(read(text, 1)).toBeUndefined();
});

test.each(['{}', '{"a":1,}', '{"a":1,"b":[}', '{"a":"b}', '{a:1}', '{"a":01}'])('%s is parsed', (text) => {
  expect(readByAll(text, 1)).toBeUndefined();
});

test('other selections and uuids of several attributes or a path are parsed', () => {
  for (const other of [
    { ...shape, select: ['a'] },
    { ...shape, rename: new Map([['a', 'b']]) },
    ...[['url', 'a'], ['o.url'], ['uuid']].map((uuidFields) => ({ ...shape, uuidFields })),
  ])
    expect(freshReader(other)).toBeUndefined();
});
