import { describe, expect, test } from 'vitest';
import { type Answering, serve, type TestServer } from '../../../support/http-server.ts';
import { fetchOne } from '../support.ts';

/** Redirects /302, /307 and the like to `to` with that status, and answers other paths with their url. */
function redirecting(to: string | (() => string)): Answering {
  return (response, { url }) => {
    const status = Number(/^\/(3\d\d)$/.exec(url)?.[1] ?? 200);
    if (status === 200) response.end(`this is ${url}`);
    else response.writeHead(status, { location: typeof to === 'string' ? to : to() }).end('moved');
  };
}

async function pair(): Promise<{ from: TestServer; to: TestServer }> {
  const to = await serve((response) => response.end('there'));
  return { from: await serve(redirecting(`${to.url}/new`)), to };
}

describe('a redirect', () => {
  test('is followed, and the result has the final url', async () => {
    const server = await serve(redirecting('../b?x=1#part'));
    const { result, error } = await fetchOne({ url: `${server.url}/302#old` });
    expect(error).toBeUndefined();
    expect(result).toMatchObject({ url: `${server.url}/b?x=1`, text: 'this is /b?x=1' });
  });

  test.each([
    [301, 'post', 'GET', ''],
    [302, 'post', 'GET', ''],
    [303, 'post', 'GET', ''],
    [303, 'put', 'GET', ''],
    [303, 'head', 'HEAD', ''],
    [301, 'put', 'PUT', 'a=1'],
    [302, 'head', 'HEAD', ''],
    [307, 'post', 'POST', 'a=1'],
    [308, 'put', 'PUT', 'a=1'],
  ])('with status %i turns %s into %s', async (status, method, then, body) => {
    const server = await serve(redirecting('/new'));
    await fetchOne({ url: `${server.url}/${status}`, method, data: 'a=1' });
    expect(server.seen[1]).toMatchObject({ method: then, body });
    const type = server.seen[1]?.headers['content-type'];
    expect(type).toBe(body === '' ? undefined : 'application/x-www-form-urlencoded');
  });

  test('to another origin drops all headers of the user', async () => {
    const { from, to } = await pair();
    const url = `${from.url.replace('//', '//jo:pw@')}/307`;
    const record = { url, method: 'post', data: 'a=1', headers: { 'X-Mine': '1', Cookie: 'a=1' } };
    const { error } = await fetchOne(record, { header: ['Authorization: Bearer secret', 'X-Token: secret'] });
    expect(error).toBeUndefined();
    expect(from.seen[0]?.headers).toMatchObject({ 'x-mine': '1', 'x-token': 'secret', cookie: 'a=1' });
    const { headers, body } = to.seen[0] ?? { headers: {}, body: '' };
    expect(body).toBe('a=1');
    expect(Object.keys(headers).sort()).toEqual([
      'accept',
      'accept-encoding',
      'connection',
      'content-length',
      'content-type',
      'host',
      'user-agent',
    ]);
  });

  test('to another origin keeps headers that hold no secret, and those of --keep-header', async () => {
    const there = await serve((response) => response.end());
    const server = await serve(redirecting(there.url));
    const headers = {
      ...{ Accept: 'application/x-bibtex', 'Accept-Language': 'de', Range: 'bytes=0-9', 'User-Agent': 'me' },
      ...{
        'Content-Type': 'text/csv',
        'X-Tenant': 'a',
        'X-Token': 'secret',
        Cookie: 'a=1',
        Authorization: 'x',
      },
    };
    const record = { url: `${server.url}/307`, method: 'post', data: 'a,b', headers };
    await fetchOne(record, { keepHeader: ['x-tenant'] });
    expect(there.seen[0]?.headers).toMatchObject({
      ...{ accept: 'application/x-bibtex', 'accept-language': 'de', range: 'bytes=0-9', 'user-agent': 'me' },
      ...{ 'content-type': 'text/csv', 'x-tenant': 'a' },
    });
    for (const secret of ['x-token', 'cookie', 'authorization'])
      expect(there.seen[0]?.headers).not.toHaveProperty(secret);
    await fetchOne(record);
    expect(there.seen[1]?.headers).not.toHaveProperty('x-tenant');
  });

  test('with the same location twice is followed, with two locations fails without a request', async () => {
    const server = await serve((response, { url }) => {
      if (url === '/x') return response.end('x');
      response.writeHead(302, { location: url === '/same' ? ['/x', '/x'] : ['/x', '/y'] } as never).end();
      return response;
    });
    expect((await fetchOne({ url: `${server.url}/same` })).result).toMatchObject({ text: 'x' });
    const { error } = await fetchOne({ url: `${server.url}/differ` });
    expect(error).toEqual({
      code: 'REDIRECTS',
      message: `127.0.0.1:${server.port} redirects to 2 places at once: "/x", "/y" (--lenient takes the first)`,
    });
    expect(server.seen.map(({ url }) => url)).toEqual(['/same', '/x', '/differ']);
  });

  test('back to the first origin does not restore the headers', async () => {
    let back = '';
    const there = await serve((response) => response.writeHead(302, { location: back }).end());
    const server = await serve(redirecting(there.url));
    back = `${server.url}/end`;
    await fetchOne({ url: `${server.url}/302`, headers: { 'X-Token': 'secret' } });
    expect(server.seen.map(({ headers }) => headers['x-token'])).toEqual(['secret', undefined]);
  });

  test('within an origin keeps the headers', async () => {
    const server = await serve(redirecting('/new'));
    await fetchOne({ url: `${server.url}/302`, headers: { 'X-Token': 'secret' } });
    expect(server.seen[1]?.headers['x-token']).toBe('secret');
  });

  test('is the result itself with --follow 0', async () => {
    const server = await serve(redirecting('/new'));
    const { error, result } = await fetchOne({ url: `${server.url}/302` }, { follow: 0 });
    expect(error).toEqual({ code: 'HTTP_STATUS', message: '302 Found' });
    expect(result).toMatchObject({ status: 302, text: 'moved' });
    const wanted = await fetchOne({ url: `${server.url}/302` }, { follow: 0, expectStatus: '2xx,3xx' });
    expect(wanted.error).toBeUndefined();
  });

  test('fails without a retry after more redirects than --follow', async () => {
    const server = await serve(redirecting('/302'));
    const { error, result, retry } = await fetchOne({ url: `${server.url}/302` }, { follow: 3 });
    expect(error?.code).toBe('REDIRECTS');
    expect(error?.message).toContain('more than 3 redirects');
    expect(result).toMatchObject({ status: 302, text: 'moved' });
    expect(retry).toBeUndefined();
    expect(server.seen).toHaveLength(4);
  });

  test.each(['mailto:a@b', 'file:///etc/passwd', 'http://'])('to %s is not followed', async (location) => {
    const server = await serve(redirecting(location));
    const { error } = await fetchOne({ url: `${server.url}/302` });
    expect(error?.code).toBe('REDIRECTS');
    expect(server.seen).toHaveLength(1);
  });

  test('to an invalid location is reported without user, password or raw control characters', async () => {
    const location = 'http://jo:hush@:x/\u202e'; // U+202E, which Latin-1 cannot encode
    const server = await serve(redirecting(() => Buffer.from(location).toString('latin1')));
    const { error } = await fetchOne({ url: `${server.url}/302` });
    expect(error?.message).toMatch(
      / redirects to "http:\/\/…@:x\/\\u202e", which is not an http or https url$/,
    );
  });

  test('to a location in raw UTF-8 is followed', async () => {
    const server = await serve(redirecting(() => Buffer.from('/grün').toString('latin1')));
    expect((await fetchOne({ url: `${server.url}/302` })).result?.url).toBe(`${server.url}/gr%C3%BCn`);
  });

  test('with a long body is followed before the body ends', async () => {
    const server = await serve((response, { url }) => {
      if (url !== '/') return response.end('there');
      response.writeHead(302, { location: '/new' });
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', more);
      return more();
    });
    expect((await fetchOne({ url: server.url })).result?.text).toBe('there');
  });

  test('with a body that stops is followed without it', async () => {
    const server = await serve((response, { url }) => {
      if (url !== '/') return void response.end('there');
      response.writeHead(302, { location: '/new', 'content-length': '100' }).write('half');
    });
    const { result } = await fetchOne({ url: server.url }, { timeout: 30_000 });
    expect(result?.text).toBe('there');
  });

  test('without a location is treated like any other response', async () => {
    const server = await serve((response) => response.writeHead(302).end('nowhere'));
    expect((await fetchOne({ url: server.url })).error).toEqual({
      code: 'HTTP_STATUS',
      message: '302 Found',
    });
  });
});
