import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ListFault, quotedName, splitList } from '../../../src/core/options/name-list.ts';

test.each([
  ['id,"last, first",x', ['id', 'last, first', 'x']],
  ['"say ""hi""",b', ['say "hi"', 'b']],
  ['a"b,c""', ['a"b', 'c""']],
  [' a , b', [' a ', ' b']],
  ['"",a', ['', 'a']],
  ['a=b,c', ['a=b', 'c']],
  ['"a\nb"', ['a\nb']],
])('%j gives the names %j', (typed, names) => {
  expect(splitList(typed)).toEqual(names.map((name) => [name]));
});

test.each([
  [
    'a=b,c=d',
    [
      ['a', 'b'],
      ['c', 'd'],
    ],
  ],
  ['"a=b"=c', [['a=b', 'c']]],
  ['a="b,c"', [['a', 'b,c']]],
  ['a=b=c', [['a', 'b', 'c']]],
])('%j gives the pairs %j', (typed, pairs) => {
  expect(splitList(typed, '=')).toEqual(pairs);
});

test.each(['', 'a,', ',a', 'a,,b', '"a', '"a"b', '"a""', 'a,"b'])('%j is not a list', (typed) => {
  expect(splitList(typed)).toBeInstanceOf(ListFault);
});

test('quoted names are parsed back to the same names', () => {
  const name = fc.string({ unit: fc.constantFrom('a', ',', '=', '"', ' ', '\n', 'é') });
  fc.assert(
    fc.property(fc.array(name, { minLength: 1 }), (names) => {
      const typed = names.map(quotedName).join(',');
      expect(splitList(typed)).toEqual(names.map((one) => [one]));
      expect(splitList(typed, '=')).toEqual(names.map((one) => [one]));
    }),
  );
});
