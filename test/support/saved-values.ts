/** Returns a record as comparable text: numbers keep their digits, and members are sorted. */
export function sorted(line: string): string {
  const members = [...line.matchAll(/"(?:[^"\\]|\\.)*":(?:\{.*?\}|\[.*?\]|"(?:[^"\\]|\\.)*"|[^,{}[\]]+)/g)];
  return members
    .map(([member]) => member)
    .sort()
    .join(',');
}

const NUMBERS = [
  '0',
  '-0',
  '1',
  '1.0',
  '1.10',
  '7',
  '1e3',
  '1E+400',
  '-1e999',
  '0.1',
  '5e-324',
  '1e21',
].concat(
  ['9007199254740993', '9223372036854775807', '-9223372036854775808', '9223372036854775808'],
  ['12345678901234567890', '123456789012345680000', '0.12345678901234567890123', '100000000000000000000.5'],
);
const TEXTS = [
  '',
  'a',
  '1',
  '1.10',
  'true',
  'null',
  '{}',
  '{"k":1}',
  '[1,2]',
  '"x"',
  '{}x',
  'ä🙂',
  'a\0b',
  '\ud800',
  'x\ufffd',
];
const OTHERS = [
  'null',
  'true',
  'false',
  '{}',
  '[]',
  '{"k":1.10}',
  '{"k":{"n":[1.0,null,"\\u0000"]}}',
  '[1,"\\ud800",{}]',
];
/** Values as JSON text, each of which a saver keeps to the byte. */
export const VALUES: readonly string[] = [
  ...NUMBERS,
  ...TEXTS.map((text) => JSON.stringify(text)),
  ...OTHERS,
];
/** Names of attributes that a saver keeps. */
export const NAMES: readonly string[] = [
  'a',
  'A',
  'b',
  'name',
  'Name',
  'NAME',
  'state',
  'State',
  'state_',
  'exact',
  'others',
  'Exact',
  'exact_',
  '',
].concat([
  'with "quotes"',
  "o'k",
  'a.b',
  'rowid',
  '__proto__',
  'ä',
  'x'.repeat(300),
  'nul\0',
  '\udc00',
  'uuid_',
  'at',
  'select',
]);
