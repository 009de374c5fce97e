import { describe, expect, test } from 'vitest';
import { InvalidValue } from '../../../src/core/options/option.ts';
import { Task } from '../../../src/core/record/task.ts';
import { compileTemplate } from '../../../src/core/record/template.ts';

function expand(source: string, line: string, encode?: (value: string) => string): unknown {
  return compileTemplate(source).expand(new Task('u', line), encode);
}

describe('a template', () => {
  test('inserts encoded attributes and keeps the text between them', () => {
    const line = '{"uuid":"u","id":"a/b c","page":2}';
    expect(expand('https://h/{id}?p={page}&q=ä', line, encodeURIComponent)).toBe(
      'https://h/a%2Fb%20c?p=2&q=ä',
    );
  });

  test('keeps the digits of numbers as written', () => {
    expect(expand('{a} {b} {c}', '{"a":12345678901234567890,"b":1.10,"c":1e3}')).toBe(
      '12345678901234567890 1.10 1e3',
    );
  });

  test('reads nested attributes by dots, and prefers an attribute with the dotted name', () => {
    expect(expand('{a.b.c}', '{"a":{"b":{"c":1.0}}}')).toBe('1.0');
    expect(expand('{a.b}', '{"a":{"b":1},"a.b":"column"}')).toBe('column');
  });

  test('reads a doubled brace as one brace', () => {
    expect(expand('{{"id":{{{id}}}}}', '{"id":7}')).toBe('{"id":{7}}');
  });

  test.each(['{"x":1}', '{"id":null}', '{"id":{"b":1}}'])('fails if %s lacks the attribute', (line) => {
    expect(expand('{id.a}', line)).toMatchObject({
      code: 'TEMPLATE',
      message: expect.stringContaining('{id.a}'),
    });
  });

  test('treats __proto__ and constructor as plain names', () => {
    expect(expand('{__proto__}', '{"__proto__":"x"}')).toBe('x');
    expect(expand('{constructor}', '{"a":1}')).toMatchObject({ code: 'TEMPLATE' });
    expect(expand('{constructor.name}', '{"a":1}')).toMatchObject({ code: 'TEMPLATE' });
  });

  test.each(['https://h/{id', '{}', '{ }', 'a{b{c}'])('rejects %s', (source) => {
    expect(() => compileTemplate(source)).toThrow(InvalidValue);
  });

  test('lists its attributes', () => {
    expect(compileTemplate('{a}/{{x}}/{ b }').names).toEqual(['a', 'b']);
  });
});
