/* Options for retries: statuses, idle connections, redirects. */
import { describe, expect, test } from 'vitest';
import { serve, serveRaw } from '../../support/http-server.ts';
import { sh } from '../../support/run.ts';
import { fetchOne, open } from './support.ts';

async function statusOf(status: number, options: object, record: object = {}, headers = {}) {
  const server = await serve((response) => response.writeHead(status, headers).end('x'));
  return fetchOne({ url: server.url, ...record }, options);
}

describe('--retry-status', () => {
  test.each([
    ['520-530,429', 522, {}],
    ['520-530,429', 500, undefined],
    ['520-530,429', 429, { pauseLane: true }],
    ['4xx', 404, {}],
    ['403', 403, {}],
    ['none', 503, undefined],
  ])('%s: a %i has the retry %j', async (retryStatus, status, retry) => {
    expect((await statusOf(status, { retryStatus })).retry).toEqual(retry);
  });

  test('does not repeat a POST, unless a key is sent along', async () => {
    const post = { method: 'post', data: 'x' };
    expect((await statusOf(522, { retryStatus: '5xx' }, post)).retry).toBeUndefined();
    expect((await statusOf(522, { retryStatus: '5xx', idempotencyHeader: true }, post)).retry).toEqual({});
    expect((await statusOf(522, { retryStatus: '5xx' }, { method: 'NOTIFY' })).retry).toBeUndefined();
    expect((await statusOf(522, { retryStatus: '5xx' }, { method: 'propfind' })).retry).toEqual({});
  });

  test('leaves failures of the connection to be retried', async () => {
    const server = await serveRaw((socket) => void socket.destroy());
    expect((await fetchOne({ url: server.url }, { noRetryStatus: true })).retry).toEqual({});
  });

  test('that leaves 429 out still pauses the host of others', async () => {
    const { retry, pause } = await statusOf(429, { noRetryStatus: true }, {}, { 'retry-after': '7' });
    expect(retry).toBeUndefined();
    expect(pause).toBe(7000);
  });

  test.each(['', 'x', '9xx', '530-520', '429;500'])('%j is wrong usage', async (retryStatus) => {
    await expect(open({ retryStatus })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('--retry-status must be statuses separated by commas'),
    });
  });

  test('with --no-retry-status is wrong usage', async () => {
    await expect(open({ retryStatus: '500', noRetryStatus: true })).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('is suggested by --retry-on if that gets statuses', async () => {
    const { code, stderr } = await sh('task-exec --command true --retry-on 500-504');
    expect(code).toBe(2);
    expect(stderr).toContain('--retry-status has the statuses of --http; got "500-504"');
  });

  test('retries on the command line', async () => {
    let count = 0;
    const server = await serve((response) => response.writeHead(++count < 3 ? 522 : 200).end('ok'));
    const input = `{"uuid":"a","url":"${server.url}"}\n`;
    const options = '--backoff 1ms..5ms --retry-status 520-530';
    const { stdout } = await sh(`task-exec --http ${options}`, { input });
    expect(JSON.parse(stdout).run).toMatchObject({ state: 'SUCCESS', attempts: 3 });
  });
});

describe('--idle-timeout', () => {
  const HEAD = 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n';

  test.each([
    ['before the answer', '', 'is silent: no byte for 300 ms (--idle-timeout)'],
    ['in the body', `${HEAD}abc`, 'stopped after 3 bytes: none for 300 ms (--idle-timeout)'],
  ])('ends an attempt that is silent %s', async (_, start, words) => {
    const server = await serveRaw((socket) => void socket.write(start));
    const began = performance.now();
    const { error, retry } = await fetchOne({ url: server.url }, { idleTimeout: 300, timeout: 60_000 });
    expect(error).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining(words) });
    expect(retry).toEqual({});
    expect(performance.now() - began).toBeLessThan(20_000);
  });

  test('does not end a slow answer that keeps coming', async () => {
    const server = await serveRaw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n');
      let left = 10;
      const timer = setInterval(() => {
        socket.write('x');
        if (--left === 0) clearInterval(timer);
      }, 400);
    });
    const { error } = await fetchOne({ url: server.url }, { idleTimeout: 3000, timeout: 60_000 });
    expect(error).toBeUndefined();
  });

  test('has no effect on an answer that arrives in time', async () => {
    const server = await serve((response) => response.end('ok'));
    expect((await fetchOne({ url: server.url }, { idleTimeout: 60_000 })).error).toBeUndefined();
  });
});

describe('--redirects', () => {
  test('keeps the chain of redirects', async () => {
    const to = await serve((response) => response.end('there'));
    const server = await serve((response, { url }) => {
      const [status, location] = url === '/' ? [301, '/b?x="'] : [302, to.url];
      response.writeHead(status, { location }).end();
    });
    const { result } = await fetchOne({ url: server.url }, { redirects: true });
    expect(result).toMatchObject({
      url: `${to.url}/`,
      text: 'there',
      redirects: [
        { status: 301, url: `${server.url}/` },
        { status: 302, url: `${server.url}/b?x=%22` },
      ],
    });
  });

  test('is empty without a redirect, and is kept if there are too many', async () => {
    const server = await serve((response, { url }) =>
      url === '/ok' ? response.end() : response.writeHead(302, { location: '/' }).end(),
    );
    expect((await fetchOne({ url: `${server.url}/ok` }, { redirects: true })).result?.redirects).toEqual([]);
    const { error, result } = await fetchOne({ url: server.url }, { redirects: true, follow: 2 });
    expect(error?.code).toBe('REDIRECTS');
    expect(result?.redirects).toHaveLength(2);
    expect((await fetchOne({ url: server.url }, { follow: 2 })).result).not.toHaveProperty('redirects');
  });
});

describe('--follow-meta', () => {
  async function page(html: string, options: object = {}, type = 'text/html; charset=utf-8') {
    const server = await serve((response, { url }) => {
      response.setHeader('content-type', url === '/' ? type : 'text/plain');
      response.end(url === '/' ? html : `at ${url}`);
    });
    const tried = await fetchOne({ url: server.url }, { followMeta: true, redirects: true, ...options });
    return { ...tried, server };
  }

  test.each([
    ['<meta http-equiv="refresh" content="0; url=/next?a=1&amp;b=2">', '/next?a=1&b=2'],
    ["<META HTTP-EQUIV='Refresh' CONTENT='5;URL=\"/next\"'>", '/next'],
    ['<meta content="0;/next" http-equiv=refresh />', '/next'],
    ['<meta http-equiv=refresh content="0 , url = \'/n ext\' ">', '/n%20ext'],
    ['<base href="/sub/"><meta http-equiv="refresh" content="0;url=next">', '/sub/next'],
    [
      '<!-- <meta http-equiv="refresh" content="0;url=/no"> --><meta http-equiv="refresh" content="0;url=/yes">',
      '/yes',
    ],
    [
      '<title>a > b</title><meta name="x" content="y>"><meta http-equiv="refresh" content="0;url=/next">',
      '/next',
    ],
  ])('follows %s', async (html, place) => {
    const { error, result, server } = await page(html);
    expect(error).toBeUndefined();
    expect(result).toMatchObject({
      text: `at ${place}`,
      redirects: [{ status: 200, url: `${server.url}/`, meta: true }],
    });
  });

  test.each([
    '<meta http-equiv="refresh" content="5">',
    '<meta http-equiv="refresh" content="0;url=">',
    '<meta http-equiv="refresh" content="0;url=/#top">',
    '<meta http-equiv="refresh" content="300;url=/next">',
    '<meta http-equiv="refresh" content="soon;url=/next">',
    '<noscript><meta http-equiv="refresh" content="0;url=/next"></noscript>',
    '<script>"<meta http-equiv=refresh content=0;url=/next>"</script>',
    '<meta name="refresh" content="0;url=/next">',
    '<meta data-http-equiv="refresh" content="0;url=/next">',
  ])('does not follow %s', async (html) => {
    const { error, result } = await page(html);
    expect(error).toBeUndefined();
    expect(result).toMatchObject({ text: html, redirects: [] });
  });

  const html = '<meta http-equiv="refresh" content="0;url=/next">';

  test('applies only to HTML, and only if it is requested', async () => {
    expect((await page(html, {}, 'text/plain')).result?.text).toBe(html);
    expect((await page(html, { followMeta: false })).result?.text).toBe(html);
    expect((await page(html, { follow: 0 })).result?.text).toBe(html);
  });

  test('counts for --follow, and does not leave http', async () => {
    const loop = await serve((response, { url }) => {
      response.setHeader('content-type', 'text/html');
      response.end(`<meta http-equiv="refresh" content="0;url=${url}x">`);
    });
    const { error } = await fetchOne({ url: loop.url }, { followMeta: true, follow: 3 });
    expect(error?.message).toContain('more than 3 redirects');
    expect(loop.seen).toHaveLength(4);
    const script = await page('<meta http-equiv="refresh" content="0;url=javascript:alert(1)">');
    expect(script.error?.code).toBe('REDIRECTS');
  });

  test('does not repeat a POST, and reads a long hostile page in a short time', async () => {
    const hostile = [
      `${'<meta '.repeat(20_000)}`,
      `<meta ${'"'.repeat(50_000)}`,
      '<!--'.repeat(20_000),
      '<script>'.repeat(9000),
    ];
    const began = performance.now();
    for (const text of hostile) expect((await page(text)).error).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(10_000);
    const server = await serve((response, { url }) => {
      response.setHeader('content-type', 'text/html').end(url === '/' ? html : 'x');
    });
    await fetchOne({ url: server.url, method: 'post', data: 'a=1' }, { followMeta: true });
    expect(server.seen.map(({ method, body }) => `${method} ${body}`)).toEqual(['POST a=1', 'GET ']);
  });
});
