/* The reader of records in WebAssembly gives each the line, the uuid and the checksum that the parser gives it. */
import { expect, test } from 'vitest';
import { recordReader } from '../../src/loaders/json/simd-records.ts';
import type { LoadOptions } from '../../src/stages/load/load-options.ts';
import { expectParsed, OF_URL, optionsOf, readBy, reader } from '../support/simd-records.ts';

const DEEP = '[{"a":'.repeat(15);

test('records of all kinds of values', () => {
  const lines = [
    '{"url":"http://h/1"}',
    '{"url":""}',
    '{"a":1,"url":"x","b":[1.50,-0,2e-07,1E+5,true,false,null,"",{},[]]}',
    '{"b": {"c": [[1, 2], {"d": "e"}]}, "url": "名前", "": "Ümläut"}',
    '{"a":{"y":1,"x":2},"url":"u"}',
    '{"a":{"x":2,"y":1},"url":"u"}',
    '{"a":[{"x":2},{"y":1}],"url":"u"}',
    '{"a":"\\"\\\\\\b\\f\\n\\r\\t","url":"escapes"}',
    `{"url":"${'y'.repeat(5000)}","${'n'.repeat(300)}":"${'z'.repeat(999)}"}`,
    '{"url":"twice","n":1,"n":2}',
    '{"a":"\\u00e9\\u540d\\uD83D\\ude00!\\u0041","url":"code points"}',
    '{"a":"\\/\\u002f\\u0022\\u005C\\u0008\\u000c\\u000A\\u000d\\u0009","url":"of ASCII"}',
    '{"a":"\\u0000\\u001F\\u001f\\u007f\\u0080\\u07ff\\u0800\\uFFFF\\uD800\\uDC00\\ud840\\udc00\\udbff\\udfff","url":"first, last"}',
    '{"a":{"b":[{"a":"名\\u540d\\n\\\\u0041"},"\\u0030"]},"url":"deeper"}',
    '{"url":"\\u0068ttp:\\/\\/h\\/\\u540d\\ud83d\\ude00\\u0000?\\"\\\\\\b\\f\\n\\r\\t"}',
    `{"a":"${'z'.repeat(300)}\\u00e9${'é'.repeat(999)}\\/","url":"${'y'.repeat(300)}\\u00e9${'x'.repeat(20)}"}`,
    '{"urls":"a","ur":"b","uuie":"c","rum":1,"resulu":2,"o":{"uuid":"a","run":1,"url":"b"},"url":"d"}',
    `{"url":"deep","a":${DEEP}1${'}]'.repeat(15)}}`,
    `{"url":"deep arrays","a":${'['.repeat(31)}${']'.repeat(31)}}`,
  ];
  expectParsed(lines, OF_URL);
  expectParsed(
    lines.filter((line) => !line.includes('twice')),
    {},
  );
});

test.each([
  ...[
    '',
    ' ',
    '{',
    '{}',
    '{"url"}',
    '{"url":}',
    '{"url":"a"',
    '{"url":"a}',
    '{"url":"a"}}',
    '{"url":"a"}{',
    '[]',
    '1',
  ],
  ...[
    '{"url":"a",}',
    '{,"url":"a"}',
    '{"url":"a" }',
    '{ "url":"a"}',
    '{"url" :"a"}',
    '{"url":"a" ,"b":1}',
    '{"url":"a";"b":1}',
    '{url:"a"}',
  ],
  ...[
    '01',
    '1.',
    '.5',
    '-',
    '+1',
    '1e',
    '1e+',
    '0x1',
    'NaN',
    'tru',
    'trues',
    'nul',
    'nulls',
    'fals',
    "'a'",
    '"a\tb"',
  ].map((value) => `{"url":"a","b":${value}}`),
  ...[
    '"\\x"',
    '"\\u"',
    '"\\u004"',
    '"\\u004g"',
    '"\\u00`0"',
    '"\\u:000"',
    '"\\u000/"',
    '"\\U0041"',
    '"\\u0041',
    '"\\ud83d"',
    '"\\ude00"',
    '"\\ude00\\ud83d"',
    '"\\ud83d\\ud83d\\ude00"',
    '"\\ude00\\ude00"',
    '"\\ud83d\\ufe00"',
    '"\\ud83d\\xde00"',
    '"\\ud83dxude00"',
    '"\\ud83dude00"',
    '"\\ud83d\\n"',
    '"\\ud83d\\u0041"',
    '"\\ud83d\\u00"',
    '"\\ud83d\\u"',
    '"\\u00e9\t"',
    '"\\u00e9\t',
    '"\\',
    '[1,]',
    '[1 2]',
    '[1;2]',
    '{"a":1;"b":2}',
    '[1',
    '{"a":1,}',
    '{"a"}',
    '{"a":1',
    '{"\\n":1}',
    '[ 1]',
  ].map((value) => `{"url":"a","b":${value}}`),
  ...['{"url":"a","url":"b"}', '{"url":"a","\\n":1}'],
  ...[
    '{"ur\\u006c":"a"}',
    '{"url":"a","\\u0075rl":"b"}',
    '{"url":"a","b":{"\\u0062":1}}',
    '{"url":"a","\\/":1}',
  ],
  ...['{"url":"\\ud83d"}', '{"url":"\\u00"}', '{"url":"a\\x"}', '{"url":"\\u0061","url":"a"}', '{"url":"\\/'],
  ...['{"url":"a","uuid":"b"}', '{"url":"a","run":1}', '{"result":1,"url":"a"}'],
  ...[
    '\ufeff{"url":"a"}',
    '{"url":"a"} ',
    '{"url":"a"}\r ',
    `{"url":"a","b":${DEEP}[{"a":1}]${'}]'.repeat(15)}}`,
    `{"url":"a","b":${'['.repeat(32)}${']'.repeat(32)}}`,
  ],
])('%s is left to the parser', (line) => {
  for (const options of [OF_URL, {}])
    expect(readBy(reader(options), [line, '{"url":"next"}'])).toMatchObject({ count: 0 });
});

test.each(['{"b":1}', '{"url":1}', '{"url":"a","b":1,"b":2}'])(
  '%s is left to the parser only for the uuid of one kind',
  (line) => {
    const counts = [OF_URL, {}].map((options) => readBy(reader(options), [line])?.count);
    expect(counts).toEqual(line.includes('"a"') ? [1, 0] : [0, 1]);
  },
);

test.each<LoadOptions>([
  { uuidFields: ['url'], select: ['url'] },
  { uuidFields: ['url'], rename: new Map([['a', 'b']]) },
  { uuidFields: ['url', 'url'] },
  { uuidFields: ['uuid'] },
  { uuidFields: ['result.url'] },
  { uuidFields: Array.from({ length: 17 }, (_, i) => `a${i}`) },
])('no record is read with %j', (options) => {
  expect(recordReader(optionsOf(options))).toBeUndefined();
});

test('a line over --max-line is left to the parser', () => {
  const line = '{"url":"1234567890"}';
  for (const [most, count] of [
    [line.length, 1],
    [line.length - 1, 0],
  ] as const) {
    const limited = reader({ uuidFields: ['url'], maxLine: most });
    expect(limited.read(Buffer.from(`${line}\n`.repeat(1000)), 1)?.length ?? 0).toBe(count * 1000);
  }
});

test('a record that lacks one of several attributes is left to the parser', () => {
  const several = reader({ uuidFields: ['url', 'n'] });
  const lines = ['{"n":"1","url":"a"}', '{"url":"a"}', '{"n":"2","url":"b"}'];
  expect(several.read(Buffer.from(`${lines[0]}\n`.repeat(1000) + lines.join('\n')), 1)?.length).toBe(1001);
});

test('a few records never load WebAssembly', () => {
  expect(reader(OF_URL).read(Buffer.from('{"url":"a"}'), 1)).toBeUndefined();
});
