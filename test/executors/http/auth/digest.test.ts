/* Digest logins, against a server that checks every member of the credentials, and one in Python. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { challengesIn } from '../../../../src/executors/http/auth/digest-challenge.ts';
import type { HttpOptions } from '../../../../src/executors/http/index.ts';
import { serve } from '../../../support/http-server.ts';
import { freshFolder, has, sh } from '../../../support/run.ts';
import { attempt, fetchOne, open } from '../support.ts';
import { responseFor, serveDigest } from './digest-server.ts';

const env = { TASK_AUTH_SECRET: 'Mufasa:Circle of Life' };
const login: HttpOptions = { auth: 'digest', env };

describe('--auth digest', () => {
  test.each(['MD5', 'MD5-sess', 'SHA-256', 'SHA-256-sess', 'SHA-512-256'])(
    'logs in with %s',
    async (algorithm) => {
      const server = await serveDigest({ algorithm });
      const { result, error } = await fetchOne({ url: `${server.url}/a?b=c` }, login);
      expect(error).toBeUndefined();
      expect(result).toMatchObject({ status: 200, text: 'hello 0' });
      expect(server.log).toEqual(['GET 401 0', 'GET 200 0']);
    },
  );

  test('answers a server that knows no qop, as RFC 2069 says', async () => {
    const server = await serveDigest({ challenges: ['Digest realm="r", nonce="NONCE"'] });
    expect((await fetchOne({ url: server.url }, login)).result).toMatchObject({ status: 200 });
    expect(server.seen[1]?.headers.authorization).not.toMatch(/qop|nc=|cnonce|algorithm/);
  });

  test('uses the first challenge that it supports', async () => {
    const server = await serveDigest({
      challenges: [
        'Negotiate, Basic realm="x, y", Digest realm="no", algorithm=SHA3, nonce="NONCE"',
        'Digest realm="r", algorithm=SHA-256, nonce="NONCE", qop=auth',
      ],
    });
    expect((await fetchOne({ url: server.url }, login)).result).toMatchObject({ status: 200 });
    expect(server.seen[1]?.headers.authorization).toMatch(/algorithm=SHA-256/);
  });

  test('sends one request for each later task, and counts the uses of a nonce', async () => {
    const server = await serveDigest({ isStrict: true });
    const executor = await open(login);
    for (let i = 0; i < 4; i++)
      expect((await attempt(executor, { url: `${server.url}/${i}` })).result).toMatchObject({ status: 200 });
    expect(server.log).toEqual(['GET 401 0', 'GET 200 0', 'GET 200 0', 'GET 200 0', 'GET 200 0']);
    expect(server.seen.at(-1)?.headers.authorization).toMatch(/nc=00000004/);
  });

  test.each([false, true])('sends a request with a stale nonce again (unsaid: %s)', async (hidesStale) => {
    const server = await serveDigest({ uses: 2, hidesStale });
    const executor = await open(login);
    for (let i = 0; i < 5; i++)
      expect((await attempt(executor, { url: server.url })).result).toMatchObject({ status: 200 });
    expect(server.log.filter((line) => line.includes('401'))).toHaveLength(3);
  });

  test('uses the nonce that a server sends for the next request', async () => {
    const server = await serveDigest({ uses: 1, givesNext: true });
    const executor = await open(login);
    for (let i = 0; i < 4; i++) await attempt(executor, { url: server.url });
    expect(server.log).toEqual(['GET 401 0', 'GET 200 0', 'GET 200 0', 'GET 200 0', 'GET 200 0']);
  });

  test('succeeds at a server that rejects counts out of order, also many at once', async () => {
    const server = await serveDigest({ isStrict: true });
    const executor = await open(login);
    await attempt(executor, { url: server.url });
    const all = await Promise.all(Array.from({ length: 30 }, () => attempt(executor, { url: server.url })));
    expect(all.map(({ result }) => result?.status)).toEqual(Array(30).fill(200));
  });

  test('gives up after one rejected password', async () => {
    const server = await serveDigest({ password: 'other' });
    const { error, result, retry } = await fetchOne({ url: server.url }, login);
    expect(error).toMatchObject({ code: 'HTTP_STATUS', message: '401 Unauthorized' });
    expect(result).toMatchObject({ text: 'who are you?' });
    expect(retry).toBeUndefined();
    expect(server.log).toHaveLength(2);
  });

  test('asks for the challenge by HEAD before it uploads a file, so that the file is sent once', async () => {
    const server = await serveDigest();
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'big.bin'), 'x'.repeat(300_000));
    const options = { ...login, bodyFile: join(cwd, 'big.bin'), method: 'put' };
    const executor = await open(options);
    for (let i = 0; i < 2; i++)
      expect((await attempt(executor, { url: server.url })).result).toMatchObject({ text: 'hello 300000' });
    expect(server.log).toEqual(['HEAD 401 0', 'PUT 200 300000', 'PUT 200 300000']);
  });

  test('uploads to a server that challenges no HEAD request', async () => {
    const digest = await serveDigest();
    const server = await serve((response, seen) => {
      if (seen.method !== 'HEAD') response.writeHead(307, { location: '/x' }).end();
      else response.writeHead(405).end();
    });
    const { result } = await fetchOne({ url: server.url, method: 'post', json: 1 }, { ...login, follow: 0 });
    expect(result).toMatchObject({ status: 307 });
    expect(server.seen.map(({ method, body }) => method + body)).toEqual(['HEAD', 'POST1']);
    expect(digest.seen).toEqual([]);
  });

  test('logs in with user and password of the url', async () => {
    const server = await serveDigest({ user: 'jo', password: 'p:w' });
    const url = server.url.replace('//', '//jo:p%3Aw@');
    const lines: string[] = [];
    const printCurl = (line: string): void => void lines.push(line);
    expect((await fetchOne({ url }, { ...login, printCurl })).result).toMatchObject({ status: 200 });
    expect(lines.join()).toContain('--digest --user "$LOGIN"');
    expect(lines.join()).not.toMatch(/authorization|p:w/i);
  });

  test('logs in users and realms that are not ASCII', async () => {
    const server = await serveDigest({ user: 'Jäsøn', password: 'Doe…' });
    const { result } = await fetchOne(
      { url: server.url },
      { auth: 'digest', env: { TASK_AUTH_SECRET: 'Jäsøn:Doe…' } },
    );
    expect(result).toMatchObject({ status: 200 });
  });

  test('is checked by a server that computes the example of RFC 7616, 3.9.1', () => {
    const header =
      'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"';
    const [, fields] = challengesIn(header)[0] ?? [];
    const more = { uri: '/dir/index.html', nc: '00000001', qop: 'auth' };
    const cnonce = 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ';
    expect(responseFor('GET', { ...fields, ...more, cnonce }, {})).toBe(
      '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1',
    );
  });

  test('prints a command line by which curl logs in too, without the password', async (context) => {
    if (!(await has('curl'))) context.skip('curl is not installed');
    const server = await serveDigest();
    const input = JSON.stringify({ uuid: 'a', url: `${server.url}/a?b=1`, method: 'post', json: { a: 1 } });
    const options = '--http --auth digest --print-curl --dry-run';
    const { stderr } = await sh(`task-exec ${options}`, { input: `${input}\n`, env });
    expect(stderr).not.toContain('Circle');
    const line = stderr.split('\n').find((one) => one.includes('curl '));
    const { stdout } = await sh(`${line?.slice(line.indexOf('curl '))} --silent`, { env });
    expect(stdout).toBe('hello 7');
  });

  test('runs in task-exec, without a retry', async () => {
    const server = await serveDigest();
    const input = Array.from({ length: 20 }, (_, i) => `{"uuid":"${i}","url":"${server.url}/${i}"}\n`).join(
      '',
    );
    const { code, stdout, stderr } = await sh('task-exec --http --auth digest --retries 0 -j 4', {
      input,
      env,
    });
    expect(stderr).not.toContain('FAIL');
    expect(code).toBe(0);
    expect(stdout.match(/"state":"SUCCESS","as":"result","attempts":1,/g)).toHaveLength(20);
  });
});
