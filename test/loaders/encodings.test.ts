/* Encodings: files that declare their encoding are read, and a message names the likely encoding of others. */
import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import type { Format } from '../../src/loaders/index.ts';
import { loaded, tasksOf } from '../support/loaded.ts';

const iconv = createRequire(import.meta.url)('iconv-lite') as typeof import('iconv-lite');
const RECORDS = [{ a: '1', b: 'é, 名' }];
type Read = Exclude<Format, 'sqlite' | 'postgres' | 'sitemap' | 'xlsx' | 'parquet'>;
const TEXTS: Readonly<Record<Read, [string, unknown[]]>> = {
  csv: ['a,b\r\n1,"é, 名"\r\n', RECORDS],
  tsv: ['a\tb\r\n1\té, 名\r\n', RECORDS],
  ndjson: ['{"a":"1","b":"é, 名"}\r\n', RECORDS],
  json: ['[\r\n{"a":"1","b":"é, 名"}]', RECORDS],
  lines: ['x\r\né\r\n', [{ line: 'x' }, { line: 'é' }]],
};

describe.each(Object.entries(TEXTS))('%s', (format, [text, tasks]) => {
  test.each(['utf-16le', 'utf-16be', 'utf-32le', 'utf-32be'])(
    'is read in %s, with and without a byte order mark',
    async (encoding) => {
      for (const addBOM of [true, false]) {
        const bytes = iconv.encode(text, encoding, { addBOM });
        for (const options of [{ format: format as Format }, {}])
          expect(await tasksOf(bytes, options)).toEqual(tasks);
      }
    },
  );

  test('is rejected in windows-1252 with the decoded text and the option to add', async () => {
    const bytes = iconv.encode(text.replace(', 名', ''), 'windows-1252');
    const { bad } = await loaded(bytes, { format: format as Format });
    const words = 'é": if that is right, add --encoding windows-1252';
    expect(bad).toMatchObject([{ code: 'UTF8', message: expect.stringContaining(words) }]);
    expect(await tasksOf(bytes, { format: format as Format, encoding: 'windows-1252' })).toHaveLength(
      tasks.length,
    );
  });
});

test('text of another script is not mistaken for windows-1252', async () => {
  const { bad } = await loaded(iconv.encode('中文网址\n', 'gbk'), { format: 'lines' });
  expect(bad[0]?.message).toBe('not valid UTF-8; name its encoding, as in --encoding gbk');
});

test('a damaged byte in a line of UTF-8 is not mistaken for another encoding', async () => {
  const { bad } = await loaded(Buffer.concat([Buffer.from('é'), Buffer.from([0xe9]), Buffer.from('\n')]), {
    format: 'lines',
  });
  expect(bad[0]?.message).toBe(
    'not valid UTF-8; it has valid UTF-8 characters too, so it is damaged or mixed',
  );
});

test('a header in windows-1252 is an error that names the encoding', async () => {
  const bytes = Buffer.from('id,pr\xe9nom\n1,x\n', 'latin1');
  await expect(loaded(bytes, { format: 'csv' })).rejects.toThrow(
    'reads "prénom": if that is right, add --encoding windows-1252',
  );
});

test('UTF-16 without a byte order mark is noted', async () => {
  const { notes } = await loaded(Buffer.from('a\n1\n', 'utf16le'), { format: 'csv' });
  expect(notes).toEqual(['stdin: read as utf-16le, by its first bytes (--encoding)']);
});

test('NULs in UTF-8 are kept', async () => {
  expect(await tasksOf('a,b\n1,\0\n\0,2\n', { format: 'csv' })).toEqual([
    { a: '1', b: '\0' },
    { a: '\0', b: '2' },
  ]);
});
