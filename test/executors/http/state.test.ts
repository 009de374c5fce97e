import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { http } from '../../../src/executors/http/index.ts';
import { serve } from '../../support/http-server.ts';
import { freshFolder, sh } from '../../support/run.ts';
import { attempt, open } from './support.ts';

describe('--cookies', () => {
  test('sends only the cookies of the file that match domain, path, secure flag and expiry', async () => {
    const server = await serve((response) => response.end());
    const cookies = join(freshFolder(), 'cookies.txt');
    const lines = [
      '# Netscape HTTP Cookie File',
      '127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\tabc',
      '#HttpOnly_127.0.0.1\tFALSE\t/\tFALSE\t4102444800\thidden\tdef',
      '127.0.0.1\tFALSE\t/deep\tFALSE\t0\tdeep\tghi',
      '127.0.0.1\tFALSE\t/\tTRUE\t0\tsecure\tjkl',
      '127.0.0.1\tFALSE\t/\tFALSE\t1\told\tmno',
      '.example.com\tTRUE\t/\tFALSE\t0\tother\tpqr',
      'a broken line',
      '',
    ];
    writeFileSync(cookies, lines.join('\r\n'));
    const executor = await open({ cookies });
    await attempt(executor, { url: `${server.url}/` });
    await attempt(executor, { url: `${server.url}/deep/x`, headers: { Cookie: 'mine=1' } });
    const sent = server.seen.map(({ headers }) => headers.cookie?.split('; ').sort());
    expect(sent).toEqual([
      ['hidden=def', 'session=abc'],
      ['deep=ghi', 'hidden=def', 'mine=1', 'session=abc'],
    ]);
  });

  test('reads a pipe, and says that nothing is stored', async () => {
    const server = await serve((response) => response.setHeader('set-cookie', 'a=1').end());
    const line = String.raw`127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\tabc\n`;
    const { code, stderr } = await sh(`task-exec --http --cookies <(printf '${line}')`, {
      input: `{"uuid":"1","url":"${server.url}"}\n`,
    });
    expect(stderr).toContain('is a pipe: cookies that servers set are not stored');
    expect(stderr).toContain('1 done');
    expect(code).toBe(0);
    expect(server.seen[0]?.headers.cookie).toBe('session=abc');
  });

  test('saves the cookies of responses and redirects to a file that only its owner can read', async () => {
    const server = await serve((response, { url }) => {
      if (url !== '/') return response.end();
      const set = ['a=1; Path=/', 'b=2; Path=/; HttpOnly; Max-Age=3600', 'c=3; Domain=example.com'];
      return response.writeHead(302, { location: '/in', 'set-cookie': set }).end();
    });
    const cookies = join(freshFolder(), 'cookies.txt');
    const executor = await http({ cookies });
    await attempt(executor, { url: `${server.url}/` });
    await executor.close();
    expect(server.seen[1]?.headers.cookie).toBe('a=1; b=2');
    const lines = readFileSync(cookies, 'utf8')
      .split('\n')
      .filter((line) => line.includes('\t'));
    expect(lines).toEqual([
      '127.0.0.1\tFALSE\t/\tFALSE\t0\ta\t1',
      expect.stringMatching(/^#HttpOnly_127\.0\.0\.1\tFALSE\t\/\tFALSE\t\d{10}\tb\t2$/),
    ]);
    expect(statSync(cookies).mode & 0o777).toBe(0o600);

    const again = await open({ cookies });
    await attempt(again, { url: `${server.url}/x` });
    expect(server.seen[2]?.headers.cookie).toBe('a=1; b=2');
  });
});

test('--cookies fails at start if the folder of its file does not exist', async () => {
  const folder = freshFolder();
  await expect(http({ cookies: join(folder, 'no/jar.txt') })).rejects.toMatchObject({
    code: 'IO',
    message: expect.stringMatching(/^cannot write --cookies .*no\/jar\.txt: no such file or folder$/),
  });
});

test('--cookies keeps a symbolic link and writes to its target', async () => {
  const folder = freshFolder();
  writeFileSync(join(folder, 'real.txt'), '');
  symlinkSync('real.txt', join(folder, 'jar.txt'));
  const server = await serve((response) => response.setHeader('set-cookie', 'a=1').end());
  const executor = await http({ cookies: join(folder, 'jar.txt') });
  await attempt(executor, { url: server.url });
  await executor.close();
  expect(lstatSync(join(folder, 'jar.txt')).isSymbolicLink()).toBe(true);
  expect(readFileSync(join(folder, 'real.txt'), 'utf8')).toContain('\ta\t1\n');
});

describe('--cache', () => {
  test('keeps no secrets in its files, which only their owner can read', async () => {
    const server = await serve((response) =>
      response
        .setHeader('cache-control', 'max-age=60')
        .setHeader('vary', 'Authorization, Cookie, X-Plain')
        .setHeader('set-cookie', 'session=hush-set')
        .end('page'),
    );
    const cache = join(freshFolder(), 'cache');
    const headers = { Authorization: 'Bearer hush-bearer', Cookie: 'a=hush-cookie', 'X-Plain': 'hush-plain' };
    const executor = await open({ cache });
    for (let i = 0; i < 2; i++) await attempt(executor, { url: server.url, headers });
    expect(server.seen).toHaveLength(1);
    expect(statSync(cache).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(cache)) {
      expect(readFileSync(join(cache, name), 'utf8')).not.toContain('hush');
      expect(statSync(join(cache, name)).mode & 0o777).toBe(0o600);
    }
  });

  test('never returns a response that was given to other credentials', async () => {
    const server = await serve((response, { headers }) =>
      response.setHeader('cache-control', 'max-age=60').end(`for ${headers.authorization}`),
    );
    const executor = await open({ cache: join(freshFolder(), 'cache') });
    const get = async (Authorization: string): Promise<unknown> =>
      (await attempt(executor, { url: server.url, headers: { Authorization } })).result?.text;
    expect([await get('jo'), await get('jim'), await get('jo')]).toEqual(['for jo', 'for jim', 'for jo']);
    expect(server.seen).toHaveLength(2);
  });

  test.each(['Cookie', 'X-User', 'Authorization'])(
    'returns a response to no other value of %s',
    async (name) => {
      const server = await serve((response, { headers }) =>
        response.setHeader('cache-control', 'private, max-age=60').end(`for ${headers[name.toLowerCase()]}`),
      );
      const executor = await open({ cache: join(freshFolder(), 'cache') });
      const get = async (headers: object): Promise<unknown> =>
        (await attempt(executor, { url: server.url, headers })).result?.text;
      const got = [await get({ [name]: 'a=jo' }), await get({ [name]: 'a=jim' }), await get({})];
      expect(got).toEqual(['for a=jo', 'for a=jim', 'for undefined']);
      expect(await get({ [name]: 'a=jo', accept: 'text/html' })).toBe('for a=jo');
      expect(server.seen).toHaveLength(3);
    },
  );

  test('returns a response only to the same cookie jar', async () => {
    const server = await serve((response, { headers }) =>
      response.setHeader('cache-control', 'private, max-age=60').end(`for ${headers.cookie}`),
    );
    const folder = freshFolder();
    const texts: unknown[] = [];
    for (const who of ['jo', 'jim']) {
      const cookies = join(folder, `${who}.txt`);
      writeFileSync(cookies, `127.0.0.1\tFALSE\t/\tFALSE\t0\twho\t${who}\n`);
      const executor = await open({ cache: join(folder, 'cache'), cookies });
      texts.push((await attempt(executor, { url: server.url })).result?.text);
    }
    expect(texts).toEqual(['for who=jo', 'for who=jim']);
  });

  test('requests a url once while its response is fresh, also across runs', async () => {
    const server = await serve((response, { url }) => {
      response.writeHead(200, { 'cache-control': 'max-age=60', 'content-type': 'text/plain' });
      response.end(`body of ${url}`);
    });
    const cache = join(freshFolder(), 'cache');
    for (let run = 0; run < 2; run++) {
      const executor = await http({ cache });
      for (const path of ['/a', '/b', '/a']) {
        const { result } = await attempt(executor, { url: server.url + path });
        expect(result).toMatchObject({ status: 200, type: 'text/plain', text: `body of ${path}` });
      }
      await executor.close();
    }
    expect(server.seen.map(({ url }) => url)).toEqual(['/a', '/b']);
  });

  test('revalidates a stale response with its ETag', async () => {
    let body = 'one';
    const server = await serve((response, { headers }) => {
      const etag = `"${body}"`;
      const isKnown = headers['if-none-match'] === etag;
      response.writeHead(isKnown ? 304 : 200, {
        etag,
        'cache-control': 'no-cache',
        ...(isKnown ? { 'content-length': '3' } : {}),
      });
      response.end(isKnown ? undefined : body);
    });
    const executor = await open({ cache: join(freshFolder(), 'cache') });
    const texts: unknown[] = [];
    for (const next of ['one', 'one', 'two', 'two']) {
      body = next;
      texts.push((await attempt(executor, { url: server.url })).result);
    }
    expect(texts).toEqual(
      ['one', 'one', 'two', 'two'].map((text) => expect.objectContaining({ status: 200, text })),
    );
    expect(server.seen.map(({ headers }) => headers['if-none-match'])).toEqual([
      undefined,
      '"one"',
      '"one"',
      '"two"',
    ]);
  });

  test('stores bodies decompressed and obeys Vary', async () => {
    const { gzipSync } = await import('node:zlib');
    const server = await serve((response, { headers }) => {
      const more = { 'content-encoding': 'gzip', vary: 'X-Language', 'cache-control': 'max-age=60' };
      response.writeHead(200, more).end(gzipSync(`in ${headers['x-language']}`));
    });
    const executor = await open({ cache: join(freshFolder(), 'cache') });
    const get = async (language: string): Promise<unknown> =>
      (await attempt(executor, { url: server.url, headers: { 'X-Language': language } })).result?.text;
    expect([await get('de'), await get('de'), await get('fr')]).toEqual(['in de', 'in de', 'in fr']);
    expect(server.seen).toHaveLength(2);
  });

  test('does not store responses to POST, errors, or responses with no-store', async () => {
    const server = await serve((response, { url }) => {
      const control = url === '/no' ? 'no-store' : 'max-age=60';
      response.writeHead(url === '/bad' ? 500 : 200, { 'cache-control': control }).end('x');
    });
    const executor = await open({ cache: join(freshFolder(), 'cache') });
    for (let i = 0; i < 2; i++) {
      await attempt(executor, { url: `${server.url}/post`, method: 'post' });
      await attempt(executor, { url: `${server.url}/no` });
      await attempt(executor, { url: `${server.url}/bad` });
    }
    expect(server.seen).toHaveLength(6);
  });

  test('obeys repeated headers, also in later runs', async () => {
    const server = await serve((response, { headers }) => {
      response
        .setHeader('cache-control', ['public', 'max-age=60'])
        .setHeader('vary', ['X-Language', 'X-Unit'])
        .setHeader('set-cookie', ['a=1', 'b=2'])
        .end(`in ${headers['x-language']}`);
    });
    const cache = join(freshFolder(), 'cache');
    const get = async (language: string): Promise<unknown> => {
      const executor = await open({ cache, headers: true });
      return (await attempt(executor, { url: server.url, headers: { 'X-Language': language } })).result;
    };
    expect(await get('de')).toMatchObject({ text: 'in de' });
    const kept = (await get('de')) as { headers: object };
    expect(kept).toMatchObject({ text: 'in de', headers: { vary: 'X-Language, X-Unit' } });
    expect(kept.headers).not.toHaveProperty('set-cookie');
    expect(server.seen).toHaveLength(1);
    expect(await get('fr')).toMatchObject({ text: 'in fr' });
    expect(server.seen).toHaveLength(2);
  });

  test('ignores an entry whose stored policy is invalid', async () => {
    const server = await serve((response) =>
      response.writeHead(200, { 'cache-control': 'max-age=60', vary: 'X-Unit', etag: '"1"' }).end('whole'),
    );
    const cache = join(freshFolder(), 'cache');
    const executor = await open({ cache });
    await attempt(executor, { url: server.url });
    const file = join(cache, readdirSync(cache)[0] as string);
    const [head = '', body] = readFileSync(file, 'utf8').split('\n');
    const entry = JSON.parse(head) as { policy: { resh: Record<string, unknown> } };
    for (const resh of [{ ...entry.policy.resh, vary: ['X-Unit', 'X-Time'] }, null]) {
      writeFileSync(file, `${JSON.stringify({ ...entry, policy: { ...entry.policy, resh } })}\n${body}`);
      expect((await attempt(executor, { url: server.url })).result?.text).toBe('whole');
    }
    expect(server.seen.map(({ headers }) => headers['if-none-match'])).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('ignores a damaged entry', async () => {
    const server = await serve((response) =>
      response.writeHead(200, { 'cache-control': 'max-age=60' }).end('whole'),
    );
    const cache = join(freshFolder(), 'cache');
    const executor = await open({ cache });
    await attempt(executor, { url: server.url });
    const file = join(cache, readdirSync(cache)[0] as string);
    const whole = readFileSync(file);
    for (const damaged of [whole.subarray(0, -1), Buffer.from('{"policy":{}}\nwhole'), Buffer.alloc(0)]) {
      writeFileSync(file, damaged);
      expect((await attempt(executor, { url: server.url })).result?.text).toBe('whole');
    }
    expect(server.seen).toHaveLength(4);
    expect(existsSync(file)).toBe(true);
  });
});
