/* ctx.fetch of modules: it takes what the standard fetch takes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Seen, serve } from '../../support/http-server.ts';
import { freshFolder, sh } from '../../support/run.ts';

interface Got {
  readonly seen: Seen | undefined;
  readonly result: unknown;
  readonly message: string | undefined;
}

/** Runs `ctx.fetch(url, OPTIONS)` in a module. */
async function fetchWith(options: string, path = '/', then = 'answer.status'): Promise<Got> {
  const server = await serve((response, { url }) => {
    if (url === '/slow') return response;
    if (url === '/moved') return response.writeHead(302, { location: '/there' }).end();
    return response.end('ok');
  });
  const cwd = freshFolder();
  writeFileSync(
    join(cwd, 'm.mjs'),
    `export default async ({ url }, ctx) => { const answer = await ctx.fetch(url, ${options}); return ${then}; };`,
  );
  const input = `${JSON.stringify({ uuid: 'u', url: server.url + path })}\n`;
  const { stdout } = await sh('task-exec --module m.mjs --retries 0 --quiet', { cwd, input });
  const { result, run } = JSON.parse(stdout);
  return { seen: server.seen.at(-1), result, message: run.error?.message };
}

describe('ctx.fetch sends', () => {
  test.each([
    ['text', "body: 'a b'", 'a b', 'text/plain;charset=UTF-8'],
    [
      'JSON text with its type',
      "body: '{}', headers: { 'content-type': 'application/json' }",
      '{}',
      'application/json',
    ],
    ['bytes', 'body: new Uint8Array([104, 105])', 'hi', undefined],
    ['an ArrayBuffer', 'body: new Uint8Array([104, 105]).buffer', 'hi', undefined],
    [
      'URLSearchParams',
      "body: new URLSearchParams({ a: '1 2' })",
      'a=1+2',
      'application/x-www-form-urlencoded;charset=UTF-8',
    ],
    ['a Blob', "body: new Blob(['hi'], { type: 'image/png' })", 'hi', 'image/png'],
    ['a stream', "body: new Blob(['hi']).stream(), duplex: 'half'", 'hi', undefined],
    ['bytes as data', 'data: new Uint8Array([104, 105])', 'hi', undefined],
    [
      'URLSearchParams as data',
      "data: new URLSearchParams({ a: '1' })",
      'a=1',
      'application/x-www-form-urlencoded;charset=UTF-8',
    ],
    ['an object as data', 'data: { a: 1 }', 'a=1', 'application/x-www-form-urlencoded'],
    ['json', 'json: { a: [1] }', '{"a":[1]}', 'application/json'],
  ])('%s', async (_, options, body, type) => {
    const { seen, message } = await fetchWith(`{ method: 'POST', ${options} }`);
    expect(message).toBeUndefined();
    expect(seen).toMatchObject({ method: 'POST', body });
    expect(seen?.headers['content-type']).toBe(type);
  });

  test('FormData, with its boundary', async () => {
    const { seen } = await fetchWith(
      "{ method: 'post', body: (() => { const form = new FormData(); form.set('a', '1'); return form; })() }",
    );
    const [, boundary = '?'] =
      /^multipart\/form-data; boundary=(.+)$/.exec(seen?.headers['content-type'] ?? '') ?? [];
    expect(seen?.body).toContain(`--${boundary}\r\nContent-Disposition: form-data; name="a"`);
  });

  test.each(["new Headers({ 'x-a': 'b' })", "[['x-a', 'b']]", "{ 'x-a': 'b' }"])(
    'headers given as %s',
    async (headers) => {
      expect((await fetchWith(`{ headers: ${headers} }`)).seen?.headers['x-a']).toBe('b');
    },
  );
});

describe('ctx.fetch', () => {
  test.each([
    [
      "{ method: 'post', credentials: 'include' }",
      /does not know the option "credentials"; it knows method, headers, body/,
    ],
    ["{ method: 'post', body: { a: 1 } }", /body must be text, bytes, .*use json for an object/],
    ["{ body: 'a' }", /a GET request has no body/],
    ["{ method: 'post', body: 'a', json: {} }", /a request has one body/],
    ["{ redirect: 'never' }", /redirect must be follow, manual or error/],
  ])('refuses %s and sends nothing', async (options, words) => {
    const { seen, message } = await fetchWith(options);
    expect(message).toMatch(words);
    expect(seen).toBeUndefined();
  });

  test('follows a redirect, returns it, or throws, as its option says', async () => {
    const then = '[answer.status, answer.redirected, answer.url.slice(-6)]';
    expect((await fetchWith('{}', '/moved', then)).result).toEqual([200, true, '/there']);
    expect((await fetchWith("{ redirect: 'manual' }", '/moved', then)).result).toEqual([
      302,
      false,
      '/moved',
    ]);
    expect((await fetchWith("{ redirect: 'error' }", '/moved')).message).toMatch(
      /redirects \(redirect: "error"\)/,
    );
  });

  test('ends with the signal of the caller, and throws its reason', async () => {
    const { message } = await fetchWith('{ signal: AbortSignal.timeout(50) }', '/slow');
    expect(message).toMatch(/aborted due to timeout/);
  });

  test('returns the body as text, bytes, ArrayBuffer and Blob', async () => {
    const then =
      '[await answer.text(), [...await answer.bytes()], (await answer.arrayBuffer()).byteLength, (await answer.blob()).size]';
    expect((await fetchWith('{}', '/', then)).result).toEqual(['ok', [111, 107], 2, 2]);
  });
});

test.each([
  ...[
    '--expect-status 200',
    '--expect-body /a/',
    '--expect-json a',
    '--body text',
    '--body-dir b',
    '--headers',
  ],
  ...["--url 'http://h/{id}'", '--idempotency-header', '--print-curl'],
])('%s with --module is an error on the command line, because ctx.fetch does not use it', async (option) => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'm.mjs'), 'export default () => 1;');
  const { code, stderr } = await sh(`task-exec --module m.mjs ${option}`, { cwd });
  expect(code).toBe(2);
  expect(stderr).toContain(option.split(' ')[0]);
});
