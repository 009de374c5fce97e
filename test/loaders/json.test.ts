/* JSON as strict as JSON.parse, and other contents that a .json file may have. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jsonErrorAt } from '../../src/core/text/json-error.ts';
import { loaded, tasksOf } from '../support/loaded.ts';
import { freshFolder, sh } from '../support/run.ts';

const json = { format: 'json' } as const;

describe('an array', () => {
  /** Kinds of JSONTestSuite (Nicolas Seriot, 2016), with an object in place of other values. */
  const INVALID = [
    ['n_array_extra_comma', '[{"a":1},]'],
    ['n_array_double_comma', '[{"a":1},,{"a":2}]'],
    ['n_array_double_extra_comma', '[{},,]'],
    ['n_array_comma_and_number', '[,{}]'],
    ['n_array_just_comma', '[,]'],
    ['n_array_missing_value', '[   , {}]'],
    ['n_array_1_true_without_comma', '[{} {}]'],
    ['n_array_colon_instead_of_comma', '[{}:{}]'],
    ['n_array_comma_after_close', '[{}],'],
    ['n_array_extra_close', '[{}]]'],
    ['n_array_incomplete', '[{}'],
    ['n_array_incomplete_invalid_value', '[x'],
    ['n_array_inner_array_no_comma', '[{"a":3[4]}]'],
    ['n_array_items_separated_by_semicolon', '[{};{}]'],
    ['n_array_just_minus', '[-]'],
    ['n_array_newlines_unclosed', '[{"a":1},\n4\n,{}'],
    ['n_array_number_and_comma', '[{},'],
    ['n_array_spaces_vertical_tab_formfeed', '[{"a":"\v"}\\f]'],
    ['n_array_star_inside', '[*]'],
    ['n_array_unclosed_with_new_lines', '[{},\n{}\n,{}'],
    ['n_array_unclosed_with_object_inside', '[{}'],
    ['n_structure_angle_bracket', '<.>'],
    ['n_structure_array_trailing_garbage', '[{}]x'],
    ['n_structure_array_with_extra_array_close', '[{}]]'],
    ['n_structure_array_with_unclosed_string', '["asd]'],
    ['n_structure_close_unopened_array', '{}]'],
    ['n_structure_double_array', '[][]'],
    ['n_structure_end_array', ']'],
    ['n_structure_incomplete_UTF8_BOM', Buffer.from([0xef, 0xbb, 0x7b, 0x7d])],
    ['n_structure_lone-open-bracket', '['],
    ['n_structure_null-byte-outside-string', '[\0]'],
    ['a NUL before an element', '[\0{"a":1}]'],
    ['n_structure_open_array_comma', '[,'],
    ['n_structure_open_array_open_object', '[{'],
    ['n_structure_open_array_open_string', '["a'],
    ['n_structure_open_object_close_array', '[{]'],
    ['n_structure_whitespace_formfeed', '[\f]'],
    ['a form feed after an element', '[{"a":1}\f]'],
    ['n_structure_whitespace_U+2060', '[\u2060]'],
    ['a no-break space', '[\u00a0{}]'],
    ['n_structure_unicode-identifier', 'å'],
    ['n_structure_capitalized_True', '[True]'],
    ['n_object_trailing_comma', '[{"id":0,}]'],
    ['n_object_single_quote', "[{'a':0}]"],
    ['n_object_with_comment', '[{"a":/*c*/"b"}]'],
    ['n_object_unquoted_key', '[{a:"b"}]'],
    ['n_number_with_leading_zero', '[{"a":012}]'],
    ['n_number_NaN', '[{"a":NaN}]'],
    ['n_string_unescaped_tab', '[{"a":"\t"}]'],
    ['n_string_unescaped_newline', '[{"a":"x\ny"}]'],
    ['n_structure_100000_opening_arrays', '['.repeat(100_000)],
  ] as const;

  test.each(INVALID)('is rejected if JSON.parse rejects it: %s', async (_, input) => {
    expect(() => JSON.parse(input.toString())).toThrow();
    for (const length of [1, 7, 1_000_000]) {
      const { bad } = await loaded(Buffer.from(input as string), json, length);
      expect(bad.map(({ code }) => code)).toContain(bad[0]?.code === 'UTF8' ? 'UTF8' : 'JSON');
    }
  });

  test.each([
    ['[]', []],
    [' [ ] \r\n', []],
    ['\ufeff[{"a":[1,{"b":"]}\\"[{"}]}\t,\n{"a":{}}]', [{ a: [1, { b: ']}"[{' }] }, { a: {} }]],
  ])('is loaded if it is valid: %j', async (input, tasks) => {
    expect(await tasksOf(input, json)).toEqual(tasks);
  });

  test('keeps its valid elements around invalid ones', async () => {
    const { tasks, bad } = await loaded('[{"a":1},{"a":01},7,{"a":2}\n,{"a":3},]', json);
    expect(tasks).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }]);
    expect(bad.map(({ code }) => code)).toEqual(['JSON', 'OBJECT', 'JSON']);
  });

  test('has errors with the line and column in the file', async () => {
    const input = '[\n  {"a": 1},\n  {\n    "b": [1,\n2,]\n  },{} {}\n, ]x';
    for (const length of [1, 1000]) {
      const { bad } = await loaded(input, json, length);
      expect(bad.map(({ message }) => /\(.*/.exec(message)?.[0])).toEqual([
        '(line 5, column 3)',
        '(line 6, column 8)',
        '(column 3)',
        '(column 4)',
      ]);
      expect(bad.map(({ line }) => line)).toEqual([3, 6, 7, 7]);
    }
  });

  test('reports where an unclosed string begins, and how many lines it took', async () => {
    const { bad } = await loaded(`[{"a":1},\n{"b":"x},\n${'{"c":1},\n'.repeat(50)}{}]\n`, json);
    expect(bad).toMatchObject([
      {
        line: 2,
        message:
          'the array is cut short: its "]" is missing (column 1); it is not JSON from line 2, column 10 on, and 52 lines up to the end went into this record',
      },
    ]);
  });

  test('is read as it arrives', async () => {
    const cwd = freshFolder();
    const command = `(printf '[{"a":1},'; sleep 20 & echo $! > pid; wait) | (task-load --format json | head -n 1; kill $(cat pid))`;
    expect((await sh(command, { cwd })).stdout).toContain('"a":1');
  });
});

describe('other JSON', () => {
  const THREE = [{ a: 1 }, { a: { b: '}{' } }, { a: 3 }];

  test.each([
    ['an object a line', '{"a":1}\n{"a":{"b":"}{"}}\n\n{"a":3}'],
    ['objects laid out', '{\n  "a": 1\n}\n{\n  "a": {"b": "}{"}\n}\n\n{\n"a":\n3}\n'],
    ['objects side by side', '{"a":1}{"a":{"b":"}{"}} {"a":3}'],
    ['a sequence of RFC 7464', '\x1e{"a":1}\n\x1e{"a":{\n"b":"}{"}}\n\x1e{"a":3}\n'],
    ['objects after a byte order mark', '\ufeff{"a":1}\n{"a":{"b":"}{"}}\n{"a":3}\n'],
  ])('is read with and without --format: %s', async (_, input) => {
    expect(await tasksOf(input, json)).toEqual(THREE);
    expect(await tasksOf(input)).toEqual(THREE);
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'a.json'), input);
    expect((await sh('task-load a.json --quiet', { cwd })).stdout.match(/"a":(1|3|\{)/g)).toHaveLength(3);
  });

  test('a single object is one task', async () => {
    for (const input of ['{"a":1}', '{"a":1}\n', '{\n"a":1\n}'])
      expect(await tasksOf(input, json)).toEqual([{ a: 1 }]);
  });

  test('empty input gives no tasks and no errors', async () => {
    for (const input of ['', ' \n', '\ufeff'])
      expect(await loaded(input, json)).toMatchObject({ tasks: [], bad: [] });
  });

  test('an invalid NDJSON line or sequence record does not affect the next one', async () => {
    const lines = await loaded('{"a":1}\n{"a":\n{"a":3}\n', json);
    expect([lines.tasks, lines.bad.map(({ line }) => line)]).toEqual([[{ a: 1 }, { a: 3 }], [2]]);
    const sequence = await loaded('\x1e{"a":1}\n\x1e{"a":"\n\x1e{"a":3}\n', json);
    expect([sequence.tasks, sequence.bad.map(({ line }) => line)]).toEqual([[{ a: 1 }, { a: 3 }], [2]]);
  });

  test('several arrays are rejected with a command that splits them', async () => {
    const { bad } = await loaded('[{"a":1}]\n[{"a":2}]\n', json);
    expect(bad).toMatchObject([
      { line: 2, message: expect.stringContaining("jq -c '.[]' FILE | task-load --format ndjson") },
    ]);
  });

  test('other values among objects are rejected', async () => {
    const { tasks, bad } = await loaded('{\n"a":1}\n[2]\n"x" 7 }{"a":3}', json);
    expect(tasks).toEqual([{ a: 1 }, { a: 3 }]);
    expect(bad.map(({ code, line }) => `${line} ${code}`)).toEqual([
      '3 OBJECT',
      '4 OBJECT',
      '4 OBJECT',
      '4 JSON',
    ]);
  });

  test('a record of several lines in NDJSON suggests --format json', async () => {
    const { bad } = await loaded('{\n"a":1\n}\n', { format: 'ndjson' });
    expect(bad[0]?.message).toContain('a record of several lines is read with --format json');
  });

  test('a record over --max-line does not affect the next one', async () => {
    const input = `{\n"a":1}{"b":"${'x'.repeat(200)}"}\n{"a":3}`;
    for (const length of [1, 50, 1000]) {
      const { tasks, bad } = await loaded(input, { ...json, maxLine: 100 }, length);
      expect([tasks, bad.map(({ code }) => code)]).toEqual([[{ a: 1 }, { a: 3 }], ['LONG']]);
    }
  });
});

test('the place of an error is at or before the first character that cannot be valid', () => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.nat(),
      fc.constantFrom('x', ',', '}', '"', '\\', '\u0001', ':', '1'),
      (value, at, put) => {
        const valid = JSON.stringify(value);
        const place = at % (valid.length + 1);
        const text = valid.slice(0, place) + put + valid.slice(place);
        let isValid = true;
        try {
          JSON.parse(text);
        } catch {
          isValid = false;
        }
        const found = jsonErrorAt(text) as number;
        if (isValid) expect(found).toBe(text.length);
        else expect(found).toBeLessThanOrEqual(text.length);
        // The text before it is a valid beginning: cut there, only the end is missing.
        if (!isValid) expect(jsonErrorAt(text.slice(0, found))).toBe(found);
      },
    ),
  );
});
