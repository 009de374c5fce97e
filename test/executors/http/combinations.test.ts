/* Options of --http that work together: files, redirects, lanes, retries, the cache, forms, cookies. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Answering, serve, type TestServer } from '../../support/http-server.ts';
import { ETAG, headOf, LargeFile, MB, serveLarge } from '../../support/large-server.ts';
import { freshFolder } from '../../support/run.ts';
import { attempt, fetchOne, open, type Run, runAll, stage, states, taskOf } from './support.ts';

const file = new LargeFile(3 * MB);

const digest = (path: unknown): string =>
  createHash('sha256')
    .update(readFileSync(String(path)))
    .digest('hex');

/** Serves redirects of all paths to the same path of another server. */
const redirecting = (to: TestServer, status = 302): Promise<TestServer> =>
  serve((response, { url }) => response.writeHead(status, { location: to.url + url }).end());

const paths = (url: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${url}/${i}`);

/** Expects that each record has its own file with the right bytes, and that the folder has no other files. */
function expectFiles({ records }: Run, dir: string): void {
  const names = records.map(({ result }) => String(result?.file));
  expect(new Set(names).size).toBe(records.length);
  for (const name of names) expect(digest(name)).toBe(file.sha256);
  expect(readdirSync(dir).filter((name) => name !== '.taskpipe')).toHaveLength(records.length);
  const own = join(dir, '.taskpipe');
  expect(existsSync(own) ? readdirSync(own).filter((name) => name.includes('.part')) : []).toEqual([]);
}

describe('--body-dir with redirects', () => {
  test('writes large bodies of another host within the limits of that host', async () => {
    let [running, most] = [0, 0];
    const to = await serveLarge(file, async (serving) => {
      most = Math.max(most, ++running);
      await serving.send(headOf(file, serving), file.size);
      serving.response.end(() => running--);
    });
    const bodyDir = join(freshFolder(), 'pages');
    const ran = await runAll(
      paths((await redirecting(to)).url, 10),
      { jobs: 10, perHost: 2 },
      { bodyDir, redirects: true },
    );
    expect(states(ran)).toEqual(['SUCCESS']);
    expect(most).toBeLessThanOrEqual(2);
    expectFiles(ran, bodyDir);
    expect(ran.records[0]?.result?.redirects).toHaveLength(1);
  });

  test('holds the place of a body while it waits for the rate of another host', async () => {
    const to = await serveLarge(file);
    const bodyDir = join(freshFolder(), 'pages', '{uuid}.pdf');
    const options = { jobs: 6, hostRate: { count: 5, per: 1000 } };
    const ran = await runAll(paths((await redirecting(to)).url, 6), options, { bodyDir });
    expect(states(ran)).toEqual(['SUCCESS']);
    expect(ran.ms).toBeGreaterThan(900);
    expectFiles(ran, join(bodyDir, '..'));
  });

  test('continues a body that broke off behind a redirect that moved to another lane', async () => {
    const to = await serveLarge(file, async (serving) => {
      const from = headOf(file, serving);
      await serving.send(from, serving.count <= 3 ? 2 * MB : file.size);
      if (serving.count <= 3) setTimeout(() => serving.response.destroy(), 100);
      else serving.response.end();
    });
    const bodyDir = join(freshFolder(), 'pages');
    const ran = await runAll(
      paths((await redirecting(to)).url, 3),
      { jobs: 3, perHost: 3, retries: 2 },
      { bodyDir, redirects: true },
    );
    expect(states(ran)).toEqual(['SUCCESS']);
    expectFiles(ran, bodyDir);
    expect(to.seen.filter(({ headers }) => headers.range !== undefined)).toHaveLength(3);
    for (const { result } of ran.records) expect(result?.redirects).toHaveLength(1);
  });

  test('frees the place if the other host refuses, so that the next attempt has it', async () => {
    let count = 0;
    const to = await serve((response) => response.writeHead(++count === 1 ? 503 : 200).end('page'));
    const bodyDir = join(freshFolder(), 'pages', '{uuid}.txt');
    const from = await redirecting(to);
    const ran = await runAll([`${from.url}/a`], { jobs: 2, retries: 2 }, { bodyDir, redirects: true });
    expect(ran.records[0]?.run).toMatchObject({ state: 'SUCCESS', attempts: 2 });
    expect(ran.records[0]?.result?.redirects).toEqual([{ status: 302, url: `${from.url}/a` }]);
    expect(readFileSync(String(ran.records[0]?.result?.file), 'utf8')).toBe('page');
  });

  test('keeps the name of a file for a task that waits for another host', async () => {
    const to = await serve((response) => void setTimeout(() => response.end('page'), 50));
    const from = await redirecting(to);
    const bodyDir = join(freshFolder(), 'pages', '{sku}.txt');
    const options = { jobs: 4, perHost: 4, hostRate: { count: 4, per: 400 } };
    const ran = await runAll(paths(from.url, 4), options, { bodyDir }, { sku: 'same' });
    const codes = ran.records.map(({ run }) => (run.error as { code: string } | undefined)?.code);
    expect(codes.toSorted()).toEqual(['FILE_TAKEN', 'FILE_TAKEN', 'FILE_TAKEN', undefined]);
    expect(from.seen).toHaveLength(1);
  });

  test('shares no beginning of a body between attempts of one task that wait for another host', async () => {
    const to = await serveLarge(file);
    const from = await redirecting(to);
    const executor = await open({ bodyDir: join(freshFolder(), 'pages') });
    const go = { number: 1, signal: new AbortController().signal, stage, mayMove: true };
    const moved = [];
    for (let i = 0; i < 3; i++) moved.push((await executor.attempt(taskOf({ url: from.url }), go)).moved);
    const ended = await Promise.all(moved.map((one) => one?.goOn({ ...go, mayMove: false })));
    expect(ended.map((one) => one?.error)).toEqual([undefined, undefined, undefined]);
    expect(digest(JSON.parse(ended[0]?.result as string).file)).toBe(file.sha256);
  });

  test('writes no file for a redirect loop', async () => {
    const server = await serve((response) => response.writeHead(302, { location: '/again' }).end('moved'));
    const bodyDir = join(freshFolder(), 'pages', '{uuid}.txt');
    const ran = await runAll([server.url], { jobs: 1, retries: 0 }, { bodyDir, follow: 2 });
    expect(ran.records[0]?.run.error).toMatchObject({ code: 'REDIRECTS' });
    expect(readdirSync(join(bodyDir, '..')).filter((name) => name !== '.taskpipe')).toEqual([]);
  });
});

describe('--cache with --body-dir', () => {
  const answer =
    (headers: object): Answering =>
    (response, seen) =>
      seen.headers['if-none-match'] === ETAG
        ? response.writeHead(304, { etag: ETAG, ...headers }).end()
        : response.writeHead(200, { etag: ETAG, 'content-type': 'text/plain', ...headers }).end('a page');

  test.each([
    ['fresh', { 'cache-control': 'max-age=600' }, 1],
    ['revalidated', { 'cache-control': 'no-cache' }, 2],
  ])('writes the file of a stored answer that is %s', async (_, headers, requests) => {
    const server = await serve(answer(headers));
    const folder = freshFolder();
    const files: unknown[] = [];
    for (const name of ['one', 'two']) {
      const options = { cache: join(folder, 'cache'), bodyDir: join(folder, name, '{uuid}.txt') };
      const { result, error } = await fetchOne({ url: server.url }, options);
      expect(error).toBeUndefined();
      expect(result).toMatchObject({ status: 200, bytes: 6 });
      files.push(readFileSync(String(result?.file), 'utf8'));
    }
    expect(files).toEqual(['a page', 'a page']);
    expect(server.seen).toHaveLength(requests);
  });

  test('keeps the body behind a redirect, and asks for the redirect again', async () => {
    const to = await serve(answer({ 'cache-control': 'max-age=600' }));
    const from = await redirecting(to, 301);
    const folder = freshFolder();
    const options = { cache: join(folder, 'cache'), bodyDir: join(folder, 'pages') };
    for (let run = 0; run < 2; run++) {
      const { result } = await fetchOne({ url: from.url }, options);
      expect(readFileSync(String(result?.file), 'utf8')).toBe('a page');
    }
    expect([from.seen.length, to.seen.length]).toEqual([2, 1]);
  });
});

describe('--form with redirects', () => {
  test.each([307, 308])('sends all its files again at a %i, to another host too', async (status) => {
    const to = await serve((response) => response.end('taken'));
    const from = await redirecting(to, status);
    const cwd = freshFolder();
    for (const name of ['a.txt', 'b.png']) writeFileSync(join(cwd, name), `content of ${name}`);
    const form = [`file=@${cwd}/a.txt`, `file=@${cwd}/b.png`, 'title={title}'];
    const ran = await runAll([`${from.url}/up`], { jobs: 2, perHost: 1 }, { form }, { title: 'T' });
    expect(ran.records[0]?.result?.text).toBe('taken');
    const [{ method, body, headers } = { method: '', body: '', headers: {} }] = to.seen;
    expect(method).toBe('POST');
    expect(body).toBe(from.seen[0]?.body);
    expect(headers['content-type']).toBe(from.seen[0]?.headers['content-type']);
    const parts = new Response(body, { headers: { 'content-type': String(headers['content-type']) } });
    const files = (await parts.formData()).getAll('file') as File[];
    expect(files.map(({ name, type }) => [name, type])).toEqual([
      ['a.txt', 'text/plain'],
      ['b.png', 'image/png'],
    ]);
    expect(await files[1]?.text()).toBe('content of b.png');
  });

  test.each([301, 302, 303])('becomes a GET without a body at a %i', async (status) => {
    const to = await serve((response) => response.end('page'));
    const from = await redirecting(to, status);
    const { result } = await fetchOne({ url: `${from.url}/up` }, { form: ['a=1'] });
    expect(result?.text).toBe('page');
    expect(to.seen[0]).toMatchObject({ method: 'GET', body: '' });
    for (const name of ['content-type', 'content-length', 'transfer-encoding'])
      expect(to.seen[0]?.headers).not.toHaveProperty(name);
  });
});

describe('--follow-meta with cookies', () => {
  const login: Answering = (response, { url, headers }) => {
    response.setHeader('content-type', 'text/html');
    if (url === '/in') return void response.end(`inside with ${headers.cookie}`);
    response.setHeader('set-cookie', ['session=1; Path=/', 'seen=yes; Path=/in']);
    response.end('<meta http-equiv="refresh" content="0; url=/in">');
  };

  test('sends the cookies of the page that refreshes', async () => {
    const server = await serve(login);
    const cookies = join(freshFolder(), 'jar');
    const { result } = await fetchOne({ url: server.url }, { followMeta: true, redirects: true, cookies });
    expect(result?.text).toMatch(/^inside with (session=1; seen=yes|seen=yes; session=1)$/);
    expect(result?.redirects).toEqual([{ status: 200, url: `${server.url}/`, meta: true }]);
  });

  test('gives the cookies to no other host, and the Cookie header of the user neither', async () => {
    const to = await serve((response, { headers }) => response.end(`${headers.cookie}`));
    const from = await serve((response) => {
      response.writeHead(200, { 'content-type': 'text/html', 'set-cookie': 'session=1' });
      response.end(`<meta http-equiv="refresh" content="0; url=http://localhost:${to.port}/">`);
    });
    const options = { followMeta: true, cookies: join(freshFolder(), 'jar'), header: ['Cookie: own=1'] };
    const executor = await open(options);
    expect((await attempt(executor, { url: from.url })).result?.text).toBe('undefined');
  });
});
