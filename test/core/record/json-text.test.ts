import fc from 'fast-check';
import { expect, test } from 'vitest';
import { membersOf, minify, opensDeeper, withoutMembers } from '../../../src/core/record/json-text.ts';

/** Objects with the white space for their text. */
const spaced = fc.record({
  object: fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 3 })),
  space: fc.constantFrom(undefined, 1, 2, '\t'),
});

test('membersOf finds each member and the text of its value in any layout', () => {
  fc.assert(
    fc.property(spaced, ({ object, space }) => {
      const text = JSON.stringify(object, null, space);
      const found = membersOf(text).map(({ key, value, end }) => [key, JSON.parse(text.slice(value, end))]);
      expect(found).toEqual(Object.entries(JSON.parse(text)));
    }),
    { numRuns: 500 },
  );
});

test('withoutMembers keeps the bytes of all other members', () => {
  const text = '{ "a" : 1.10, "r\\u0075n":{"x":[1,"}"]} ,"b":"\\"{\\\\" , "run" : 2,"c":[ 1e999 ]}';
  expect(withoutMembers(text, (key) => key === 'run')).toBe('{ "a" : 1.10, "b":"\\"{\\\\" , "c":[ 1e999 ]}');
  expect(withoutMembers('{"run":1}', (key) => key === 'run')).toBe('{}');
  expect(withoutMembers('{ "a" : 1 , "run":1 }', (key) => key === 'run')).toBe('{ "a" : 1 }');
});

test('minify changes only white space between tokens', () => {
  expect(minify('{ "a b" : [ 1.10 ,\n"\\" x  y" ]\r\n}')).toBe('{"a b":[1.10,"\\" x  y"]}');
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(minify(JSON.stringify(value, null, 3))).toBe(JSON.stringify(value));
    }),
  );
});

test('opensDeeper finds deep nesting before parsing, also in invalid JSON', () => {
  expect(opensDeeper('[[]]', 2)).toBe(false);
  expect(opensDeeper('[[[]]]', 2)).toBe(true);
  expect(opensDeeper('[{"a":[', 2)).toBe(true);
  expect(opensDeeper('["[[[[", "\\"[[[["]', 2)).toBe(false);
  expect(opensDeeper('[1,[2],[3],{}', 2)).toBe(false);
});
