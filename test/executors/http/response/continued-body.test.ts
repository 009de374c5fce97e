/* Bodies of --body-dir that break off, and are continued. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { HttpOptions } from '../../../../src/executors/http/index.ts';
import {
  ETAG,
  headOf,
  LargeFile,
  type LargeServer,
  MB,
  type Serving,
  serveLarge,
} from '../../../support/large-server.ts';
import { freshFolder, sh } from '../../../support/run.ts';
import { attempt, open, type Tried } from '../support.ts';

const file = new LargeFile(6 * MB);
const other = new LargeFile(6 * MB, 2);
const digest = (path: unknown): string =>
  createHash('sha256')
    .update(readFileSync(String(path)))
    .digest('hex');

/** Makes an attempt at a task in its own run. */
async function fetchOne(record: object, options: HttpOptions): Promise<Tried> {
  const executor = await open(options);
  const tried = await attempt(executor, record);
  await executor.close();
  return tried;
}

/** Sends the first half of a file, and breaks off. */
async function breakOff(serving: Serving, headers?: Readonly<Record<string, string>>): Promise<void> {
  const start = headOf(file, serving, headers);
  await serving.send(start, start + 3 * MB);
  setTimeout(() => serving.response.destroy(), 50); // the sent bytes arrive
}

/** Breaks off the first answer, then answers with `second`. Returns both results. */
async function twice(
  second: (serving: Serving) => unknown,
  {
    headers = { etag: ETAG },
    first = breakOff,
    path = ['/', '/'],
  }: {
    headers?: Readonly<Record<string, string>>;
    first?: typeof breakOff;
    path?: readonly [string, string];
  } = {},
): Promise<{ broken: Tried; whole: Tried; server: LargeServer; dir: string }> {
  const server = await serveLarge(file, (serving) =>
    serving.count === 1 ? first(serving, headers) : second(serving),
  );
  const dir = join(freshFolder(), 'pages');
  const broken = await fetchOne({ url: server.url + path[0] }, { bodyDir: dir });
  const whole = await fetchOne({ url: server.url + path[1] }, { bodyDir: dir });
  return { broken, whole, server, dir };
}

const well =
  (content = file, headers: Readonly<Record<string, string>> = { etag: ETAG }) =>
  async (serving: Serving): Promise<void> => {
    const start = headOf(content, serving, headers);
    for (let at = start; at < content.size; at += MB)
      serving.response.write(content.slice(at, Math.min(content.size, at + MB)));
    serving.response.end();
  };

const YESTERDAY = new Date(Date.now() - 86_400_000).toUTCString();

describe('a body that breaks off', () => {
  test.each([
    ['a strong ETag', { etag: ETAG }],
    ['a date of the last change', { 'last-modified': YESTERDAY }],
  ])('is continued by the next run if the server gives %s', async (_, headers) => {
    const { broken, whole, server, dir } = await twice(well(file, headers), { headers });
    expect(broken.error?.code).toBe('CONNECTION');
    expect(broken.retry).toEqual({ hasProgress: true });
    expect(server.seen[1]?.headers).toMatchObject({
      range: `bytes=${3 * MB}-`,
      'if-range': Object.values(headers)[0],
      'accept-encoding': 'identity',
    });
    expect(whole.error).toBeUndefined();
    expect(whole.result).toMatchObject({ status: 200, bytes: file.size, sha256: file.sha256 });
    expect(digest(whole.result?.file)).toBe(file.sha256);
    expect(readdirSync(dir)).toHaveLength(1);
  });

  test('is continued by the next attempt', async () => {
    const server = await serveLarge(file, (serving) =>
      serving.count === 1 ? breakOff(serving) : well()(serving),
    );
    const executor = await open({ bodyDir: join(freshFolder(), 'pages'), headers: true });
    await attempt(executor, { url: server.url });
    const { result } = await attempt(executor, { url: server.url });
    expect(result).toMatchObject({ sha256: file.sha256, status: 200 });
    expect(result?.headers).toMatchObject({ 'content-length': String(file.size) });
    expect(result?.headers).not.toHaveProperty('content-range');
    expect(server.seen[1]?.headers.range).toBe(`bytes=${3 * MB}-`);
  });

  test('is continued by the attempt after one that got no answer', async () => {
    const server = await serveLarge(file, (serving) => {
      if (serving.count === 1) return breakOff(serving);
      if (serving.count === 2) return serving.response.destroy();
      return serving.count === 3 ? serving.response.writeHead(503).end('busy') : well()(serving);
    });
    const executor = await open({ bodyDir: join(freshFolder(), 'pages') });
    for (const code of ['CONNECTION', 'CONNECTION', 'HTTP_STATUS', undefined])
      expect((await attempt(executor, { url: server.url })).error?.code).toBe(code);
    expect(server.seen[3]?.headers.range).toBe(`bytes=${3 * MB}-`);
  });

  test.each([
    ['no ETag and no date', {}],
    ['a weak ETag', { etag: 'W/"one"' }],
    [
      'a date that is not older than the answer',
      { 'last-modified': new Date(Date.now() + 9e5).toUTCString() },
    ],
    ['Accept-Ranges: none', { etag: ETAG, 'accept-ranges': 'none' }],
    ['an encoding', { etag: ETAG, 'content-encoding': 'gzip' }],
  ])('leaves no file if the server gives %s', async (_, headers: Record<string, string>) => {
    const server = await serveLarge(file, (serving) => breakOff(serving, headers));
    const dir = join(freshFolder(), 'pages');
    const { error } = await fetchOne({ url: server.url }, { bodyDir: dir });
    expect(['CONNECTION', 'DECODE']).toContain(error?.code);
    await expect.poll(() => readdirSync(dir)).toEqual([]);
  });

  test('is not continued for another url, a POST, or a request with its own Range', async () => {
    const { server, whole, dir } = await twice(well(), { path: ['/a', '/b'] });
    expect(server.seen[1]?.headers.range).toBeUndefined();
    expect(whole.result?.sha256).toBe(file.sha256);
    expect(existsSync(join(dir, '.taskpipe'))).toBe(false);
    const ranged = await serveLarge(file, (serving) => breakOff(serving));
    for (const more of [{ method: 'post' }, { headers: { Range: 'bytes=0-' } }]) {
      const folder = join(freshFolder(), 'pages');
      await fetchOne({ url: ranged.url, ...more }, { bodyDir: folder });
      await expect.poll(() => readdirSync(folder)).toEqual([]);
    }
  });

  test('is not continued once its beginning was changed on the disk', async () => {
    const server = await serveLarge(file, (serving) =>
      serving.count === 1 ? breakOff(serving) : well()(serving),
    );
    const dir = join(freshFolder(), 'pages');
    await fetchOne({ url: server.url }, { bodyDir: dir });
    await expect.poll(() => readdirSync(join(dir, '.taskpipe')).length).toBeGreaterThan(1);
    const own = join(dir, '.taskpipe');
    const part = readdirSync(own).find((name) => name.endsWith('.part')) ?? '';
    const bytes = readFileSync(join(own, part));
    bytes[1000] = 0;
    writeFileSync(join(own, part), bytes);
    const { result } = await fetchOne({ url: server.url }, { bodyDir: dir });
    expect(server.seen[1]?.headers.range).toBeUndefined();
    expect(result?.sha256).toBe(file.sha256);
  });
});

const lie =
  (status: number, headers: Readonly<Record<string, string | number>>) =>
  (serving: Serving): unknown => {
    if (serving.start === undefined) return well(other, { etag: '"two"' })(serving);
    serving.response.writeHead(status, headers);
    serving.response.end(headers['content-length'] === 0 ? '' : other.slice(serving.start, other.size));
    return undefined;
  };
const rest = `bytes ${3 * MB}-${6 * MB - 1}/${6 * MB}`;

describe('a server that answers a request for the rest', () => {
  test.each([
    ['with the whole of another version', well(other, { etag: '"two"' })],
    ['with 416', lie(416, {})],
    [
      'with another version, although If-Range forbids it',
      lie(206, { 'content-range': rest, etag: '"two"' }),
    ],
    ['without the ETag', lie(206, { 'content-range': rest })],
    ['without Content-Range', lie(206, { etag: ETAG })],
    ['with another range', lie(206, { 'content-range': `bytes 0-${3 * MB - 1}/${6 * MB}`, etag: ETAG })],
    [
      'with a range of another length',
      lie(206, { 'content-range': `bytes ${3 * MB}-${6 * MB}/${6 * MB + 1}`, etag: ETAG }),
    ],
    [
      'with a range that ends before it begins',
      lie(206, { 'content-range': `bytes ${3 * MB}-5/${6 * MB}`, etag: ETAG }),
    ],
    ['with several parts', lie(206, { 'content-type': 'multipart/byteranges; boundary=x', etag: ETAG })],
    ['with an encoding', lie(206, { 'content-range': rest, etag: ETAG, 'content-encoding': 'gzip' })],
    ['with 200 and the rest', lie(200, { 'content-range': rest, etag: ETAG })],
    ['with 200 and the rest, without saying so', lie(200, { 'content-length': 3 * MB, etag: ETAG })],
    [
      'with a range in the syntax of requests',
      lie(206, { 'content-range': rest.replace(' ', '='), etag: ETAG }),
    ],
    [
      'with a range that begins earlier',
      lie(206, { 'content-range': `bytes ${3 * MB - 512}-${6 * MB - 1}/${6 * MB}`, etag: ETAG }),
    ],
    ['with 206 and the whole', lie(206, { 'content-range': `bytes 0-${6 * MB - 1}/${6 * MB}`, etag: ETAG })],
    ['with an empty 206', lie(206, { 'content-range': rest, etag: ETAG, 'content-length': 0 })],
  ])('%s gives the whole of one version', async (_, answer) => {
    const { whole, dir } = await twice(answer);
    expect(whole.error).toBeUndefined();
    expect(whole.result).toMatchObject({ status: 200, bytes: other.size, sha256: other.sha256 });
    expect(digest(whole.result?.file)).toBe(other.sha256);
    expect(readdirSync(dir)).toHaveLength(1);
  });

  test('with only a part of it is asked for the remainder', async () => {
    const step = (serving: Serving): unknown => {
      const { start = 0, response } = serving;
      response.writeHead(206, {
        'content-range': `bytes ${start}-${start + MB - 1}/${file.size}`,
        etag: ETAG,
      });
      return response.end(file.slice(start, start + MB));
    };
    const server = await serveLarge(file, (serving) =>
      serving.count === 1 ? breakOff(serving) : step(serving),
    );
    const executor = await open({ bodyDir: join(freshFolder(), 'pages') });
    const tries: Tried[] = [];
    for (let i = 0; i < 4; i++) tries.push(await attempt(executor, { url: server.url }));
    expect(tries.map(({ error }) => error?.code)).toEqual([
      'CONNECTION',
      'CONNECTION',
      'CONNECTION',
      undefined,
    ]);
    expect(tries[1]?.error?.message).toMatch(`ended after ${4 * MB} of ${6 * MB} bytes`);
    expect(tries[3]?.result?.sha256).toBe(file.sha256);
  });

  test('with 206 is a success for --expect-status 200', async () => {
    const server = await serveLarge(file, (serving) =>
      serving.count === 1 ? breakOff(serving) : well()(serving),
    );
    const executor = await open({ bodyDir: join(freshFolder(), 'pages'), expectStatus: '200' });
    await attempt(executor, { url: server.url });
    expect((await attempt(executor, { url: server.url })).error).toBeUndefined();
  });
});

test('a redirect on the way to a body does not keep it from being continued', async () => {
  const server = await serveLarge(file, (serving) => {
    if (serving.seen.url === '/')
      return serving.response.writeHead(302, { location: `/signed?${serving.count}` }).end();
    return serving.count === 2 ? breakOff(serving) : well()(serving);
  });
  const executor = await open({ bodyDir: join(freshFolder(), 'pages') });
  await attempt(executor, { url: `${server.url}/` });
  const { result } = await attempt(executor, { url: `${server.url}/` });
  expect(result?.sha256).toBe(file.sha256);
  expect(server.sent).toBe(3 * MB);
});

test('two tasks with one uuid at once do not share a file', async () => {
  const server = await serveLarge(file);
  const dir = join(freshFolder(), 'pages');
  const executor = await open({ bodyDir: dir });
  const both = [attempt(executor, { url: server.url }), attempt(executor, { url: server.url })];
  for (const { result } of await Promise.all(both)) expect(result?.sha256).toBe(file.sha256);
  expect(readdirSync(dir).filter((name) => name.endsWith('.pdf'))).toHaveLength(1);
});

test.each([
  ['1', 'SUCCESS', 4],
  ['0', 'FAILURE', 1],
])('attempts that add to a body do not count as retries: --retries %s', async (retries, state, attempts) => {
  const whole = new LargeFile(8 * MB);
  const server = await serveLarge(whole, async (serving) => {
    const start = headOf(whole, serving);
    await serving.send(start, Math.min(whole.size, start + 2 * MB + 1000));
    if (start + 2 * MB + 1000 >= whole.size) serving.response.end();
    else setTimeout(() => serving.response.destroy(), 50);
  });
  const exec = `task-exec --http --retries ${retries} --backoff 1ms..2ms --body-dir pages`;
  const { stdout } = await sh(exec, { input: `{"uuid":"a","url":"${server.url}"}\n` });
  const { run, result } = JSON.parse(stdout);
  expect([run.state, run.attempts]).toEqual([state, attempts]);
  if (state === 'SUCCESS') expect(result.sha256).toBe(whole.sha256);
});

test.each([200, 416])('a server that always breaks off at the same place is given up: %i', async (status) => {
  const server = await serveLarge(file, async (serving) => {
    if (status === 416 && serving.start !== undefined) return serving.response.writeHead(416).end();
    headOf(file, { ...serving, start: undefined });
    await serving.send(0, 3 * MB);
    return setTimeout(() => serving.response.destroy(), 50);
  });
  const exec = 'task-exec --http --retries 2 --backoff 1ms..2ms --body-dir pages';
  const { stdout } = await sh(exec, { input: `{"uuid":"a","url":"${server.url}"}\n` });
  expect(JSON.parse(stdout).run).toMatchObject({ state: 'FAILURE', attempts: 4 });
});

test('notes without their file, and a file without notes, are ignored', async () => {
  const server = await serveLarge(file);
  const dir = join(freshFolder(), 'pages');
  const own = join(dir, '.taskpipe');
  const key = createHash('sha256').update('u1').digest('hex').slice(0, 32);
  for (const name of [`${key}.part.json`, `${key}.part`]) {
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, name), '{"url":"x"}\n{"bytes":3,"sha256":"x"}\nnonsense');
    const { result } = await fetchOne({ url: server.url }, { bodyDir: dir });
    expect(result?.sha256).toBe(file.sha256);
  }
});

test('a body that was whole when the process was killed is continued from the last note', async () => {
  const server = await serveLarge(file);
  const dir = join(freshFolder(), 'pages');
  const start = join(dir, '.taskpipe', createHash('sha256').update('u1').digest('hex').slice(0, 32));
  mkdirSync(join(dir, '.taskpipe'), { recursive: true });
  writeFileSync(`${start}.part`, file.slice(0, file.size));
  const sha256 = createHash('sha256')
    .update(file.slice(0, 4 * MB))
    .digest('hex');
  const url = createHash('sha256').update(`${server.url}/`).digest('hex');
  const notes = [
    { url, validator: ETAG, length: file.size },
    { bytes: 4 * MB, sha256 },
  ];
  writeFileSync(`${start}.part.json`, notes.map((note) => `${JSON.stringify(note)}\n`).join(''));
  const { result } = await fetchOne({ url: server.url }, { bodyDir: dir });
  expect(server.seen[0]?.headers.range).toBe(`bytes=${4 * MB}-`);
  expect(result?.sha256).toBe(file.sha256);
  expect(digest(result?.file)).toBe(file.sha256);
});

test('two processes at once do not share a beginning, and both files are whole', async () => {
  const large = new LargeFile(40 * MB);
  const server = await serveLarge(large);
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'in'), `{"uuid":"a","url":"${server.url}"}\n`);
  const exec = 'task-exec --http --body-dir pages < in';
  const { stdout } = await sh(`${exec} > 1 & ${exec} > 2; wait; cat 1 2; sha256sum pages/*.pdf`, { cwd });
  expect(stdout.match(new RegExp(large.sha256, 'g'))).toHaveLength(3);
  expect(readdirSync(join(cwd, 'pages'))).toHaveLength(1);
});
