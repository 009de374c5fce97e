import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Seen, serve, serveRaw, type TestServer } from '../../../support/http-server.ts';
import { freshFolder } from '../../../support/run.ts';
import { attempt, fetchOne, open, taskOf } from '../support.ts';

async function echo(): Promise<TestServer> {
  return serve((response) => response.end('ok'));
}

async function sent(record: (url: string) => object | string, options = {}): Promise<Seen> {
  const server = await echo();
  const { error } = await fetchOne(record(server.url), options);
  expect(error).toBeUndefined();
  return server.seen[0] as Seen;
}

describe('the url', () => {
  test('is sent with its query and without its fragment', async () => {
    const server = await echo();
    const { result } = await fetchOne({ url: `${server.url}/a/../b%20c?x=1&y=%2F#part` });
    expect(server.seen[0]?.url).toBe('/b%20c?x=1&y=%2F');
    expect(result?.url).toBe(`${server.url}/b%20c?x=1&y=%2F`);
  });

  test('is percent-encoded where required', async () => {
    const { url } = await sent((base) => ({ url: `${base}/ä b?q=é'"` }));
    expect(url).toBe('/%C3%A4%20b?q=%C3%A9%27%22');
  });

  test('gets params from an object, JSON text or a=1&b=2, after its own query', async () => {
    const object = '{"url":"URL/?z=0","params":{"id":12345678901234567890,"q":"a b&c","l":[1,"x"],"n":null}}';
    expect((await sent((url) => object.replace('URL', url))).url).toBe(
      '/?z=0&id=12345678901234567890&q=a+b%26c&l=1&l=x',
    );
    expect((await sent((url) => ({ url, params: '{"a": 1.10}' }))).url).toBe('/?a=1.10');
    expect((await sent((url) => ({ url, params: 'a=1&b=2' }))).url).toBe('/?a=1&b=2');
  });

  test('of a template percent-encodes attributes, and fails if one is missing, empty or a dot segment', async () => {
    const server = await echo();
    const executor = await open({ url: `${server.url}/items/{id}?p={page}` });
    await attempt(executor, { id: 'a/b?c', page: 3 });
    expect(server.seen[0]?.url).toBe('/items/a%2Fb%3Fc?p=3');
    expect((await attempt(executor, { id: 'x' })).error).toMatchObject({ code: 'TEMPLATE' });
    // Each of these would change the url to that of another resource.
    for (const id of ['', '.', '..']) {
      expect((await attempt(executor, { id, page: 3 })).error).toMatchObject({ code: 'TEMPLATE' });
    }
  });

  test.each(['{page}', '{page}&z={id}'])(
    'of the template %s inserts a value at its start unchanged',
    async (url) => {
      const server = await echo();
      const executor = await open({ url });
      const { error } = await attempt(executor, { id: 'a&b', page: `${server.url}/a?x=1&y=2` });
      expect(error).toBeUndefined();
      expect(server.seen[0]?.url).toBe(url === '{page}' ? '/a?x=1&y=2' : '/a?x=1&y=2&z=a%26b');
      expect(executor.lane?.(taskOf({ id: '', page: `${server.url}/a` }))).toBe(
        url === '{page}' ? server.url : '',
      );
    },
  );

  test.each([
    [
      { page: 'https://h/x', n: 1 },
      '"page" looks like one: task-load --rename page=url, or task-exec --url \'{page}\'',
    ],
    [
      { a: 'http://h/', b: 'www.h.de' },
      '"a", "b" look like urls: task-load --rename a=url, or task-exec --url \'{a}\'',
    ],
    [{ id: 7 }, "make it of other attributes, as in --url 'https://host/{id}'"],
  ])('that is missing from %j is reported with what to do', async (record, hint) => {
    expect((await fetchOne(record)).error).toEqual({
      code: 'URL',
      message: `the record has no "url"; ${hint}`,
    });
  });

  test.each(['example.com/a?b', 'www.example.com', '//example.com/', 'example.com:8080/x', 'müller.de'])(
    'without a scheme is reported so: %s',
    async (url) => {
      expect((await fetchOne({ url })).error?.message).toBe(
        `invalid url "${url}": it has no scheme; write https:// before it`,
      );
    },
  );

  test('with user and password sends Basic authentication and shows neither', async () => {
    const server = await echo();
    const url = server.url.replace('//', '//jo%40x:p%3Aw@');
    const executor = await open();
    const { raw } = await attempt(executor, { url });
    expect(server.seen[0]?.headers.authorization).toBe(`Basic ${Buffer.from('jo@x:p:w').toString('base64')}`);
    expect(raw).toContain(`"url":"${server.url}/"`);
    expect(executor.describe(taskOf({ url }))).toBe(`GET ${server.url}/`);
  });

  test.each([
    ['ftp://jo:secret@h/x', 'http:// or https://'],
    ['h/x', 'invalid url'],
    ['http://jo:secret@h:99999/', 'invalid url'],
    ['javascript:alert(1)', 'http:// or https://'],
  ])('that is %s fails the task', async (url, words) => {
    const { error } = await fetchOne({ url });
    expect(error?.code).toBe('URL');
    expect(error?.message).toContain(words);
    expect(error?.message).not.toContain('secret');
  });

  test('with half a surrogate pair fails the task and still has a lane', async () => {
    const half = '\ud83d';
    const made = await open({ url: 'http://127.0.0.1:1/{id}' });
    expect(made.lane?.(taskOf({ id: half }))).toBe('http://127.0.0.1:1');
    expect(made.describe(taskOf({ id: half }))).toContain('surrogate');
    expect((await attempt(made, { id: half })).error).toEqual({
      code: 'TEMPLATE',
      message: 'an attribute that --url needs contains half a surrogate pair',
    });
    expect((await fetchOne({ url: `http://127.0.0.1:1/${half}` })).error).toMatchObject({
      code: 'URL',
      message: expect.stringContaining('surrogate'),
    });
  });

  test('that is missing fails the task', async () => {
    expect((await fetchOne({})).error).toMatchObject({
      code: 'URL',
      message: expect.stringContaining('--url'),
    });
  });

  test('determines the lane by its origin', async () => {
    const executor = await open();
    const lane = (url: string): string | undefined => executor.lane?.(taskOf({ url }));
    expect(lane('http://h:80/a')).toBe('http://h');
    expect(lane('http://h/b')).toBe('http://h');
    expect(lane('HTTP://H?x')).toBe('http://h');
    expect(lane('https://h:8443#x')).toBe('https://h:8443');
    expect(lane('http://jo:pw@h/')).toBe('http://h');
    expect(lane('http://h\\@other/')).toBe(new URL('http://h\\@other/').origin);
    expect(lane('nonsense')).toBe('');
  });

  test.each([
    ['http://h:8080/{id}?q={n}', 'http://h:8080'],
    ['HTTPS://H?{id}', 'https://h'],
    ['http://jo:pw@h/{id}', 'http://h'],
    ['http://h/', 'http://h'],
    ['http://h{id}/x', 'http://h7'],
    ['http://h{id}.example/{n}', 'http://h7.example'],
    ['http://{id}/', 'http://0.0.0.7'],
    ['http://h:80{id}/', 'http://h:807'],
    ['http://h\\{id}/', 'http://h'],
  ])('of the template %s has the lane %s', async (url, lane) => {
    const executor = await open({ url });
    expect(executor.lane?.(taskOf({ id: 7, n: 1 }))).toBe(lane);
  });
});

describe('method and body', () => {
  test('are GET and empty by default, even if the record has data', async () => {
    const { method, body } = await sent((url) => ({ url, data: 'x' }));
    expect([method, body]).toEqual(['GET', '']);
  });

  test.each(['post', 'Put', 'PATCH', 'delete'])('%s sends data', async (method) => {
    const seen = await sent((url) => ({ url, method, data: 'a=1&b=2' }));
    expect(seen).toMatchObject({ method: method.toUpperCase(), body: 'a=1&b=2' });
    expect(seen.headers['content-type']).toBe('application/x-www-form-urlencoded');
  });

  test('data as an object or JSON text is sent as a form', async () => {
    const object = '{"url":"URL","method":"post","data":{"id":1.10,"q":"a b"}}';
    expect((await sent((url) => object.replace('URL', url))).body).toBe('id=1.10&q=a+b');
    const text = await sent((url) => ({ url, method: 'post', data: '{"id": 1}' }));
    expect(text.body).toBe('id=1');
    expect(text.headers['content-type']).toBe('application/x-www-form-urlencoded');
  });

  test('headers can be a=1&b=2, as in a cell of a CSV', async () => {
    const { headers } = await sent((url) => ({ url, headers: 'X-B=c&X-C=d%20e' }));
    expect(headers).toMatchObject({ 'x-b': 'c', 'x-c': 'd e' });
  });

  test('data with millions of fields is sent as a form', async () => {
    const { headers } = await sent((url) => ({
      url,
      method: 'post',
      data: `a=1${'&a=1'.repeat(4_000_000)}`,
    }));
    expect(headers).toMatchObject({
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': '16000003',
    });
  });

  test('JSON text in data is sent unchanged if a header says that it is JSON', async () => {
    const seen = await sent((url) => ({
      url,
      method: 'post',
      data: '{"id": 1}',
      headers: { 'Content-Type': 'application/json' },
    }));
    expect(seen.body).toBe('{"id": 1}');
    expect(seen.headers['content-type']).toBe('application/json');
  });

  test('other data is sent unchanged as text/plain', async () => {
    const seen = await sent((url) => ({ url, method: 'post', data: 'Grüße = x & y' }));
    expect(seen.body).toBe('Grüße = x & y');
    expect(seen.headers['content-type']).toBe('text/plain;charset=UTF-8');
  });

  test('json keeps all digits of numbers', async () => {
    const record = '{"url":"URL","method":"post","json":{"id": 12345678901234567890, "p": 1.10}}';
    const seen = await sent((url) => record.replace('URL', url));
    expect(seen.body).toBe('{"id":12345678901234567890,"p":1.10}');
    expect(seen.headers['content-type']).toBe('application/json');
  });

  test.each([
    ['purge', 'PURGE'],
    ['Propfind', 'PROPFIND'],
    ['query', 'QUERY'],
    ['FROB', 'FROB'],
    ['X-Own_1', 'X-Own_1'],
    ['trace', 'TRACE'],
  ])('%s is sent as %s', async (method, sentAs) => {
    const heads: string[] = [];
    const server = await serveRaw((socket, head) => {
      heads.push(head);
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    });
    expect((await fetchOne({ url: server.url, method })).error).toBeUndefined();
    expect(heads[0]?.split(' ')[0]).toBe(sentAs);
  });

  test('the method json posts data or json as JSON', async () => {
    const post = async (more: object): Promise<string> => {
      const seen = await sent((url) => ({ url, method: 'json', ...more }));
      expect(seen.method).toBe('POST');
      return seen.body;
    };
    expect(await post({ data: { a: 1 } })).toBe('{"a":1}');
    expect(await post({ data: '{"a":1.10}' })).toBe('{"a":1.10}');
    expect(await post({ data: 'a=1&b=2&b=3' })).toBe('{"a":"1","b":["2","3"]}');
    expect(await post({ json: [1, 2] })).toBe('[1,2]');
    expect(await post({ json: 'words' })).toBe('"words"');
  });

  test.each([
    [{ method: 'fetch' }, 'method must be one of'],
    [{ method: 'A B' }, 'method must be one of'],
    [{ method: 'Connect' }, 'method must not be CONNECT'],
    [{ method: 'post', json: '{"a":' }, 'json is not valid JSON'],
    [{ method: 'post', data: '{"a":' }, 'data is not valid JSON'],
    [{ method: 'post', data: [1] }, 'data must be'],
    [{ params: 7 }, 'params must be'],
    [{ headers: 'X' }, 'headers must be'],
    [{ headers: { 'a b': 'x' } }, 'headers must have names'],
    [{ headers: { a: 'secret\nInjected: 1' } }, 'headers must not contain control characters'],
    [{ timeout: 'soon' }, 'timeout must be'],
    [{ timeout: 0 }, 'timeout must be'],
    [{ headers: '{"a": secret}' }, 'headers is not valid JSON'],
    [{ headers: { 'a secret': 'x' } }, 'got "a…"'],
    [{ params: { a: '\ud800' } }, 'params must not contain half a surrogate pair'],
    [{ params: { '\ud800': 1 } }, 'params must not contain half a surrogate pair'],
    [{ params: 'a=\udc00' }, 'params must not contain half a surrogate pair'],
    [{ method: 'post', data: 'a \ud800' }, 'data must not contain half a surrogate pair'],
    [{ method: 'post', data: { a: ['\ud800'] } }, 'data must not contain half a surrogate pair'],
    [{ headers: { a: '\ud800' } }, 'headers must not contain half a surrogate pair'],
    [{ method: { toString: 1 } }, 'method must be one of'],
    [{ timeout: { toString: 1 } }, 'timeout must be'],
  ])('%o fails the task before anything is sent', async (record, words) => {
    const server = await echo();
    const { error } = await fetchOne({ url: server.url, ...record });
    expect(error?.code).toBe('REQUEST');
    expect(error?.message).toContain(words);
    expect(error?.message).not.toContain('secret');
    expect(server.seen).toHaveLength(0);
  });
});

describe('headers', () => {
  test('of a record override those of --header, and both override the defaults', async () => {
    const { headers } = await sent((url) => ({ url, headers: '{"X-A": "record", "X-C": 1.10}' }), {
      header: ['x-a: option', 'X-B: option', 'User-Agent: mine', 'accept: text/html'],
    });
    expect(headers).toMatchObject({ 'x-a': 'record', 'x-b': 'option', 'x-c': '1.10', 'user-agent': 'mine' });
    expect(headers.accept).toBe('text/html');
  });

  test('are read from a file, except blank lines and comments', async () => {
    const file = join(freshFolder(), 'headers.txt');
    writeFileSync(file, '# for the test\n\nAuthorization: Bearer t0k\r\nX-B: ü\n');
    const { headers } = await sent((url) => ({ url }), { header: [`@${file}`] });
    expect(headers.authorization).toBe('Bearer t0k');
    expect(Buffer.from(headers['x-b'] as string, 'latin1').toString()).toBe('ü');
  });

  test('keep their bytes, without white space at the ends', async () => {
    const { headers } = await sent((url) => ({ url, headers: { 'X-A': ' voilà ' } }));
    expect(Buffer.from(headers['x-a'] as string, 'latin1').toString()).toBe('voilà');
  });

  test('of the connection are dropped', async () => {
    const { headers } = await sent((url) => ({
      url,
      headers: { Connection: 'upgrade', 'Content-Length': '9' },
    }));
    expect(headers.connection).toBe('keep-alive');
    expect(headers['content-length']).toBeUndefined();
  });

  test('cannot ask for 100-continue: that is an error, and an empty Expect is dropped', async () => {
    const server = await serve((response) => response.end());
    const { error } = await fetchOne({ url: server.url, headers: { Expect: '100-continue' } });
    expect(error).toEqual({
      code: 'REQUEST',
      message:
        'headers must not have Expect: a body is sent at once, and no further once the server refuses it; remove that header',
    });
    expect(server.connections).toBe(0);
    await expect(open({ header: ['expect: 100-continue'] })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(/^--header must not have Expect: a body is sent at once/),
    });
    expect((await fetchOne({ url: server.url }, { header: ['Expect:'] })).error).toBeUndefined();
    expect(server.seen[0]?.headers).not.toHaveProperty('expect');
  });

  test('may ask for a connection that is closed after the request', async () => {
    const server = await serve((response) => response.end());
    const executor = await open({ header: ['Connection: close'] });
    for (let i = 0; i < 3; i++) await attempt(executor, { url: server.url });
    expect(server.seen.map(({ headers }) => headers.connection)).toEqual(['close', 'close', 'close']);
    expect(server.connections).toBe(3);
  });

  test('of invalid form are a usage error that does not show them, and a missing file is an I/O error', async () => {
    const opening = open({ header: ['Authorization Bearer secret'] });
    await expect(opening).rejects.toMatchObject({ code: 'USAGE' });
    await expect(opening).rejects.not.toThrow('secret');
    const misplaced = open({ header: ['Authorization Bearer secret: x'] });
    await expect(misplaced).rejects.toThrow('got "Authorization…"');
    await expect(misplaced).rejects.not.toThrow('secret');
    await expect(open({ header: ['@/nowhere/at/all'] })).rejects.toMatchObject({ code: 'IO' });
  });

  test('include the user agent, the accepted encodings, and the uuid with --idempotency-header', async () => {
    const { headers } = await sent((url) => ({ url }), { userAgent: 'me/1', idempotencyHeader: true });
    expect(headers).toMatchObject({ 'user-agent': 'me/1', 'idempotency-key': 'u1', accept: '*/*' });
    expect(headers['accept-encoding']).toMatch(/^gzip, deflate, br/);
  });
});

test('consecutive tasks reuse a connection', async () => {
  const server = await echo();
  const executor = await open();
  for (let i = 0; i < 20; i++) await attempt(executor, { url: `${server.url}/${i}` });
  expect(server.seen).toHaveLength(20);
  expect(server.connections).toBeLessThanOrEqual(2);
});

test('the method json without a body fails the task, and says where bodies come from', async () => {
  const server = await echo();
  const { error } = await fetchOne({ url: server.url, method: 'json' });
  expect(error).toEqual({
    code: 'REQUEST',
    message:
      'the method json needs a body: the attribute "json", else "data", or --data, --form or --body-file',
  });
  expect(server.seen).toEqual([]);
});
