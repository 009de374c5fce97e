import { Readable } from 'node:stream';
import fc from 'fast-check';
import ndjson from 'ndjson';
import { expect, test } from 'vitest';
import { isDeeper, readJsonRecords, readTasks } from '../../../src/core/record/ndjson.ts';
import type { BadInput } from '../../../src/core/text/lines.ts';

/** Yields the text in chunks of these lengths, which may cut lines and characters anywhere. */
async function* pieces(bytes: Buffer, lengths: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const length = Math.max(1, lengths[i % lengths.length] ?? bytes.length);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

async function read(bytes: Buffer, lengths: readonly number[] = [], maxLine?: number) {
  const bad: BadInput[] = [];
  const records = [];
  const options = { source: 'test', reject: (one: BadInput) => bad.push(one), maxLine };
  for await (const batch of readJsonRecords(pieces(bytes, lengths), options)) records.push(...batch);
  return { records, bad };
}

const objects = fc.array(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 3 })), {
  maxLength: 20,
});
const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 });

test('records equal those of the ndjson package, wherever chunks are cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      objects,
      cuts,
      fc.constantFrom('\n', '\r\n'),
      fc.boolean(),
      async (values, lengths, eol, last) => {
        const text = values.map((value) => JSON.stringify(value)).join(eol) + (last ? eol : '');
        const expected: unknown[] = [];
        for await (const value of Readable.from([text]).pipe(ndjson.parse())) expected.push(value);
        const { records, bad } = await read(Buffer.from(text), lengths);
        expect(records.map(({ fields }) => fields)).toEqual(expected);
        expect(records.map((record) => record.text)).toEqual(values.map((value) => JSON.stringify(value)));
        expect(bad).toEqual([]);
      },
    ),
    { numRuns: 300 },
  );
});

test('an invalid line is reported with its number, and the others are read', async () => {
  const text = '\ufeff{"a":1}\n\nnull\n{"b":\n{"c":3}\r\n[]\n"x"\n12\n{"d":4}';
  const { records, bad } = await read(Buffer.from(text), [7]);
  expect(records.map(({ line }) => line)).toEqual([1, 5, 9]);
  expect(bad.map(({ line, code }) => [line, code])).toEqual([
    [3, 'OBJECT'],
    [4, 'JSON'],
    [6, 'OBJECT'],
    [7, 'OBJECT'],
    [8, 'OBJECT'],
  ]);
  expect(bad[0]?.message).toBe('expected a JSON object, got null');
});

test('invalid UTF-8 rejects only its own line, and the bytes are kept', async () => {
  const bytes = Buffer.concat([
    Buffer.from('{"a":"é"}\n{"b":"caf'),
    Buffer.of(0xe9),
    Buffer.from('"}\n{"c":"ü"}\n'),
  ]);
  const { records, bad } = await read(bytes, [3, 5]);
  expect(records.map(({ text }) => text)).toEqual(['{"a":"é"}', '{"c":"ü"}']);
  expect(bad.map(({ line, code, text }) => [line, code, text])).toEqual([[2, 'UTF8', '{"b":"caf\udce9"}']]);
});

test.each([
  ['in one chunk', []],
  ['in many', [50]],
])('a line over the limit is rejected and its neighbours are read, %s', async (_, lengths) => {
  const lines = ['{"a":1}', `{"b":"${'x'.repeat(500)}"}`, '{"c":3}', `{"d":"${'x'.repeat(500)}`];
  const { records, bad } = await read(Buffer.from(lines.join('\n')), lengths, 100);
  expect(records.map(({ line, text }) => [line, text])).toEqual([
    [1, lines[0]],
    [3, lines[2]],
  ]);
  expect(bad.map(({ line, code }) => [line, code])).toEqual([
    [2, 'LONG'],
    [4, 'LONG'],
  ]);
});

test('a gigabyte without a newline takes bounded memory', async () => {
  async function* flood(): AsyncGenerator<Buffer> {
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    for (let i = 0; i < 1024; i++) yield chunk;
    yield Buffer.from('\n{"uuid":"after"}\n');
  }
  const bad: BadInput[] = [];
  const tasks = [];
  const before = process.memoryUsage().rss;
  for await (const batch of readTasks(flood(), { source: 'test', reject: (one) => bad.push(one) }))
    tasks.push(...batch);
  expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
  expect(bad.map(({ line, code }) => [line, code])).toEqual([[1, 'LONG']]);
  expect(tasks.map(({ uuid }) => uuid)).toEqual(['after']);
});

test('a line that arrives byte by byte takes little memory', async () => {
  const bytes = Buffer.from(`{"a":"${'é'.repeat(200_000)}"}\n{"b":1}\n`);
  const before = process.memoryUsage().rss;
  const { records } = await read(bytes, [1]);
  expect(records.map(({ text }) => text.length)).toEqual([200_008, 7]);
  expect(process.memoryUsage().rss - before).toBeLessThan(40 * 1024 * 1024);
});

test('each invalid UTF-8 byte counts as one byte against the limit', async () => {
  const line = Buffer.concat([Buffer.from('{"a":"'), Buffer.alloc(80, 0xff), Buffer.from('"}')]);
  const { bad } = await read(Buffer.concat([line, Buffer.from('\n'), line, line]), [], 100);
  expect(bad.map(({ line, code }) => [line, code])).toEqual([
    [1, 'UTF8'],
    [2, 'LONG'],
  ]);
});

test('__proto__ and constructor are plain data', async () => {
  const { records } = await read(Buffer.from('{"__proto__":{"polluted":1},"constructor":2}'));
  expect(Object.keys(records[0]?.fields ?? {})).toEqual(['__proto__', 'constructor']);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

test('nesting of 65 levels exceeds a limit of 64, and 64 levels do not', () => {
  const nested = (levels: number): object => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`);
  expect(isDeeper(nested(64), 64)).toBe(false);
  expect(isDeeper(nested(65), 64)).toBe(true);
  expect(isDeeper(nested(100_000), 64)).toBe(true);
});
