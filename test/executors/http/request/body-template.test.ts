/* Bodies of --data. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Seen, serve } from '../../../support/http-server.ts';
import { freshFolder } from '../../../support/run.ts';
import { attempt, fetchOne, open, type Tried } from '../support.ts';

async function sent(
  data: string,
  record: object,
  options: object = {},
): Promise<Seen & { readonly type: string | undefined }> {
  const server = await serve((response) => response.end());
  const { error } = await fetchOne({ url: server.url, ...record }, { data, ...options });
  expect(error).toBeUndefined();
  const [seen] = server.seen as [Seen];
  return { ...seen, type: seen.headers['content-type'] };
}

async function refused(data: string, record: object, options: object = {}): Promise<Tried['error']> {
  const server = await serve((response) => response.end());
  const { error } = await fetchOne({ url: server.url, ...record }, { data, ...options });
  expect(server.seen).toEqual([]);
  return error;
}

describe('--data', () => {
  test.each([
    ['{"q":"{name}"}', { name: 'say "hi"\n\\ {x}' }, '{"q":"say \\"hi\\"\\n\\\\ {x}"}'],
    ['{"a":{"b":{"c":"{name}"}}}', { name: 'x' }, '{"a":{"b":{"c":"x"}}}'],
    ['{"n":{n}}', { n: 12 }, '{"n":12}'],
    ['{"n":{n}}', { n: '12' }, '{"n":12}'],
    ['{"n":{n}}', { n: '012' }, '{"n":"012"}'],
    ['{"n":"{n}"}', { n: 12 }, '{"n":"12"}'],
    ['[{a},{b}]', { a: true, b: { c: [1] } }, '[true,{"c":[1]}]'],
    ['{"a":{a}}', { a: null }, '{"a":null}'],
    ['{"a":{user.id}}', { user: { id: 7 } }, '{"a":7}'],
    [
      '{ "query": "query { user(id: {id}) { name } }" }',
      { id: 3 },
      '{ "query": "query { user(id: 3) { name } }" }',
    ],
    ['{"t":"{{name}} is {name}"}', { name: 'x' }, '{"t":"{name} is x"}'],
    ['{"t":"a \\"{name}\\" b","u":{n}}', { name: 'q"', n: 1 }, '{"t":"a \\"q\\"\\" b","u":1}'],
  ])('of %s inserts values of %j as JSON', async (data, record, body) => {
    const seen = await sent(data, record);
    expect(seen).toMatchObject({ method: 'POST', body, type: 'application/json' });
    expect(() => JSON.parse(seen.body)).not.toThrow();
  });

  test.each([
    ['a={a}&b={b}', { a: 'x y&z', b: 'ä=1' }, 'a=x+y%26z&b=%C3%A4%3D1', 'application/x-www-form-urlencoded'],
    ['hello {a}, {{a}}', { a: '<&>' }, 'hello <&>, {a}', 'text/plain;charset=UTF-8'],
    [
      '<a b="{a}">{b}</a>',
      { a: '"x"', b: '<&>' },
      '<a b="&#34;x&#34;">&#60;&#38;&#62;</a>',
      'application/xml',
    ],
    ['{a}', { a: 'a=1' }, 'a=1', 'text/plain;charset=UTF-8'],
  ])('of %s is %j', async (data, record, body, type) => {
    expect(await sent(data, record)).toMatchObject({ body, type });
  });

  test('escapes for the type that a header says', async () => {
    const header = ['Content-Type: application/x-ndjson'];
    const lines = '{"index":{}}\n{"t":"{t}"}\n';
    const seen = await sent(lines, { t: 'a"b' }, { header });
    expect(seen).toMatchObject({ body: '{"index":{}}\n{"t":"a\\"b"}\n', type: 'application/x-ndjson' });
    const own = await sent('{t}', {
      t: 'a b',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    });
    expect(own.body).toBe('a+b');
    expect((await sent('{t}', { t: 'a' }, { method: 'json' })).body).toBe('"a"');
  });

  test('replaces the attributes json and data', async () => {
    expect((await sent('{"a":{data}}', { data: 'x', json: { b: 1 } })).body).toBe('{"a":"x"}');
  });

  test.each(['get', 'delete', 'options', 'put', 'PURGE'])(
    'is sent with %s if that is asked for',
    async (method) => {
      const seen = await sent('{"a":1}', {}, { method });
      expect(seen).toMatchObject({ method: method.toUpperCase(), body: '{"a":1}' });
      expect(seen.headers['content-length']).toBe('7');
      expect((await sent('{"a":1}', { method })).body).toBe('{"a":1}');
    },
  );

  test('@FILE reads the text from a file, without its last line break', async () => {
    const file = join(freshFolder(), 'body.json');
    writeFileSync(file, '\ufeff{\n  "q": "{name}"\n}\n');
    expect((await sent(`@${file}`, { name: 'x' })).body).toBe('{\n  "q": "x"\n}');
  });

  test('fails a task that lacks an attribute, and says how a brace is written', async () => {
    expect(await refused('{"q":"{name}"}', {})).toEqual({
      code: 'TEMPLATE',
      message: 'the body needs {name}, which the record does not have; a brace itself is written {{name}}',
    });
    expect(await refused('{"q":"{name}"}', { name: '\ud83d' })).toMatchObject({ code: 'REQUEST' });
  });

  test.each([
    ['{"a":{b}', 'begins like JSON, but is not valid'],
    ['@/none/at/all', 'cannot read --data /none/at/all: no such file'],
    ['@-', 'stdin has the tasks'],
  ])('%s is an error before any task', async (data, words) => {
    await expect(open({ data })).rejects.toMatchObject({ message: expect.stringContaining(words) });
  });

  test('is a usage error together with another body', async () => {
    await expect(open({ data: 'x', bodyFile: 'y', form: ['a=b'] })).rejects.toMatchObject({
      code: 'USAGE',
      message: 'a request has one body: give --data or --form or --body-file, not both',
    });
  });
});

test('the cache does not answer a GET with a body', async () => {
  const server = await serve((response, { body }) => {
    response.setHeader('cache-control', 'max-age=600').end(`for ${body}`);
  });
  const executor = await open({ cache: join(freshFolder(), 'cache'), data: '{q}', method: 'get' });
  for (const q of ['a', 'b'])
    expect((await attempt(executor, { url: server.url, q })).result?.text).toBe(`for ${q}`);
});
