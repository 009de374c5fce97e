import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { BadInput } from '../../../src/core/text/lines.ts';
import { type LoadOptions, load } from '../../../src/stages/load/load.ts';

/** Loads a text that arrives in chunks of `length` bytes. */
async function loaded(
  input: string | Buffer,
  options: LoadOptions = {},
  length = Number.POSITIVE_INFINITY,
): Promise<{ tasks: unknown[]; bad: unknown[] }> {
  const bytes = Buffer.from(input as string);
  const bad: BadInput[] = [];
  const tasks: unknown[] = [];
  const stdin = async function* (): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
  };
  for await (const batch of load('-', { ...options, stdin, reject: (one) => bad.push(one) }))
    tasks.push(...batch.map(({ fields: { uuid: _, ...rest } }) => rest));
  return { tasks, bad: bad.map(({ line, code }) => `${line} ${code}`) };
}

const ONE = [{ a: '1', b: '2' }];

test.each([
  ['CSV', 'a,b\n1,2\n', ONE],
  ['TSV', 'a\tb\n1\t2\n', ONE],
  ['NDJSON', '\n {"a":"1","b":"2"}\n', ONE],
  ['NDJSON after a byte order mark', '\ufeff{"a":"1","b":"2"}\n', ONE],
  ['a JSON array', '\ufeff [{"a":"1","b":"2"}]', ONE],
  ['plain lines', 'x\ny,z\n', [{ line: 'x' }, { line: 'y,z' }]],
  ['NDJSON in UTF-16', Buffer.from('\ufeff{"a":"1","b":"2"}\n', 'utf16le'), ONE],
  ['packed CSV', gzipSync('a,b\n1,2\n'), ONE],
])('%s is recognized by its first line, however slowly it arrives', async (_, input, tasks) => {
  const options = Buffer.isBuffer(input) && input[0] === 0xff ? { encoding: 'utf-16le' } : {};
  expect(await loaded(input, options)).toEqual({ tasks, bad: [] });
  expect(await loaded(input, options, 1)).toEqual({ tasks, bad: [] });
});

test('a row over --max-line is rejected, also if it arrives in one chunk', async () => {
  const text = `a,b\n${'x'.repeat(400)},1\n1,2\n`;
  for (const length of [16, 1000])
    expect(await loaded(text, { maxLine: 300, format: 'csv' }, length)).toEqual({
      tasks: ONE,
      bad: ['2 LONG'],
    });
});

test('the limit of a JSON array applies to its elements, not to white space between them', async () => {
  const text = `[${' '.repeat(500)}{"a":"1","b":"2"},"${'x'.repeat(500)}`;
  for (const length of [16, 2000])
    expect(await loaded(text, { maxLine: 300, format: 'json' }, length)).toEqual({
      tasks: ONE,
      bad: ['1 LONG'],
    });
});

test('a record whose "run" has a missing or invalid result key keeps its attributes', async () => {
  const lines = [
    '{"undefined":5,"run":{"state":"FAILURE"}}',
    '{"a":1,"run":{"state":"","as":{"toString":0}}}',
  ];
  expect(await loaded(lines.join('\n'))).toEqual({ tasks: [{ undefined: 5 }, { a: 1 }], bad: [] });
});

test('lone surrogates, which are all the same in UTF-8, get no uuid', async () => {
  expect(await loaded('{"a":"\\ud800"}\n{"a":"\\ud801"}\n{"a":"\\ud83d\\ude42"}')).toEqual({
    tasks: [{ a: '🙂' }],
    bad: ['1 UUID', '2 UUID'],
  });
});

test('the uuid of a record of 100,000 numbers is made within seconds', async () => {
  const members = Array.from({ length: 100_000 }, (_, i) => `"k${i}":${i}`);
  const begin = performance.now();
  expect((await loaded(`{${members.join(',')}}`)).tasks).toHaveLength(1);
  expect(performance.now() - begin).toBeLessThan(5000); // searching for each name took minutes
});
