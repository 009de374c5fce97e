/* Random lines of NDJSON with and without `url`: valid, invalid and unusual. */
import fc from 'fast-check';

const text = fc.oneof(
  fc.constantFrom(
    '',
    'a',
    'u0',
    'http://h/1',
    'Ümläut',
    '名前',
    '😀',
    '\u2028',
    '\u007f',
    'x'.repeat(15),
    'y'.repeat(300),
  ),
  fc.constantFrom(
    '"',
    'a"b"',
    '\\',
    '\n',
    '\t\r\b\f',
    '/',
    '\u0000',
    '\u001f',
    '\ud83d',
    '\udc00x',
    'uuid',
    'run',
  ),
);
/** Spellings of a string as JSON: those of Python, PHP and others. */
const SPELLINGS: readonly ((one: string) => string)[] = [
  (one) => JSON.stringify(one),
  (one) => spelled(one, /[^\x20-\x7e]|["\\]/gu, 4),
  (one) => JSON.stringify(one).replaceAll('/', '\\/'),
  (one) => spelled(one, /./gsu, 4),
  (one) =>
    spelled(one, /[^0-9]/gu, 4)
      .toUpperCase()
      .replaceAll('\\U', '\\u'),
  (one) => spelled(one, /./gsu, 3),
];
const string = fc
  .tuple(text, fc.nat(50))
  .map(([one, n]) => (SPELLINGS[n] ?? SPELLINGS[n % 5])?.(one) as string);

/** Writes the characters that match as numbers of this many digits; 3 are too few for JSON. */
function spelled(one: string, which: RegExp, digits: number): string {
  const code = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(digits, '0')}`;
  return `"${one.replace(which, (all) => all.split('').map(code).join(''))}"`;
}

const name = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom('url', 'n', 'o', 'text', 'é', 'a b', '') },
  {
    weight: 3,
    arbitrary: fc.constantFrom('field', 'field1', 'field10', 'field10a', 'field10b', '\uffff', '😀'),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'uuid',
      'run',
      'result',
      'ur',
      'urls',
      'a"b',
      '__proto__',
      'rum',
      'uuie',
      'resulu',
    ),
  },
);
const scalar = fc.oneof(
  string,
  fc.constantFrom(
    '0',
    '-0',
    '12',
    '1.50',
    '-1e5',
    '1E+2',
    '2e-07',
    '12345678901234567890',
    'true',
    'false',
    'null',
  ),
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '"\\/"',
      '"\\u00e9"',
      '"\\u0041"',
      '"\\ud83d\\ude00"',
      '01',
      '1.',
      '.5',
      '+1',
      '1e',
      'NaN',
      'tru',
      'nulls',
      '"\\x"',
      '"a\tb"',
      "'a'",
      '',
    ),
  },
);
/** Separators, some with white space around them. */
export const sign = (mark: string): fc.Arbitrary<string> =>
  fc.constantFrom(mark, mark, mark, mark, mark, `${mark} `, `${mark} `, ` ${mark}`, `${mark}\t`, `${mark}  `);

/** Texts of nested values, many of which are invalid. */
export function valuesOf(name: fc.Arbitrary<string>, scalar: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      { weight: 6, arbitrary: scalar },
      {
        weight: 1,
        arbitrary: fc
          .tuple(fc.array(tie('value'), { maxLength: 3 }), sign(','))
          .map(([all, comma]) => `[${all.join(comma)}]`),
      },
      {
        weight: 2,
        arbitrary: fc
          .tuple(fc.array(fc.tuple(name, tie('value')), { maxLength: 3 }), sign(','))
          .map(([members, comma]) => objectOf(members, ':', comma)),
      },
      { weight: 1, arbitrary: fc.constantFrom(...ODD) },
    ),
  })).value;
}

const ODD = [
  ...[30, 31, 62, 63, 64].map((levels) => nested(levels)),
  ...['[1,]', '{"a":1,}', '[,1]', '{"a"}', '{a:1}', '[1 2]', '{"a":1,"a":2}'],
  ...['{}', '[]', '{ }', '[[]]', '{"b":{"a":[{}]}}'],
  ...[40, 70].map((levels) => '['.repeat(levels) + ']'.repeat(levels)),
];

function nested(levels: number): string {
  return `${'[{"a":'.repeat(levels / 2)}1${'}]'.repeat(levels / 2)}`;
}

/** Returns the text of an object. */
export function objectOf(members: readonly (readonly [string, string])[], colon = ':', comma = ','): string {
  return `{${members.map(([key, json]) => JSON.stringify(key) + colon + json).join(comma)}}`;
}

/** Texts of records in which one character is missing or replaced. */
export function brokenOf(record: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(record, fc.nat(), fc.constantFrom('', '"', '\\', ',', ':', '}', ']', '\u0001', ' '))
    .map(([json, at, mark]) => {
      const cut = at % (json.length + 1);
      return json.slice(0, cut) + mark + json.slice(cut + 1);
    });
}

const value = valuesOf(name, scalar);
const record = fc
  .tuple(fc.array(fc.tuple(name, value), { maxLength: 5 }), string, fc.nat(5), sign(':'), sign(','))
  .map(([others, url, at, colon, comma]) => objectOf(others.toSpliced(at, 0, ['url', url]), colon, comma));
const line = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(record, fc.constantFrom('', '', '', ' ', '\r', ' \r')).map((two) => two.join('')),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '',
      ' ',
      '\r',
      '[1]',
      '1',
      '{',
      '{"url":"a"} {"url":"b"}',
      '{"url":"a"}}',
      '{"url":"a"',
      '\ufeff{"url":"a"}',
      '{"url":1}',
      '{"url":null,"url":"a"}',
    ),
  },
  { weight: 1, arbitrary: brokenOf(record) },
);
/** Lines of NDJSON, and bytes that are not text. */
export const piece: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 12, arbitrary: line.map((one) => Buffer.from(`${one}\n`)) },
  { weight: 1, arbitrary: fc.constantFrom([0xff, 10], [0xe2, 0x82, 10], [10], [0]).map(Buffer.from) },
);
