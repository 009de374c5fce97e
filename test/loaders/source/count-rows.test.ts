import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { countRows } from '../../../src/loaders/source/count-rows.ts';
import { freshFolder } from '../../support/run.ts';

const never = new AbortController().signal;

function countOf(name: string, bytes: string | Buffer): Promise<number> {
  const path = join(freshFolder(), name);
  writeFileSync(path, bytes);
  return countRows(path, never);
}

test('countRows counts CSV rows, not lines, without header and blank lines', async () => {
  expect(await countOf('a.csv', 'id,text\n1,"two\nlines"\n\n2,plain\n')).toBe(2);
});

test('countRows counts all rows, whatever options task-load needs for them', async () => {
  expect(await countOf('semicolons.csv', 'id;name\n1;Smith, John\n2;Ann\n')).toBe(2);
  expect(await countOf('result.csv', 'uuid,result,result\na,1,2\n')).toBe(1);
  expect(await countOf('gbk.csv', Buffer.from('c3fbd7d62c610ac0ee2c310a', 'hex'))).toBe(1);
});

test('countRows counts records of NDJSON and of a JSON array, and plain lines', async () => {
  expect(await countOf('a.ndjson', '{"a":1}\n\n{"a":2}\n{"a":')).toBe(3);
  expect(await countOf('a.json', '[{"a":1},\n{"a":2},{"a":3}]')).toBe(3);
  expect(await countOf('a.txt', 'one\ntwo\n\nthree')).toBe(3);
});

test('countRows counts packed files and files without an extension', async () => {
  expect(await countOf('a.csv.gz', gzipSync('a,b\n1,2\n3,4\n'))).toBe(2);
  expect(await countOf('export', 'a,b\n1,2\n3,4\n')).toBe(2);
  expect(await countOf('empty.csv', '')).toBe(0);
});

test('countRows counts across many chunks', async () => {
  expect(await countOf('long.csv', `n,text\n${'7,"a ""quoted"" text"\n'.repeat(20_000)}`)).toBe(20_000);
});

test('countRows stops if its signal is aborted', async () => {
  const path = join(freshFolder(), 'long.csv');
  writeFileSync(path, `n\n${'7\n'.repeat(100_000)}`);
  expect(await countRows(path, AbortSignal.abort())).toBeLessThan(50_000);
});

test('countRows fails on a broken file', async () => {
  await expect(countOf('a.csv.gz', gzipSync('a,b\n1,2\n').subarray(0, 15))).rejects.toThrow(
    /gzip data is cut short/,
  );
});
