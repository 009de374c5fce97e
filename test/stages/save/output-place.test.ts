import { describe, expect, test } from 'vitest';
import { restFileOf } from '../../../src/stages/save/output-place.ts';

describe('restFileOf', () => {
  test.each([
    ['-', undefined, 'task-save'],
    ['out.parquet/', undefined, 'out.parquet'],
    ['s3://bk', undefined, 's3+bk'],
    ['s3://bk/', undefined, 's3+bk'],
    ['s3://bk/x/pages/', undefined, 's3+bk+x+pages'],
    ["s3://bk/a+b%:é '/", undefined, 's3+bk+a%2Bb%25%3Aé%20%27'],
    ['postgres://me:secret@h/db', undefined, 'postgres+h+db+tasks'],
    ['postgres://h:5433/db?table=t', undefined, 'postgres+h+5433+db+t'],
    ['postgres://h:5433/db?table=t', 'u/v', 'postgres+h+5433+db+u%2Fv'],
    ['postgres:///db?host=%2Ftmp', 't', 'postgres+%2Ftmp+db+t'],
  ])('of %s with the table %s is %s.rest.ndjson', (out, table, name) => {
    expect(restFileOf(out, table)).toBe(`${name}.rest.ndjson`);
  });

  test('gives different outputs different names', () => {
    const keys = ['', '/', 'a/', 'a//', 'a/b/', 'a+b/', 'a%2Bb/', 'a%2Fb/', 'a_b/', 'a b/'];
    const long = ['x', 'y'].map((end) => `${'é'.repeat(300)}${end}/`);
    const names = [...keys, ...long].map((key) => restFileOf(`s3://bk/${key}`));
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(Buffer.byteLength(name)).toBeLessThan(240);
  });
});
