/* Reports from the trackers of other clients, about downloads, names and limits. Each title begins with its source. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { serveDns } from '../../support/dns-server.ts';
import { serve, serveRaw } from '../../support/http-server.ts';
import { ETAG, headOf, LargeFile, MB, serveLarge } from '../../support/large-server.ts';
import { freshFolder } from '../../support/run.ts';
import { attempt, fetchOne, open, runAll, states } from './support.ts';

const file = new LargeFile(3 * MB);

const digest = (path: unknown): string =>
  createHash('sha256')
    .update(readFileSync(String(path)))
    .digest('hex');

describe('a report about downloads does not apply:', () => {
  test('httpie/cli#1032: a body of which one byte is missing is continued', async () => {
    const server = await serveLarge(file, async (serving) => {
      const from = headOf(file, serving);
      await serving.send(from, serving.count === 1 ? file.size - 1 : file.size);
      if (serving.count === 1) setTimeout(() => serving.response.destroy(), 100);
      else serving.response.end();
    });
    const executor = await open({ bodyDir: join(freshFolder(), 'pages') });
    expect((await attempt(executor, { url: server.url })).error?.code).toBe('CONNECTION');
    const { result } = await attempt(executor, { url: server.url });
    expect(digest(result?.file)).toBe(file.sha256);
    expect(server.seen[1]?.headers.range).toBe(`bytes=${file.size - 1}-`);
  });

  test('ducaale/xh#391: a Range of the user is sent unchanged, each time', async () => {
    const server = await serve((response, { headers }) =>
      response
        .writeHead(206, { 'content-range': 'bytes 0-3/9', etag: ETAG })
        .end(headers.range === 'bytes=0-3' ? 'part' : 'no'),
    );
    const executor = await open({ bodyDir: join(freshFolder(), 'pages'), header: ['Range: bytes=0-3'] });
    for (let i = 0; i < 2; i++) {
      const { result } = await attempt(executor, { url: server.url });
      expect(result).toMatchObject({ status: 206, bytes: 4 });
      expect(readFileSync(String(result?.file), 'utf8')).toBe('part');
    }
  });

  test('curl/curl#6740, httpie/cli#842: a second run of a task whose file is whole is a success', async () => {
    const server = await serveLarge(file);
    const bodyDir = join(freshFolder(), 'pages', '{uuid}.pdf');
    for (let run = 0; run < 2; run++) {
      const { result, error } = await fetchOne({ url: server.url }, { bodyDir });
      expect(error).toBeUndefined();
      expect(digest(result?.file)).toBe(file.sha256);
    }
    expect(server.seen.map(({ headers }) => headers.range)).toEqual([undefined, undefined]);
  });

  test('curl/curl#1084, #18035: a retry continues, and does not throw away what arrived', async () => {
    const server = await serveLarge(file, async (serving) => {
      const from = headOf(file, serving);
      await serving.send(from, serving.count === 1 ? 2 * MB : file.size);
      if (serving.count > 1) serving.response.end(); // else it is silent
    });
    const options = { bodyDir: join(freshFolder(), 'pages'), idleTimeout: 1000 };
    const ran = await runAll([server.url], { jobs: 1, retries: 1 }, options);
    expect(states(ran)).toEqual(['SUCCESS']);
    expect(server.sent).toBeLessThanOrEqual(file.size);
  });

  test('nodejs/undici#3356: the second answer of a server without ranges is not appended to the first', async () => {
    const server = await serveLarge(file, async ({ response, send, count }) => {
      response.writeHead(200, { 'content-length': file.size });
      await send(0, count === 1 ? 2 * MB : file.size);
      if (count === 1) setTimeout(() => response.destroy(), 100);
      else response.end();
    });
    const ran = await runAll([server.url], { jobs: 1 }, { bodyDir: join(freshFolder(), 'pages') });
    expect(ran.records[0]?.result).toMatchObject({ bytes: file.size, sha256: file.sha256 });
  });

  test('nodejs/undici#4970: bytes behind the rest of a body fail the attempt, and are in no file', async () => {
    const size = 2 * MB;
    const body = Buffer.alloc(size, 'x');
    const server = await serveRaw((socket, head) => {
      const start = Number(/range: bytes=(\d+)-/i.exec(head)?.[1] ?? 0);
      const [status, range] =
        start === 0 ? ['200 OK', ''] : ['206 P', `Content-Range: bytes ${start}-${size - 1}/${size}\r\n`];
      socket.write(`HTTP/1.1 ${status}\r\nETag: ${ETAG}\r\n${range}Content-Length: ${size - start}\r\n\r\n`);
      if (start === 0)
        socket.write(body.subarray(0, size - 9), () => setTimeout(() => socket.destroy(), 100));
      else
        socket.write(`${'x'.repeat(size - start)}HTTP/1.1 302 Found\r\nLocation: http://evil.test\r\n\r\n`);
    });
    const dir = join(freshFolder(), 'pages');
    const executor = await open({ bodyDir: dir });
    await attempt(executor, { url: server.url });
    const { result, error } = await attempt(executor, { url: server.url });
    expect(error?.message).toMatch(/sent more than the body of 9 bytes/);
    expect(result).toBeUndefined();
  });

  test('wget2#329: a name that is too long for the disk fails before anything is fetched', async () => {
    const server = await serve((response) => response.end());
    const { error } = await fetchOne(
      { url: server.url, name: 'n'.repeat(300) },
      { bodyDir: join(freshFolder(), '{name}.pdf') },
    );
    expect(error?.code).toBe('FILE_NAME');
    expect(server.seen).toHaveLength(0);
  });

  test('rockdaboot/wget2#362: an existing file is not emptied', async () => {
    const server = await serve((response) => response.writeHead(404).end('none'));
    const bodyDir = join(freshFolder(), '{uuid}.txt');
    const own = bodyDir.replace('{uuid}', 'u1');
    writeFileSync(own, 'mine');
    expect((await fetchOne({ url: server.url }, { bodyDir })).error?.code).toBe('FILE_TAKEN');
    expect(readFileSync(own, 'utf8')).toBe('mine');
    expect(server.seen).toHaveLength(0);
  });

  test('httpie/cli#1642, requests#2275: a compressed body is measured as it is sent, and a short one fails', async () => {
    const page = gzipSync('page'.repeat(1000));
    const server = await serve((response, { url }) => {
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': page.length });
      if (url === '/') response.end(page);
      else response.write(page.subarray(0, 20), () => setTimeout(() => response.destroy(), 50));
    });
    const bodyDir = join(freshFolder(), 'pages');
    expect((await fetchOne({ url: server.url }, { bodyDir })).result?.bytes).toBe(4000);
    const { error } = await fetchOne({ url: `${server.url}/short` }, { bodyDir });
    expect(error?.message).toMatch(/ended after 20 of \d+ bytes/);
    expect(readdirSync(bodyDir)).toHaveLength(1);
  });
});

describe('a report about names and limits does not apply:', () => {
  test('szmarczak/cacheable-lookup#49: an error for one kind of address does not hide the other', async () => {
    const dns = await serveDns((_, type) => (type === 'A' ? ['127.0.0.1'] : 'SERVFAIL'));
    const server = await serve((response) => response.end('ok'));
    const { result } = await fetchOne({ url: `http://one.test:${server.port}/` }, { resolver: dns.address });
    expect(result?.text).toBe('ok');
  });

  test('dnsjava#186: a name that was not found is asked for again', async () => {
    let isThere = false;
    const dns = await serveDns((_, type) => (isThere && type === 'A' ? ['127.0.0.1'] : 'NXDOMAIN'));
    const server = await serve((response) => response.end('ok'));
    const executor = await open({ resolver: dns.address });
    const url = `http://late.test:${server.port}/`;
    expect((await attempt(executor, { url })).error?.message).toMatch('no such host');
    isThere = true;
    expect((await attempt(executor, { url })).result?.text).toBe('ok');
  });

  test('curl/curl#5905: retries of many tasks at once end, each as it should', async () => {
    const counts = new Map<string, number>();
    const server = await serve((response, { url }) => {
      const count = (counts.get(url) ?? 0) + 1;
      counts.set(url, count);
      response.writeHead(count < 3 ? 429 : 200, { 'retry-after': '0' }).end(url);
    });
    const urls = Array.from({ length: 40 }, (_, i) => `${server.url}/${i}`);
    const ran = await runAll(urls, { jobs: 5, retries: 9 }, { bodyDir: join(freshFolder(), 'pages') });
    expect(states(ran)).toEqual(['SUCCESS']);
    for (const { result, uuid } of ran.records)
      expect(readFileSync(String(result?.file), 'utf8')).toBe(`/${uuid.slice(1)}`);
  });

  test('jeroen/curl#400: the time-out of a task begins when it starts, not while it waits for its host', async () => {
    const server = await serve((response) => void setTimeout(() => response.end('ok'), 150));
    const urls = Array.from({ length: 8 }, (_, i) => `${server.url}/${i}`);
    const options = { jobs: 8, perHost: 1, retries: 0 };
    const ran = await runAll(urls, options, { timeout: 1000, connections: 1 });
    expect(states(ran)).toEqual(['SUCCESS']);
    expect(server.connections).toBe(1);
  });
});
