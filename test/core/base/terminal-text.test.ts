import { expect, test } from 'vitest';
import { jsonFault } from '../../../src/core/base/errors.ts';
import { escapeControls, quoted, withoutUser } from '../../../src/core/base/terminal-text.ts';

test.each([
  ['\x1b[2J', '\\x1b[2J'],
  ['\x9b31m\x7f\r', '\\x9b31m\\x7f\\x0d'],
  ['\u202eevil\u2066', '\\u202eevil\\u2066'],
  ['\ufeff\u200b\u00ad\u2028', '\\ufeff\\u200b\\xad\\u2028'],
  ['\u{e0041}', '\\u{e0041}'],
  ['\ud800x', '\\ud800x'],
  ['two\nlines\tgrün 漢字 👩‍💻 می‌خواهم', 'two\nlines\tgrün 漢字 👩‍💻 می‌خواهم'],
])('%j is shown as %s', (text, shown) => {
  expect(escapeControls(text)).toBe(shown);
});

test('quoted text has no raw newlines and no bidirectional marks', () => {
  expect(quoted('a"\n\u202e')).toBe('"a\\"\\n\\u202e"');
});

test.each([
  ['https://jo:pw@h/a', 'https://…@h/a'],
  ['https://jo:p/w@h:x', 'https://…@h:x'],
  ['https://jo:p@w?#@h', 'https://…@h'],
  ['http:\\\\jo:pw@h', 'http:\\\\…@h'],
  ['https:jo:pw@h', 'https:…@h'],
  ['token:x@h/a', '…@h/a'],
  ['ftp://jo:pw@h', 'ftp://…@h'],
  ['//jo:pw@h', '…@h'],
  ['https://h/a', 'https://h/a'],
])('%s without its user is %s', (text, shown) => {
  expect(withoutUser(text)).toBe(shown);
});

test.each(['{"a": xsecret}', 'secret', '{"k":"secret"]', '{"k":"x", secret}', '"secret', '[1] secret'])(
  'the JSON error for %s does not quote the text',
  (text) => {
    let words = '';
    try {
      JSON.parse(text);
    } catch (error) {
      words = jsonFault(error);
    }
    expect(words).not.toBe('');
    expect(words).not.toMatch(/secr/);
  },
);
