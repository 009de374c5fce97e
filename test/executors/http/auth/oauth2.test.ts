/* OAuth 2: tokens, and token endpoints that fail. test/faults/short-tokens.ts renews tokens in a long run. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { closedPort, serve } from '../../../support/http-server.ts';
import { freshFolder, sh } from '../../../support/run.ts';
import { attempt, fetchOne, open } from '../support.ts';
import { serveTokens, type TokenServer } from './token-server.ts';

/** Writes a file for `--oauth2`. */
function clientFile(server: Pick<TokenServer, 'url'>, more: object = {}): string {
  const file = join(freshFolder(), 'client.json');
  const members = { token_url: `${server.url}/token`, client_id: 'me', client_secret: 'hush', ...more };
  writeFileSync(file, JSON.stringify(members), { mode: 0o600 });
  return file;
}

describe('--oauth2', () => {
  test('gets one token for all tasks, by the credentials of the client', async () => {
    const server = await serveTokens();
    const executor = await open({ oauth2: clientFile(server, { scope: 'a b', audience: 'x' }) });
    const all = await Promise.all(Array.from({ length: 20 }, () => attempt(executor, { url: server.url })));
    expect(all.map(({ result }) => result?.status)).toEqual(Array(20).fill(200));
    expect(server.asked).toEqual([{ grant_type: 'client_credentials', scope: 'a b', audience: 'x' }]);
  });

  test('sends the secret in the form with "client_auth": "post"', async () => {
    const server = await serveTokens();
    const oauth2 = clientFile(server, { client_auth: 'post' });
    expect((await fetchOne({ url: server.url }, { oauth2 })).result).toMatchObject({ status: 200 });
    expect(server.asked[0]).toMatchObject({ client_id: 'me', client_secret: 'hush' });
  });

  test('renews a rejected token once for all tasks, and sends their requests again', async () => {
    const server = await serveTokens({ stated: null });
    const executor = await open({ oauth2: clientFile(server) });
    await attempt(executor, { url: server.url });
    server.revoke();
    const all = await Promise.all(
      Array.from({ length: 10 }, () => attempt(executor, { url: server.url, method: 'post', data: 'x' })),
    );
    expect(all.map(({ result }) => result?.status)).toEqual(Array(10).fill(200));
    expect(server.asked).toHaveLength(2);
  });

  test('does not ask for a token again and again for a server that rejects all', async () => {
    const server = await serveTokens();
    const other = await serve((response) => response.writeHead(401).end());
    const executor = await open({ oauth2: clientFile(server) });
    for (let i = 0; i < 5; i++)
      expect((await attempt(executor, { url: other.url })).error).toMatchObject({
        message: '401 Unauthorized',
      });
    expect(server.asked).toHaveLength(2);
  });

  test('sends no token to the origin of a redirect', async () => {
    const server = await serveTokens();
    const other = await serve((response) => response.end());
    const first = await serve((response) => response.writeHead(302, { location: other.url }).end());
    await fetchOne({ url: first.url }, { oauth2: clientFile(server) });
    expect(first.seen[0]?.headers.authorization).toBe(`Bearer ${server.tokens[0]}`);
    expect(other.seen[0]?.headers.authorization).toBeUndefined();
  });

  test('stores a new refresh token in the file, and uses that of another process', async () => {
    const server = await serveTokens({ rotates: true, stated: null });
    const file = clientFile(server, { refresh_token: 'first', note: 'mine' });
    const [one, two] = [await open({ oauth2: file }), await open({ oauth2: file })];
    for (const executor of [one, two, one]) {
      server.revoke();
      expect((await attempt(executor, { url: server.url })).result).toMatchObject({ status: 200 });
    }
    const kept = JSON.parse(readFileSync(file, 'utf8'));
    expect(kept).toMatchObject({ client_id: 'me', note: 'mine', refresh_token: server.tokens.at(-1) });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(server.asked.map((form) => form.grant_type)).toEqual(Array(3).fill('refresh_token'));
  });

  test('uses a refresh token that another process replaces while its own request is under way', async () => {
    const server = await serveTokens({
      answer: (_, count) => {
        if (count === 1)
          setTimeout(() => writeFileSync(file, text.replace('old', 'first'), { mode: 0o600 }), 100);
        return false;
      },
    });
    const file = clientFile(server, { refresh_token: 'old' });
    const text = readFileSync(file, 'utf8');
    expect((await fetchOne({ url: server.url }, { oauth2: file })).result).toMatchObject({ status: 200 });
    expect(server.asked.map((form) => form.refresh_token)).toEqual(['old', 'first']);
  });

  test('separates the entries of a cache by client, and keeps them when a token is renewed', async () => {
    const server = await serveTokens();
    const api = await serve((response) => response.setHeader('cache-control', 'max-age=1000').end('x'));
    const cache = join(freshFolder(), 'cache');
    for (const scope of ['a', 'b', 'a']) {
      await fetchOne({ url: api.url }, { cache, oauth2: clientFile(server, { scope }) });
    }
    expect(api.seen).toHaveLength(2);
    expect(server.asked).toHaveLength(2);
  });
});

describe('a token endpoint', () => {
  test('that is not available for a while is asked again, and no task fails', async () => {
    const server = await serveTokens({
      answer: (response, count) => count < 3 && Boolean(response.writeHead(503).end('later')),
    });
    const input = Array.from({ length: 5 }, (_, i) => `{"uuid":"${i}","url":"${server.url}/${i}"}\n`).join(
      '',
    );
    const { stdout, code } = await sh(
      `task-exec --http --oauth2 ${clientFile(server)} --retries 20 --backoff 200ms..400ms`,
      { input },
    );
    expect(code).toBe(0);
    expect(stdout.match(/"state":"SUCCESS"/g)).toHaveLength(5);
    expect(server.asked).toHaveLength(3);
  });

  test.each([
    ['a status 503', (response) => response.writeHead(503).end('later'), 'it answered 503'],
    [
      'an error that passes',
      (response) =>
        response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"slow_down"}'),
      'slow_down',
    ],
  ] as [string, (response: import('node:http').ServerResponse) => unknown, string][])(
    'with %s fails tasks as TOKEN, which are retried',
    async (_, answer, words) => {
      const server = await serveTokens({ answer: (response) => Boolean(answer(response)) });
      const { error, retry } = await fetchOne(
        { url: server.url, method: 'post', data: 'x' },
        { oauth2: clientFile(server) },
      );
      expect(error).toMatchObject({ code: 'TOKEN', message: expect.stringContaining(words) });
      expect(error?.message).toContain(`cannot get a token from ${server.url} (--oauth2)`);
      expect(retry).toBeDefined();
    },
  );

  test('that cannot be reached fails tasks as TOKEN, which are retried', async () => {
    const url = `http://127.0.0.1:${await closedPort()}`;
    const { error, retry } = await fetchOne({ url }, { oauth2: clientFile({ url }) });
    expect(error).toMatchObject({ code: 'TOKEN', message: expect.stringContaining('connection refused') });
    expect(retry).toBeDefined();
  });

  test('that refuses ends the run with its reason, without secrets, and leaves the tasks for the next run', async () => {
    const server = await serveTokens();
    const file = clientFile(server, { client_secret: 'wrong-hush', scope: 'x' });
    const input = Array.from({ length: 5 }, (_, i) => `{"uuid":"${i}","url":"${server.url}/${i}"}\n`).join(
      '',
    );
    const { stdout, stderr, code } = await sh(`task-exec --http --oauth2 ${file} -j 2`, { input });
    expect(code).toBe(74);
    expect(stderr).toContain('cannot get a token from');
    expect(stderr).toContain('invalid_client');
    expect(stdout + stderr).not.toContain('wrong-hush');
    expect(stdout).not.toContain('FAILURE');
  });

  test.each([
    ['answers with a page', (response) => response.end('<html>'), 'not that of OAuth 2; check token_url'],
    ['is not there', (response) => response.writeHead(404).end(), 'it answered 404; check token_url'],
    [
      'refuses and repeats the secret',
      (response) =>
        response
          .writeHead(400, { 'content-type': 'application/json' })
          .end('{"error":"invalid_client","error_description":"what is hush\\u001b?"}'),
      'invalid_client (what is …\\x1b?)',
    ],
  ] as [string, (response: import('node:http').ServerResponse) => unknown, string][])(
    'that %s ends the run',
    async (_, answer, words) => {
      const server = await serveTokens({ answer: (response) => Boolean(answer(response)) });
      const tried = fetchOne({ url: server.url }, { oauth2: clientFile(server) });
      const error = await tried.catch((thrown: Error) => thrown);
      expect(error).toMatchObject({ code: 'IO' });
      expect((error as Error).message).toContain(words);
    },
  );

  test('that hangs holds a task no longer than its timeout', async () => {
    const server = await serveTokens({ answer: () => true });
    const began = performance.now();
    const { error } = await fetchOne({ url: server.url }, { oauth2: clientFile(server), timeout: 300 });
    expect(error).toMatchObject({ code: 'TOKEN', message: expect.stringContaining('--timeout') });
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});

test.each([
  [{ token_url: 'http://example.com/token' }, 'token_url must be an https url'],
  [{ token_url: 'x' }, 'token_url must be an https url'],
  [{ client_id: 5 }, 'client_id must be text'],
  [{ client_auth: 'jwt' }, 'client_auth must be basic, post or none'],
])('a file with %j is refused', async (more, words) => {
  await expect(open({ oauth2: clientFile({ url: '' }, more) })).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining(words),
  });
});
