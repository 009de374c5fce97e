/* OAuth 2 in practice: pipes, files that processes share, endpoints that are down, answers of odd servers. */

import { readFileSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openFetcher } from '../../../../src/executors/http/fetch.ts';
import { freshFolder, sh } from '../../../support/run.ts';
import { fetchOne } from '../support.ts';
import { serveTokens, type TokenServer } from './token-server.ts';

function clientText({ url }: Pick<TokenServer, 'url'>, more: object = {}): string {
  return JSON.stringify({ token_url: `${url}/token`, client_id: 'me', client_secret: 'hush', ...more });
}

function clientFile(server: Pick<TokenServer, 'url'>, more: object = {}, start = ''): string {
  const file = join(freshFolder(), 'client.json');
  writeFileSync(file, start + clientText(server, more), { mode: 0o600 });
  return file;
}

/** Returns tasks, one per line. */
function tasks(url: string, count: number): string {
  return Array.from({ length: count }, (_, i) => `{"uuid":"${i}","url":"${url}/${i}"}\n`).join('');
}

describe('a pipe in place of the file of --oauth2', () => {
  test('works, and a message says that a replaced refresh token is not stored', async () => {
    const server = await serveTokens({ rotates: true, life: 1000 });
    const secret = clientText(server, { refresh_token: 'first' });
    const { code, stdout, stderr } = await sh(
      `task-exec --http --rate 20/s --retries 0 --oauth2 <(printf %s '${secret}')`,
      { input: tasks(server.url, 30) },
    );
    expect(stderr).not.toContain('a defect');
    expect(stdout.match(/"state":"SUCCESS"/g)).toHaveLength(30);
    expect(code).toBe(0);
    expect(stderr.match(/the new one is not stored/g)).toHaveLength(1);
    expect(server.asked.length).toBeGreaterThan(1);
  });

  test('is refused for several threads, which cannot all read it', async () => {
    const { code, stderr } = await sh(
      'task-exec --module m.mjs --threads 2 --auth basic --auth-file <(echo a:b)',
    );
    expect(stderr).toMatch(/--auth-file \S+ is a pipe, which only one of the threads/);
    expect(code).toBe(2);
  });

  test('appears in the command that runs the rest as a name that can be typed', async () => {
    const { stderr } = await sh('task-exec --http --auth bearer --auth-file <(echo t) --retries 0', {
      input: '{"uuid":"1","url":"x"}\n',
    });
    expect(stderr).toContain('--auth-file PIPE --retries 0  # PIPE was a pipe such as <(command)');
    expect(stderr).not.toContain('/dev/fd/');
  });
});

test('processes that share a file never use a refresh token twice', async () => {
  const server = await serveTokens({ rotates: true, isSlow: true });
  const file = clientFile(server, { refresh_token: 'first' });
  const runs = await Promise.all(
    Array.from({ length: 3 }, () => sh(`task-exec --http --oauth2 ${file}`, { input: tasks(server.url, 3) })),
  );
  for (const { stderr } of runs) expect(stderr).toContain('3 done');
  expect(runs.map(({ code }) => code)).toEqual([0, 0, 0]);
  const used = server.asked.map((form) => form.refresh_token);
  expect(new Set(used).size).toBe(used.length);
  expect(JSON.parse(readFileSync(file, 'utf8')).refresh_token).toBe(server.tokens.at(-1));
});

describe('a token endpoint that is down for a while', () => {
  test.each([
    ['answers 503', (response: ServerResponse) => response.writeHead(503).end('later')],
    ['closes connections', (response: ServerResponse) => response.destroy()],
  ])('and %s pauses the tasks, and none fails', async (_, answer) => {
    const until = Date.now() + 3000;
    const server = await serveTokens({
      answer: (response) => Date.now() < until && Boolean(answer(response)),
    });
    const { code, stdout } = await sh(
      `task-exec --http --oauth2 ${clientFile(server)} --retries 1 --backoff 250ms..30s`,
      { input: tasks(server.url, 100) },
    );
    expect(stdout.match(/"state":"SUCCESS"/g)).toHaveLength(100);
    expect(code).toBe(0);
    expect(server.asked.length).toBeLessThan(12);
  });

  test('makes ctx.fetch wait', async () => {
    const server = await serveTokens({
      answer: (response, count) => count < 3 && Boolean(response.writeHead(503).end()),
    });
    const { fetch, close } = await openFetcher({ oauth2: clientFile(server) });
    const { status } = await fetch(new AbortController().signal)(server.url);
    await close();
    expect(status).toBe(200);
    expect(server.asked).toHaveLength(3);
  });

  test('fails tasks as TOKEN once all attempts are over', async () => {
    const server = await serveTokens({ answer: (response) => Boolean(response.writeHead(503).end()) });
    const { stdout } = await sh(
      `task-exec --http --oauth2 ${clientFile(server)} --retries 1 --backoff 10ms..20ms`,
      { input: tasks(server.url, 3) },
    );
    expect(stdout.match(/"code":"TOKEN"/g)).toHaveLength(3);
  });
});

/** Returns the end of a fetch whose token endpoint answers with this text. */
async function answeredWith(text: string, type = 'application/json', status = 200): Promise<unknown> {
  const server = await serveTokens({
    answer: (response) => Boolean(response.writeHead(status, { 'content-type': type }).end(text)),
  });
  const got = await fetchOne({ url: server.url }, { oauth2: clientFile(server) }).catch(
    (error: Error) => error.message,
  );
  return typeof got === 'string' ? got : server.seen.at(-1)?.headers.authorization;
}

describe('an answer of a token endpoint', () => {
  test.each([
    ['without token_type', '{"access_token":"T"}', 'application/json'],
    [
      'with "expires_in": null',
      '{"access_token":"T","token_type":"bearer","expires_in":null}',
      'application/json',
    ],
    [
      'as a form, as of GitHub',
      'access_token=T&scope=repo%2Cgist&token_type=bearer',
      'application/x-www-form-urlencoded; charset=utf-8',
    ],
    ['as JSON that is called text', '{"access_token":"T","refresh_token":null,"scope":null}', 'text/plain'],
  ])('%s gives the token', async (_, text, type) => {
    expect(await answeredWith(text, type)).toBe('Bearer T');
  });

  test.each([
    [
      200,
      '{"error":"invalid_scope","error_description":"no such scope"}',
      'application/json',
      'invalid_scope (no such scope)',
    ],
    [
      200,
      'error=bad_client&error_description=no+such+client',
      'application/x-www-form-urlencoded',
      'bad_client (no such client)',
    ],
    [
      400,
      'error=bad_client&error_description=no+such+client',
      'application/x-www-form-urlencoded',
      'bad_client (no such client)',
    ],
    [200, '{"token":"T"}', 'application/json', 'its answer has no access_token'],
    [
      200,
      '{"access_token":"T","token_type":"mac"}',
      'application/json',
      'its token_type is "mac", not Bearer',
    ],
    [
      200,
      '{"access_token":"T","expires_in":"soon"}',
      'application/json',
      'its expires_in is "soon", not a number of seconds',
    ],
  ])('%i %s is refused with the reason', async (status, text, type, words) => {
    expect(await answeredWith(text, type, status)).toContain(words);
  });
});

test('a file that begins with a byte order mark is read', async () => {
  const server = await serveTokens();
  const { result } = await fetchOne({ url: server.url }, { oauth2: clientFile(server, {}, '\ufeff') });
  expect(result).toMatchObject({ status: 200 });
});

test('a token endpoint that hangs is named by the task that waits for it', async () => {
  const server = await serveTokens({ answer: () => true });
  const { error, retry } = await fetchOne(
    { url: server.url, method: 'post' },
    { oauth2: clientFile(server), timeout: 300 },
  );
  expect(error).toMatchObject({
    code: 'TOKEN',
    message: expect.stringContaining(`cannot get a token from ${server.url}`),
  });
  expect(retry).toEqual({ pauseLane: true });
});
