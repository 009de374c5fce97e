/* Reports from the trackers of other clients, about uploads, redirects and retries. Each title begins with its source. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { serve, serveRaw } from '../../support/http-server.ts';
import { freshFolder } from '../../support/run.ts';
import { attempt, fetchOne, open } from './support.ts';

describe('a report to another client does not apply:', () => {
  test('nodejs/undici#2543: a 307 whose body ends late keeps the body of the request', async () => {
    const server = await serve((response, { url }) => {
      if (url !== '/') return void response.end('there');
      response.writeHead(307, { location: '/there' }).write('flushed');
      setTimeout(() => response.end(), 300);
    });
    const { error } = await fetchOne({ url: server.url, method: 'post', data: 'a=1' });
    expect(error).toBeUndefined();
    expect(server.seen.map(({ body }) => body)).toEqual(['a=1', 'a=1']);
  });

  test('nodejs/undici#2021: a Content-Length of the user does not break a redirect to GET', async () => {
    const server = await serve((response, { url }) =>
      url === '/' ? response.writeHead(302, { location: '/x' }).end() : response.end(),
    );
    const headers = { 'Content-Length': '3', 'Content-Type': 'text/plain' };
    const { error } = await fetchOne({ url: server.url, method: 'post', data: 'a=1', headers });
    expect(error).toBeUndefined();
    expect(server.seen.map(({ method, body }) => method + body)).toEqual(['POSTa=1', 'GET']);
    expect(server.seen[1]?.headers).not.toHaveProperty('content-type');
  });

  test('httpie/cli#1401, psf/requests#4652: the name of a file goes out as UTF-8, not as filename*', async () => {
    const server = await serve((response) => response.end());
    const path = join(freshFolder(), '天狗.png');
    writeFileSync(path, 'x');
    await fetchOne({ url: server.url, path }, { form: ['ä=@{path}'] });
    expect(server.seen[0]?.body).toContain('name="ä"; filename="天狗.png"\r\nContent-Type: image/png');
  });

  test('httpx#821, aiohttp#56: a redirect to itself that sets a cookie ends with --cookies', async () => {
    const server = await serve((response, { headers }) =>
      headers.cookie === 'wall=1'
        ? response.end('behind')
        : response.writeHead(302, { location: '/', 'set-cookie': 'wall=1' }).end(),
    );
    const { result } = await fetchOne({ url: server.url }, { cookies: join(freshFolder(), 'jar.txt') });
    expect(result?.text).toBe('behind');
  });

  test('sindresorhus/got#2459: a 308 keeps the method and a form with files', async () => {
    const to = await serve((response) => response.end());
    const server = await serve((response) => response.writeHead(308, { location: to.url }).end());
    const path = join(freshFolder(), 'a.txt');
    writeFileSync(path, 'inside');
    expect((await fetchOne({ url: server.url }, { form: [`f=@${path}`] })).error).toBeUndefined();
    expect(to.seen[0]).toMatchObject({ method: 'POST', body: server.seen[0]?.body });
    expect(to.seen[0]?.body).toContain('inside');
  });

  test('axios/axios#3946: a redirect to GET has neither the body nor its headers', async () => {
    const server = await serve((response, { url }) =>
      url === '/' ? response.writeHead(302, { location: '/x' }).end() : response.end(),
    );
    const path = join(freshFolder(), 'a.json');
    writeFileSync(path, '{}');
    await fetchOne({ url: server.url }, { bodyFile: path });
    expect(server.seen[1]).toMatchObject({ method: 'GET', body: '' });
    const names = Object.keys(server.seen[1]?.headers ?? {});
    expect(names.filter((name) => name.startsWith('content-'))).toEqual([]);
  });

  test('Azure/autorest-clientruntime-for-java#395: a server that wants more than it gets does not hang the run', async () => {
    const server = await serveRaw(() => {}); // reads and never answers
    const path = join(freshFolder(), 'a.bin');
    writeFileSync(path, Buffer.alloc(1_000_000));
    const { error } = await fetchOne(
      { url: server.url },
      { bodyFile: path, idleTimeout: 500, timeout: 60_000 },
    );
    expect(error).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('--idle-timeout') });
  });

  test('scrapy/scrapy#7690: a meta refresh after a long script is found', async () => {
    const page = `<head><script>${'x();'.repeat(30_000)}</script><base href="/sub/"><meta content="0;url=next" http-equiv="refresh"></head>`;
    const server = await serve((response, { url }) =>
      response.setHeader('content-type', 'text/html').end(url === '/' ? page : url),
    );
    expect((await fetchOne({ url: server.url }, { followMeta: true })).result?.text).toBe('/sub/next');
  });

  test('scrapy/w3lib#32: a meta refresh with a line break before its url is followed', async () => {
    const page = '<meta http-equiv="refresh" content="0; URL=\n /next" />';
    const server = await serve((response, { url }) =>
      response.setHeader('content-type', 'text/html').end(url === '/' ? page : url),
    );
    expect((await fetchOne({ url: server.url }, { followMeta: true })).result?.text).toBe('/next');
  });

  test('apify/crawlee-python#1995: a negative Retry-After still pauses the host', async () => {
    const server = await serve((response) => response.writeHead(429, { 'retry-after': '-5' }).end());
    expect((await fetchOne({ url: server.url })).retry).toEqual({ pauseLane: true });
  });

  test('curl/curl#360: a body from a pipe says that it must be a file', async () => {
    const { error } = await fetchOne({ url: 'http://127.0.0.1:1/' }, { bodyFile: '/dev/stdin' });
    expect(error?.code).toBe('BODY_FILE');
  });

  test('nodejs/undici#3288, Automattic/vip-cli#2897: the second attempt sends the whole body again', async () => {
    let count = 0;
    const server = await serve((response) => response.writeHead(++count === 1 ? 500 : 200).end());
    const path = join(freshFolder(), 'a.bin');
    writeFileSync(path, 'x'.repeat(300_000));
    const executor = await open({ bodyFile: path, method: 'put' });
    for (let i = 0; i < 2; i++) await attempt(executor, { url: server.url });
    expect(server.seen.map(({ body }) => body.length)).toEqual([300_000, 300_000]);
  });
});
