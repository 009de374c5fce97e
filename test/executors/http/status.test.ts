import { describe, expect, test } from 'vitest';
import type { HttpOptions } from '../../../src/executors/http/index.ts';
import { http } from '../../../src/executors/http/index.ts';
import { serve, serveRaw, type TestServer } from '../../support/http-server.ts';
import { attempt, fetchOne, open, type Tried } from './support.ts';

async function answering(
  status: number,
  headers: Record<string, string> = {},
  body = 'x',
): Promise<TestServer> {
  return serve((response) => {
    response.writeHead(status, headers);
    response.end(body);
  });
}

async function tried(
  status: number,
  headers: Record<string, string> = {},
  record: object = {},
  options: HttpOptions = {},
): Promise<Tried> {
  const server = await answering(status, headers);
  return fetchOne({ url: server.url, ...record }, options);
}

describe('a status', () => {
  test('that is not expected fails the task and keeps its result', async () => {
    const { error, result, retry } = await tried(404);
    expect(error).toEqual({ code: 'HTTP_STATUS', message: '404 Not Found' });
    expect(result).toMatchObject({ status: 404, text: 'x' });
    expect(retry).toBeUndefined();
  });

  test('is reported with the reason of the server, escaped and shortened', async () => {
    const server = await serveRaw((socket) =>
      socket.end(
        `HTTP/1.1 404 ${Buffer.from('\u202eno\x9b').toString('latin1')}${'x'.repeat(9999)}\r\n\r\n`,
        'latin1',
      ),
    );
    const { error } = await fetchOne({ url: server.url });
    expect(error?.message).toMatch(/^404 \\u202eno\\x9bx{100,300}$/);
  });

  test('is reported with the standard reason if the server sends none', async () => {
    const server = await serveRaw((socket) => socket.end('HTTP/1.1 404 \r\ncontent-length: 0\r\n\r\n'));
    expect((await fetchOne({ url: server.url })).error?.message).toBe('404 Not Found');
  });

  test.each([
    ['2xx', 204, true],
    ['2xx', 301, false],
    ['2xx, 404', 404, true],
    ['200-204,500', 204, true],
    ['200-204,500', 205, false],
    ['5XX', 503, true],
  ])('under --expect-status %s: %i is expected: %s', async (expectStatus, status, isExpected) => {
    expect((await tried(status, {}, {}, { expectStatus })).error === undefined).toBe(isExpected);
  });

  test.each(['', '2x', '600', '204-200', '2xx,', 'ok'])('cannot be expected as %j', async (expectStatus) => {
    await expect(open({ expectStatus })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('--expect-status must be statuses'),
    });
  });
});

describe('a retry', () => {
  test.each([408, 425, 429, 500, 502, 503, 504])('is allowed after %i', async (status) => {
    expect((await tried(status)).retry).toEqual(status === 429 || status === 503 ? { pauseLane: true } : {});
  });

  test.each([400, 401, 403, 404, 410, 501, 505])('is not allowed after %i', async (status) => {
    expect((await tried(status)).retry).toBeUndefined();
  });

  test.each(['post', 'patch', 'json'])('of %s is allowed only if the server did not act', async (method) => {
    expect((await tried(500, {}, { method, data: 'x' })).retry).toBeUndefined();
    expect((await tried(504, {}, { method, data: 'x' })).retry).toBeUndefined();
    expect((await tried(429, {}, { method, data: 'x' })).retry).toEqual({ pauseLane: true });
    expect((await tried(503, {}, { method, data: 'x' })).retry).toEqual({ pauseLane: true });
  });

  test('of a POST is allowed after 500 if the uuid is sent along', async () => {
    expect((await tried(500, {}, { method: 'post' }, { idempotencyHeader: true })).retry).toEqual({});
  });

  test('of a POST is not allowed after a redirect, because the server has acted', async () => {
    const server = await serve((response, { url }) => {
      if (url === '/') response.writeHead(303, { location: '/done' }).end();
      else response.writeHead(503).end();
    });
    expect((await fetchOne({ url: server.url, method: 'post' })).retry).toBeUndefined();
    expect((await fetchOne({ url: server.url })).retry).toEqual({ pauseLane: true });
  });

  test('is not offered for an expected status', async () => {
    expect(await tried(503, {}, {}, { expectStatus: '503' })).not.toHaveProperty('retry');
  });
});

describe('Retry-After', () => {
  const date = 'Sun, 06 Nov 1994 08:49:37 GMT';

  test.each([
    ['7', {}, 7000],
    ['1.5', {}, 1500],
    ['86400', {}, 3_600_000],
    ['Sun, 06 Nov 1994 08:49:47 GMT', { date }, 10_000],
    ['Sunday, 06-Nov-94 08:49:47 GMT', { date }, 10_000],
    ['Sun Nov  6 08:49:47 1994', { date }, 10_000],
    ['Fri, 31 Dec 9999 23:59:59 GMT', {}, 3_600_000],
    ['7', { 'retry-after-ms': '250.5' }, 251],
    ['7', { 'retry-after-ms': 'soon' }, 7000],
    ['7', { 'retry-after-ms': '0' }, 7000],
  ])('of %s sets the delay and pauses the host', async (value, headers, after) => {
    for (const status of [429, 503]) {
      const { retry } = await tried(status, { 'retry-after': value, ...headers });
      expect(retry).toEqual({ after, pauseLane: true });
    }
  });

  test.each(['0', '-3', 'soon', '', date, '1e9', '0x10'])(
    'of %j is ignored, and the host is paused as without it',
    async (value) => {
      expect((await tried(429, { 'retry-after': value })).retry).toEqual({ pauseLane: true });
    },
  );

  // hermes-agent #36276, tracker #547: an account without money is asked again and again.
  test('is needed to retry a 429 for an account without money', async () => {
    for (const [headers, retry] of [
      [{}, undefined],
      [{ 'retry-after': '7' }, { after: 7000, pauseLane: true }],
    ] as const) {
      const server = await answering(429, headers, '{"error": {"type": "x", "code": "insufficient_quota"}}');
      expect((await fetchOne({ url: server.url })).retry).toEqual(retry);
    }
    const other = await answering(429, {}, '{"error": {"code": "rate_limit_exceeded"}}');
    expect((await fetchOne({ url: other.url })).retry).toEqual({ pauseLane: true });
  });

  test('applies only to 429 and 503', async () => {
    expect((await tried(500, { 'retry-after': '7' })).retry).toEqual({});
    expect((await tried(404, { 'retry-after': '7' })).retry).toBeUndefined();
  });
});

describe('the header', () => {
  const date = 'Fri, 27 Nov 2026 00:00:00 GMT';
  const epoch = Date.parse(date) / 1000;

  test.each([
    [{ ratelimit: '"default";r=0;t=30' }, 30_000],
    [{ ratelimit: 'limit=10, remaining=0, reset=7', 'ratelimit-reset': '7' }, 7000],
    [{ 'x-ratelimit-reset': '12' }, 12_000],
    [{ date, 'x-ratelimit-reset': `${epoch + 5}` }, 5000],
    [{ date, 'x-ratelimit-reset': `${(epoch + 5) * 1000}` }, 5000],
    [{ 'retry-after': '2', 'x-ratelimit-reset': '60' }, 2000],
  ])('%j of a 429 says how long the host is paused', async (headers, after) => {
    expect((await tried(429, headers)).retry).toEqual({ after, pauseLane: true });
  });

  test.each([
    { 'x-ratelimit-reset': 'soon' },
    { 'x-ratelimit-reset': '0' },
    { date, 'x-ratelimit-reset': String(epoch - 9) },
  ])('%j says nothing', async (headers) => {
    expect((await tried(429, headers)).retry).toEqual({ pauseLane: true });
  });

  test('Retry-After pauses no longer than --max-retry-after', async () => {
    const { retry } = await tried(503, { 'retry-after': '7200' }, {}, { maxRetryAfter: 60_000 });
    expect(retry).toEqual({ after: 60_000, pauseLane: true });
  });
});

describe('--expect-json', () => {
  async function judged(body: string, expectJson: string, type = 'application/json'): Promise<Tried> {
    const server = await answering(200, { 'content-type': type }, body);
    return fetchOne({ url: server.url }, { expectJson });
  }

  test.each([
    ['{"status":"ok"}', "status == 'ok'", true],
    ['{"status":"no"}', "status == 'ok'", false],
    ['{"n":0}', 'n', true],
    ['{"items":[]}', 'items', false],
    ['{"items":{}}', 'items', false],
    ['{"a":""}', 'a', false],
    ['{"a":null}', 'a', false],
    ['{}', 'a', false],
    ['{"items":[1,2]}', 'length(items) > `1`', true],
    ['{"items":7}', 'length(items) > `1`', false],
    ['no json', 'a', false],
  ])('for the body %s evaluates %s to %s', async (body, expression, passes) => {
    const { error, result } = await judged(body, expression);
    expect(error?.code).toBe(passes ? undefined : 'EXPECT_JSON');
    expect(result?.status).toBe(200);
  });

  test('reads the body whatever its type', async () => {
    expect((await judged('{"a":1}', 'a', 'text/html')).error).toBeUndefined();
  });

  test('is a usage error if it is not a JMESPath expression', async () => {
    await expect(open({ expectJson: 'a ==' })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('--expect-json must be a JMESPath expression; got "a =="'),
    });
  });
});

test('--expect-body is matched against each body independently', async () => {
  const server = await serve((response, { url }) => response.end(url === '/ready' ? 'It is READY' : 'wait'));
  const executor = await open({ expectBody: /ready/i });
  for (const [path, code] of [
    ['/ready', undefined],
    ['/', 'EXPECT_BODY'],
    ['/ready', undefined],
  ]) {
    const { error, result } = await attempt(executor, { url: server.url + path });
    expect(error?.code).toBe(code);
    expect(result?.status).toBe(200);
  }
});

describe('a body that takes too long to judge', () => {
  test('fails only its task, and does not keep others waiting for long', async () => {
    const server = await serve((response, { url }) =>
      response.end(url === '/bad' ? `${'a'.repeat(40)}!` : 'aaa'),
    );
    const executor = await open({ expectBody: /^(a+)+$/, timeout: 300 });
    const began = performance.now();
    const all = await Promise.all(
      ['/bad', '/good', '/bad', '/good'].map((path) => attempt(executor, { url: server.url + path })),
    );
    const late = 'the body takes more than 300 ms to match /^(a+)+$/ (--expect-body)';
    expect(all.map(({ error }) => error?.message)).toEqual([late, undefined, late, undefined]);
    expect(performance.now() - began).toBeLessThan(5000);
  });

  test('does not hold up the main thread, nor the end of the run', async () => {
    const server = await serve((response) => response.end(`${'a'.repeat(40)}!`));
    const executor = await http({ expectBody: /^(a+)+$/ });
    void attempt(executor, { url: server.url });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 10);
    while (ticks < 20) await new Promise((resolve) => setImmediate(resolve));
    clearInterval(timer);
    await executor.close();
  });

  test('is judged by JMESPath on another thread if it is large', async () => {
    const items = JSON.stringify({ items: Array.from({ length: 50_000 }, (_, i) => ({ i })), ok: true });
    const server = await serve((response) => response.end(items));
    expect((await fetchOne({ url: server.url }, { expectJson: 'ok' })).error).toBeUndefined();
    const { error } = await fetchOne({ url: server.url }, { expectJson: 'items[?i > `50000`]' });
    expect(error?.code).toBe('EXPECT_JSON');
    const slow = await fetchOne(
      { url: server.url },
      { expectJson: 'items[*].[length($.items[*].i)]', timeout: 500 },
    );
    expect(slow.error?.message).toContain('the expression takes more than 500 ms on the body');
  });
});
