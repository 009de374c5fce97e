import { describe, expect, test } from 'vitest';
import { Task } from '../../src/core/record/task.ts';
import { absentFields, FieldSlip } from '../../src/savers/rows/field-check.ts';
import { fieldsOf, parseFields } from '../../src/savers/rows/fields.ts';

describe('--fields', () => {
  test.each([
    ['a', ['a']],
    ['uuid,result.status', ['uuid', 'result.status']],
    ['stock=result.json.stock,b', [{ name: 'stock', path: 'result.json.stock' }, 'b']],
    ['a=b=c', [{ name: 'a', path: 'b=c' }]],
    ['"a=b"', ['a=b']],
    ['"last, first",b', ['last, first', 'b']],
    ['"a ""b"""', ['a "b"']],
    ['"x, y"="p, q",z', [{ name: 'x, y', path: 'p, q' }, 'z']],
    ['a="b,c"', [{ name: 'a', path: 'b,c' }]],
    ['a"b,c', ['a"b', 'c']],
  ])('parses %s into columns and attributes', (typed, fields) => {
    expect(parseFields(typed)).toEqual(fields);
  });

  test.each(['', 'a,', ',a', 'a,,b', '=', 'a=', '=a', '"a', '"a"b', '"a"="b', '""', 'a=""'])(
    'rejects %j',
    (typed) => {
      expect(() => parseFields(typed)).toThrow(/must be attributes with commas between them/);
    },
  );
});

describe('the check of fields against the first records', () => {
  const done = '"result":{"status":200,"json":{"stock":1}},"run":{"state":"SUCCESS","as":"result"}';
  const first = `{"uuid":"a","url":"u","user_id":"7","phone1":"1",${done}}`;
  const failed = '{"uuid":"f","url":"u","run":{"state":"FAILURE","as":"result"}}';
  const check = (fields: string, ...lines: string[]): readonly string[] | undefined =>
    absentFields(
      fieldsOf(parseFields(fields)),
      (lines.length === 0 ? [first] : lines).map((line) => new Task('a', line)),
    );

  test.each([
    ['status', 'result.status'],
    ['json.stock', 'result.json.stock'],
    ['json', 'result.json'],
    ['stock=stok,x=status', 'result.status'],
    ['ulr', 'url'],
    ['URL', 'url'],
    ['urll', 'url'],
    ['userId', 'user_id'],
    ['uuid,url,usr_id', 'user_id'],
  ])('rejects %s and suggests %s', (fields, meant) => {
    expect(() => check(fields)).toThrow(FieldSlip);
    expect(() => check(fields)).toThrow(`did you mean ${meant}?`);
  });

  test.each([
    ['phone2', 'a name that differs in a digit'],
    ['other', 'a name that is like no other'],
    ['url,urls', 'a name like one that is among the fields'],
    ['result.staus', 'a path in an object that is there'],
    ['result.text', 'a member of the result that is optional'],
    ['ulr=ulr', 'a path that is given with its name'],
    ['page.status', 'a path unlike any other'],
  ])('only reports %s: %s', (fields) => {
    expect(check(fields)).toEqual([fields.replace(/^url,/, '').replace(/^.*=/, '')]);
  });

  test.each([
    ['uuid,url,result.status', 'attributes that are there'],
    ['run.error.code,run.ms', 'optional members of a run'],
  ])('accepts %s: %s', (fields) => {
    expect(check(fields)).toEqual([]);
  });

  test('ignores failures and waits for the first success', () => {
    expect(check('status', failed)).toBeUndefined();
    expect(check('result.status', failed, '{"uuid":"b","url":"u"}')).toEqual(['result.status']);
    expect(() => check('status', failed, first)).toThrow(FieldSlip);
  });

  test('accepts an attribute that one of the records has', () => {
    expect(check('status', first, '{"uuid":"b","status":null}')).toEqual([]);
  });
});
