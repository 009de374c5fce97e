/* The reader of records in WebAssembly gives each the uuid of its canonical text. */
import { expect, test } from 'vitest';
import { expectParsed, readBy, reader } from '../support/simd-records.ts';

/** Returns an object with a different value for each name. */
function objectOf(names: readonly string[]): string {
  return `{${names.map((name, i) => `"${name}":{"y":[${i}, {"d": "\\u00e9", "c":[]}],"x":"z"}`).join(', ')}}`;
}

/** Returns names in an order that is far from theirs. */
function mixed(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${((i * 7919) % count) * 7}`);
}

test('the uuid of a whole record is made of its members by name', () => {
  const orders = [
    ['b', 'a'],
    ['', 'a', ' '],
    ['ab', 'a', 'abc'],
    ['abcdefgh', 'abcdefg', 'abcdefghi', 'abcdefghhi', 'abcdefghh', 'abcdefghhh'],
    ['é', 'z', '\uffff', '😀', '名', '\u007f', 'Ā'],
    ['\uffff...', '😀...', 'a', '0123456789\uffff', '0123456789😀', '0123456789'],
    ['field9', 'field10', 'field1', 'field', 'Field'],
    ['x'.repeat(299), `${'x'.repeat(299)}y`, `${'x'.repeat(298)}z`, 'x'.repeat(298)],
    ...[3, 4, 5, 6, 20, 100].flatMap((count) => [
      mixed(count),
      mixed(count).sort(),
      mixed(count).sort().reverse(),
    ]),
  ];
  const lines = orders.flatMap((names) => [names, names.toReversed()]).map(objectOf);
  const nested = lines.map((line, i) => `{"b":${line},"a":[${line},{"n":${i},"d":{},"b":${line}}]}`);
  const long = `{"t":"${'z'.repeat(100_000)}","s":{"b":"\\/${'é'.repeat(20_000)}","a":1}}`;
  const all = [...lines, ...nested.filter(({ length }) => length < 20_000), long];
  for (let at = 0; at < all.length; at += 20) expectParsed(all.slice(at, at + 20), {});
});

test.each([
  ['a', 'a'],
  ['a', 'b', 'a'],
  ['b', 'a', 'b'],
  ['abcdefghij', 'abcdefghij'],
  ['abcdefghij', 'abcdefghi', 'abcdefghij'],
  ['', ''],
  [...mixed(50), '7'],
])('the uuid of a record with %j as names is left to the parser', (...names) => {
  const object = objectOf(names);
  for (const line of [object, `{"a":${object}}`, `{"b":1,"a":[1,{"b":${object}}]}`])
    expect(readBy(reader({}), [line])).toMatchObject({ count: 0 });
});

test('the uuid of a record with thousands of open members is left to the parser', () => {
  const open = (count: number): string => {
    const members = mixed(count - 1).map((name) => `"${name}":1`);
    return `{"a":{${members}}}`;
  };
  const lines = [open(2048), '{"a":1}', open(2048), open(2049)];
  expect(readBy(reader({}), lines)).toMatchObject({ count: 3 });
  expectParsed(lines.slice(0, 3), {});
});
