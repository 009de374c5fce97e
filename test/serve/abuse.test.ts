import { existsSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshFolder, sh } from '../support/run.ts';
import { ask, type Serving, serve, submit } from './service.ts';

const TOKEN = 'a-token-of-some-length';
const JSON_TYPE = { 'content-type': 'application/json' };

async function serving(words: readonly string[] = []): Promise<Serving> {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'work.mjs'), 'export default async (task) => task;\n');
  return serve(cwd, ['--port', '0', '--exec', 'task-exec --module work.mjs --quiet', ...words]);
}

/** Sends bytes and returns the response until the connection closes. */
async function raw(url: string, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(bytes);
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

/** Name, path, request, status code, and code of the first error. */
type Case = readonly [string, string, RequestInit, number, string];
const post = (
  body: NonNullable<RequestInit['body']>,
  headers: Readonly<Record<string, string>> = JSON_TYPE,
): RequestInit => ({
  method: 'POST',
  headers,
  body,
});

const CASES: readonly Case[] = [
  ['no body', '', { method: 'POST', headers: JSON_TYPE }, 400, 'JSON'],
  ['broken JSON', '', post('{"data":'), 400, 'JSON'],
  ['JSON that is not an object', '', post('[1]'), 400, 'OBJECT'],
  ['data that is not an object', '', post('{"data":"x"}'), 400, 'OBJECT'],
  ['deep JSON', '', post(`{"data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`), 400, 'DEPTH'],
  ['bytes that are not UTF-8', '', post(Buffer.from('{"data":{"x":"\xff"}}', 'latin1')), 400, 'UTF8'],
  ['its own uuid', '', post('{"data":{"uuid":"x"}}'), 400, 'DATA'],
  ['its own run', '', post('{"data":{"run":{"state":"SUCCESS"}}}'), 400, 'DATA'],
  ['another member', '', post('{"data":{},"x":1}'), 400, 'DATA'],
  ['a form', '', post('data=1', { 'content-type': 'application/x-www-form-urlencoded' }), 415, 'TYPE'],
  [
    'plain text, as a page of another site may send',
    '',
    post('{"data":{}}', { 'content-type': 'text/plain' }),
    415,
    'TYPE',
  ],
  [
    'a batch with one bad line',
    '/batch',
    post('{}\n{"run":1}\n', { 'content-type': 'application/x-ndjson' }),
    400,
    'DATA',
  ],
  ['a batch as JSON', '/batch', post('{}'), 415, 'TYPE'],
  [
    'another site',
    '',
    { ...post('{"data":{}}', { ...JSON_TYPE, origin: 'http://evil.example' }) },
    403,
    'ORIGIN',
  ],
  ['an unknown id', '?task_id=unknown', {}, 404, 'TASK'],
  ['no id', '', {}, 400, 'QUERY'],
  ['an endless id', `?task_id=${'x'.repeat(300)}`, {}, 400, 'QUERY'],
  ['SQL as an id', `?task_id=${encodeURIComponent("' or 1=1 --")}`, {}, 404, 'TASK'],
  ['a path as the id of a log', `/log?task_id=${encodeURIComponent('../../../etc/passwd')}`, {}, 404, 'TASK'],
  ['a path that climbs', '/../../../etc/passwd', {}, 404, 'PATH'],
  ['an encoded path that climbs', '/%2e%2e%2f%2e%2e%2fetc%2fpasswd', {}, 404, 'PATH'],
  ['a path with a broken escape', '/%zz', {}, 400, 'PATH'],
  ['a packed body', '', post('{"data":{}}', { ...JSON_TYPE, 'content-encoding': 'gzip' }), 415, 'ENCODING'],
  ['another method', '', { method: 'PUT', headers: JSON_TYPE, body: '{}' }, 405, 'METHOD'],
  ['an unknown status', '/tasks?status=ALL', {}, 400, 'STATUS'],
  ['an endless page', '/tasks?limit=1000000', {}, 400, 'QUERY'],
  ['an infinite page', '/tasks?limit=1e400', {}, 400, 'QUERY'],
  ['a page before infinity', '/tasks?before=1e400', {}, 400, 'QUERY'],
];

/** Query, and the message that says what to send. */
const QUERIES = [
  ['', 'the query has no task_id; send ?task_id=ID'],
  ['?task_id=', 'task_id is empty; send ?task_id=ID'],
  ['/log', 'the query has no task_id; send ?task_id=ID'],
  ['/log?task_id=', 'task_id is empty; send ?task_id=ID'],
  [`?task_id=${'x'.repeat(257)}`, 'task_id must have at most 256 characters'],
  ['?task_id=a&stack=2', 'stack must be true or false'],
  ['/tasks?limit=x', 'limit must be a whole number'],
  ['/tasks?limit=0', 'limit must be at least 1'],
  ['/tasks?limit=1000000', 'limit must be at most 1000'],
] as const;

describe('task-serve', { timeout: 60_000 }, () => {
  test('says what to send if a query is invalid', async () => {
    const { url } = await serving();
    for (const [query, words] of QUERIES) {
      const { code, body } = await ask(url + query);
      expect([code, body.error_msg], query).toEqual([400, words]);
    }
  });

  test('sends its security headers also with the answer to an invalid path', async () => {
    const { url } = await serving();
    const { headers } = await ask(new URL('/%zz', url).href);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });

  test(`answers ${CASES.length} kinds of abuse in its usual format, and keeps running`, async () => {
    const { url, end, said } = await serving();
    for (const [name, path, init, code, fault] of CASES) {
      const answer = await ask(url + path, init);
      expect([answer.code, answer.body?.error_data[0]?.code], name).toEqual([code, fault]);
      expect(Object.keys(answer.body), name).toEqual(['status', 'data', 'error_data', 'error_msg']);
    }
    const list = await ask(`${url}/tasks`);
    expect(list.body.data.tasks, 'none of them was taken').toEqual([]);
    expect((await submit(url, JSON.parse('{"__proto__":{"x":1},"constructor":2}'))).code).toBe(200);
    expect((await submit(url, '{"data":{"__proto__":{"x":1},"constructor":2}}')).code).toBe(200);
    expect(await end()).toBe(143);
    expect(said().split('\n').length, 'a line of where it is, and no more').toBe(2);
  });

  test('rejects a body that is too large before it arrives', async () => {
    const { url } = await serving();
    const head = (path: string, type: string, length: number): string =>
      `POST /api${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n`;
    expect(await raw(url, head('', 'application/json', 1024 * 1024 + 1))).toMatch(
      /^HTTP\/1.1 413 [\s\S]*"SIZE"/,
    );
    expect(await raw(url, head('/batch', 'application/x-ndjson', 16 * 1024 * 1024 + 1))).toMatch(
      /^HTTP\/1.1 413 /,
    );
  });

  test('rejects requests to other host names, as in DNS rebinding', async () => {
    const { url } = await serving(['--allow-host', 'tasks.example']);
    const get = (host: string): Promise<string> =>
      raw(url, `GET /api/tasks HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(await get('evil.example')).toMatch(/^HTTP\/1.1 403 [\s\S]*"code":"HOST"/);
    expect(await get('127.0.0.1.evil.example')).toMatch(/^HTTP\/1.1 403 /);
    expect(await get('tasks.example:80')).toMatch(/^HTTP\/1.1 200 /);
  });

  test('answers invalid HTTP with 400 and endless headers with 431', async () => {
    const { url } = await serving();
    expect(await raw(url, 'SSH-2.0-x\r\n\r\n')).toMatch(/^HTTP\/1.1 400 [\s\S]*"error_msg"/);
    expect(
      await raw(url, `GET /api HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`),
    ).toMatch(/^HTTP\/1.1 431 /);
    expect((await ask(`${url}/tasks`)).code).toBe(200);
  });

  test('requires its token for all data, and never shows it', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'token'), `${TOKEN}\n`);
    const { url, said } = await serve(cwd, [
      '--port',
      '0',
      '--exec',
      'cat',
      '--host',
      '0.0.0.0',
      '--token',
      '@token',
    ]);
    const local = url.replace('0.0.0.0', '127.0.0.1');
    const { origin } = new URL(local);
    for (const path of [
      `${local}/tasks`,
      `${local}?task_id=x`,
      `${local}/log?task_id=x`,
      `${local}/events`,
      `${origin}/metrics`,
    ]) {
      for (const shown of [undefined, 'Bearer wrong', `Basic ${TOKEN}`, `Bearer ${TOKEN}x`]) {
        const { code } = await ask(path, shown === undefined ? {} : { headers: { authorization: shown } });
        expect(code, `${path} ${shown}`).toBe(401);
      }
    }
    expect((await submit(local, {})).code).toBe(401);
    expect((await submit(local, {}, { authorization: `Bearer ${TOKEN}` })).code).toBe(200);
    expect((await ask(`${origin}/healthz`)).code).toBe(200);
    expect((await ask(`${origin}/`)).text + said()).not.toContain(TOKEN);
  });

  test('rejects a public address without a token, and other invalid options', async () => {
    const tried: readonly (readonly [string, string])[] = [
      ['/api --exec cat --host 0.0.0.0', '--token'],
      ['/api --exec cat --token short', 'at least 16 characters'],
      ['api --exec cat', 'look like /api'],
      ['/ --exec cat', 'look like /api'],
      ['--exec cat', 'give one path'],
      ['/api --exec cat --rerun-after 1h', 'needs --id-fields'],
      ['/api --exec "a | b"', 'needs a shell'],
      ['/api --exec cat --port 70000', 'from 0 to 65535'],
    ];
    for (const [words, says] of tried) {
      const { code, stderr } = await sh(`task-serve ${words}`);
      expect([code, stderr], words).toEqual([2, expect.stringContaining(says)]);
    }
  });

  test('closes the connection of a slow client, and answers others meanwhile', async () => {
    const { url } = await serving(['--request-timeout', '2s']);
    const slow = connect(Number(new URL(url).port), '127.0.0.1');
    slow.on('error', () => {});
    slow.write(
      'POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n',
    );
    const drip = setInterval(() => slow.write('x'), 100);
    let isLeft = false;
    slow.resume();
    slow.once('close', () => {
      isLeft = true;
    });
    let answered = 0;
    while (!isLeft) {
      const began = performance.now();
      expect((await submit(url, { n: 1 })).code).toBe(200);
      expect(performance.now() - began).toBeLessThan(2000);
      answered++;
    }
    clearInterval(drip);
    expect(answered).toBeGreaterThan(10);
  });

  test('accepts no more tasks than --backlog, then answers 429 with Retry-After', async () => {
    const cwd = freshFolder();
    const { url } = await serve(cwd, ['--port', '0', '--exec', 'sleep 100', '--backlog', '3']);
    for (let i = 0; i < 3; i++) expect((await submit(url, { i })).code).toBe(200);
    const { code, headers, body } = await submit(url, { i: 4 });
    expect([code, headers.get('retry-after'), body.error_data[0].code]).toEqual([429, '5', 'BACKLOG']);
    expect(existsSync(join(cwd, 'tasks.db'))).toBe(true);
  });
});
