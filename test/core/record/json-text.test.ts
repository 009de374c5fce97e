import fc from 'fast-check';
import { expect, test } from 'vitest';
import { membersOf, minify, opensDeeper, withoutMembers } from '../../../src/core/record/json-text.ts';

/** Objects as text in many layouts, with what must be told of them. */
const spaced = fc.record({
  object: fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 3 })),
  space: fc.constantFrom(undefined, 1, 2, '\t'),
});

test('finds each member with the text of its value, whatever the layout', () => {
  fc.assert(
    fc.property(spaced, ({ object, space }) => {
      const text = JSON.stringify(object, null, space);
      const found = membersOf(text).map(({ key, value, end }) => [key, JSON.parse(text.slice(value, end))]);
      expect(found).toEqual(Object.entries(JSON.parse(text)));
    }),
    { numRuns: 500 },
  );
});

test('leaves out members and keeps the bytes of all others', () => {
  const text = '{ "a" : 1.10, "r\\u0075n":{"x":[1,"}"]} ,"b":"\\"{\\\\" , "run" : 2,"c":[ 1e999 ]}';
  expect(withoutMembers(text, (key) => key === 'run')).toBe('{ "a" : 1.10, "b":"\\"{\\\\" , "c":[ 1e999 ]}');
  expect(withoutMembers('{"run":1}', (key) => key === 'run')).toBe('{}');
  expect(withoutMembers('{ "a" : 1 , "run":1 }', (key) => key === 'run')).toBe('{ "a" : 1 }');
});

test('minifying changes white space between tokens and nothing else', () => {
  expect(minify('{ "a b" : [ 1.10 ,\n"\\" x  y" ]\r\n}')).toBe('{"a b":[1.10,"\\" x  y"]}');
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(minify(JSON.stringify(value, null, 3))).toBe(JSON.stringify(value));
    }),
  );
});

test('nesting is seen before text is parsed, also in text that is no JSON', () => {
  expect(opensDeeper('[[]]', 2)).toBe(false);
  expect(opensDeeper('[[[]]]', 2)).toBe(true);
  expect(opensDeeper('[{"a":[', 2)).toBe(true);
  expect(opensDeeper('["[[[[", "\\"[[[["]', 2)).toBe(false);
  expect(opensDeeper('[1,[2],[3],{}', 2)).toBe(false);
});
