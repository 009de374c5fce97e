import { createHash } from 'node:crypto';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import zlib from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { HttpOptions } from '../../../../src/executors/http/index.ts';
import { serve, type TestServer } from '../../../support/http-server.ts';
import { freshFolder } from '../../../support/run.ts';
import { attempt, fetchOne, open, type Tried } from '../support.ts';

/** Starts a server that always answers with this body. */
async function page(
  body: string | Buffer,
  headers: Record<string, string | string[]> = {},
): Promise<TestServer> {
  return serve((response) => {
    response.writeHead(200, headers);
    response.end(body);
  });
}

async function get(
  body: string | Buffer,
  headers: Record<string, string | string[]> = {},
  options: HttpOptions = {},
): Promise<Tried> {
  return fetchOne({ url: (await page(body, headers)).url }, options);
}

const JSON_TYPE = { 'content-type': 'application/json' };

describe('the result', () => {
  test('has status, url, type and body, in this order', async () => {
    const server = await page('hello', { 'content-type': 'text/plain' });
    const { raw, error } = await fetchOne({ url: `${server.url}/a?b="c"\\` });
    expect(error).toBeUndefined();
    expect(raw).toBe(
      `{"status":200,"url":"${server.url}/a?b=%22c%22\\\\","type":"text/plain","text":"hello"}`,
    );
  });

  test('ends with the headers if they are requested, repeated ones as an array', async () => {
    const { result } = await get('x', { 'X-One': '1', 'Set-Cookie': ['a=1', 'b=2'] }, { headers: true });
    expect(Object.keys(result ?? {}).at(-1)).toBe('headers');
    expect(result?.headers).toMatchObject({ 'x-one': '1', 'set-cookie': ['a=1', 'b=2'] });
  });

  test('has no body for HEAD, 204, and --body none', async () => {
    const server = await serve((response, { url }) => {
      response.writeHead(url === '/204' ? 204 : 200, { 'content-type': 'text/plain' });
      response.end(url === '/204' ? undefined : 'hello');
    });
    const keys = ['status', 'url', 'type'];
    expect(Object.keys((await fetchOne({ url: server.url, method: 'head' })).result ?? {})).toEqual(keys);
    expect(Object.keys((await fetchOne({ url: `${server.url}/204` })).result ?? {})).toEqual(keys);
    expect(Object.keys((await fetchOne({ url: server.url }, { body: 'none' })).result ?? {})).toEqual(keys);
  });
});

describe('a JSON body', () => {
  test('keeps every digit and escape, and becomes one line', async () => {
    const text =
      '{\n "id": 12345678901234567890,\t"p": 1.10, "e": 1e999,\r\n "s": "a  \\u0041\\" b", "l": [ 1 ]\n}\n';
    const { raw } = await get(text, JSON_TYPE);
    expect(raw).toContain(
      '"json":{"id":12345678901234567890,"p":1.10,"e":1e999,"s":"a  \\u0041\\" b","l":[1]}',
    );
  });

  test('becomes text if it is not valid JSON or is nested over 60 levels', async () => {
    expect((await get('{"a":', JSON_TYPE)).result).toMatchObject({ text: '{"a":' });
    const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
    expect((await get(nested(60), JSON_TYPE)).result).toHaveProperty('json');
    expect((await get(nested(61), JSON_TYPE)).result).toMatchObject({ text: nested(61) });
    expect((await get(nested(500_000), JSON_TYPE)).result).toHaveProperty('text');
  });

  test.each(['application/json; charset=utf-8', 'application/problem+json', 'text/json'])(
    'is recognized by the type %s',
    async (type) => {
      expect((await get('[1]', { 'content-type': type })).result).toMatchObject({ json: [1] });
    },
  );

  test('with a string of 15 MB is kept whole', async () => {
    const { result } = await get(`["${'x '.repeat(7_500_000)}" ]`, JSON_TYPE);
    expect(JSON.stringify(result?.json)).toHaveLength(15_000_004);
  });

  test('is required by --body json, whatever the type', async () => {
    expect((await get('{"a":1.0}', { 'content-type': 'text/html' }, { body: 'json' })).raw).toContain(
      '"json":{"a":1.0}',
    );
    const { error, result } = await get('<p>', JSON_TYPE, { body: 'json' });
    expect(error?.code).toBe('BODY_JSON');
    expect(result).toMatchObject({ status: 200, text: '<p>' });
  });
});

describe('other bodies', () => {
  const bytes = Buffer.from([0xff, 0x00, 0x80]);

  test.each([
    ['image/svg+xml', 'text'],
    ['application/xml', 'text'],
    ['application/javascript', 'text'],
    ['application/x-www-form-urlencoded', 'text'],
    ['text/css', 'text'],
    ['image/png', 'base64'],
    ['application/octet-stream', 'base64'],
  ])('of type %s are kept as %s', async (type, key) => {
    expect((await get('abc', { 'content-type': type })).result).toHaveProperty(key);
  });

  test('without a type become text if they are UTF-8, else base64', async () => {
    expect((await get('grün')).result).toMatchObject({ type: null, text: 'grün' });
    expect((await get(bytes)).result).toMatchObject({ type: null, base64: '/wCA' });
  });

  test('have the form that --body names', async () => {
    expect((await get('{"a":1}', JSON_TYPE, { body: 'text' })).result).toMatchObject({ text: '{"a":1}' });
    expect((await get('{"a":1}', JSON_TYPE, { body: 'base64' })).result).toMatchObject({
      base64: 'eyJhIjoxfQ==',
    });
  });

  test('keep every character, including control characters', async () => {
    const { result } = await get('a\u0000\u2028"\\\u001b', { 'content-type': 'text/plain' });
    expect(result?.text).toBe('a\u0000\u2028"\\\u001b');
  });
});

describe('the charset', () => {
  const gbk = Buffer.from([0xd6, 0xd0, 0xce, 0xc4]);
  const html = (head: string): Buffer => Buffer.concat([Buffer.from(head), gbk]);

  test.each([
    ['the content type', gbk, 'text/plain; charset="GBK"', '中文'],
    ['a meta tag', html('<meta charset=gbk>'), 'text/html', '<meta charset=gbk>中文'],
    [
      'http-equiv',
      html('<meta http-equiv="Content-Type" content="text/html; charset=gb2312">'),
      'text/html',
      '<meta http-equiv="Content-Type" content="text/html; charset=gb2312">中文',
    ],
    [
      'a byte order mark, before the content type',
      Buffer.from('\ufeffgrün'),
      'text/plain; charset=latin1',
      'grün',
    ],
    ['a byte order mark of UTF-16', Buffer.from('\ufeffgrün', 'utf16le'), 'text/plain', 'grün'],
    ['an unknown label, as UTF-8', Buffer.from('grün'), 'text/plain; charset=klingon', 'grün'],
    [
      'a meta tag of UTF-16, as UTF-8',
      Buffer.from('<meta charset=utf-16>ü'),
      'text/html',
      '<meta charset=utf-16>ü',
    ],
    [
      'the label iso-8859-1, as windows-1252',
      Buffer.from([0x80, 0xfc]),
      'text/html; charset=iso-8859-1',
      '€ü',
    ],
  ])('is determined by %s', async (_, body, type, text) => {
    expect((await get(body, { 'content-type': type })).result?.text).toBe(text);
  });

  test('ignores a meta tag after the first 1024 bytes', async () => {
    const body = Buffer.concat([Buffer.from(`${' '.repeat(1024)}<meta charset=gbk>`), gbk]);
    expect((await get(body, { 'content-type': 'text/html' })).result).toMatchObject({
      text: expect.stringContaining('ÖÐÎÄ'),
      charset: 'windows-1252',
    });
  });

  const cafe = Buffer.from([0x63, 0x61, 0x66, 0xe9]);

  test.each(['text/html', 'text/plain', 'text/csv', 'application/xml', 'text/plain; charset=klingon'])(
    'of %s without a known one is windows-1252 if the bytes are not UTF-8, and the result says so',
    async (type) => {
      expect((await get(cafe, { 'content-type': type })).result).toMatchObject({
        text: 'café',
        charset: 'windows-1252',
      });
      const utf8 = (await get(Buffer.from('café'), { 'content-type': type })).result;
      expect(utf8?.text).toBe('café');
      expect(utf8).not.toHaveProperty('charset');
    },
  );

  test.each([
    ['text/html; charset=utf-8', cafe, 'utf-8'],
    ['application/json', Buffer.from('{"a":"caf\xe9"}', 'latin1'), 'utf-8'],
    ['text/plain; charset=shift_jis', Buffer.from([0x81, 0x20]), 'shift_jis'],
    ['text/plain; charset=utf-16le', Buffer.from([0x00, 0xd8, 0x41, 0x00]), 'utf-16le'],
  ])('of %s that the bytes do not fit keeps the bytes, and never gives U+FFFD', async (type, body, unfit) => {
    for (const mode of ['auto', 'text'] as const) {
      const { result, error, raw } = await get(body, { 'content-type': type }, { body: mode });
      expect(error).toBeUndefined();
      expect(result).toMatchObject({ base64: body.toString('base64'), undecoded: unfit });
      expect(raw).not.toContain('\ufffd');
    }
  });

  test('that does not fit fails --body json, which keeps the bytes', async () => {
    const body = Buffer.from('{"a":"caf\xe9"}', 'latin1');
    const { result, error } = await get(body, { 'content-type': 'application/json' }, { body: 'json' });
    expect(error).toEqual({
      code: 'BODY_JSON',
      message: 'the body cannot be kept as JSON: its bytes are not utf-8',
    });
    expect(result?.base64).toBe(body.toString('base64'));
  });
});

describe('a compressed body', () => {
  const text = 'hello '.repeat(1000);
  const zstd = (zlib as { zstdCompressSync?: (text: string) => Buffer }).zstdCompressSync;

  test.each([
    ['gzip', zlib.gzipSync(text)],
    ['x-gzip', zlib.gzipSync(text)],
    ['deflate', zlib.deflateSync(text)],
    ['deflate', zlib.deflateRawSync(text)],
    ['br', zlib.brotliCompressSync(text)],
    ['gzip, br', zlib.brotliCompressSync(zlib.gzipSync(text))],
    ['identity', Buffer.from(text)],
    ...(zstd === undefined ? [] : [['zstd', zstd(text)] as const]),
  ] as const)('in %s is decompressed (case %#)', async (coding, body) => {
    const { result, error } = await get(body, { 'content-type': 'text/plain', 'content-encoding': coding });
    expect(error).toBeUndefined();
    expect(result?.text).toBe(text);
  });

  test('that is corrupt or truncated can be retried', async () => {
    const packed = zlib.gzipSync(text);
    for (const body of [packed.subarray(0, -9), Buffer.from('no gzip at all')]) {
      const { error, retry } = await get(body, { 'content-encoding': 'gzip' });
      expect(error?.code).toBe('DECODE');
      expect(retry).toEqual({});
    }
  });

  test('in an encoding that was not requested fails without a retry', async () => {
    const { error, retry } = await get('x', { 'content-encoding': 'compress' });
    expect(error?.code).toBe('DECODE');
    expect(retry).toBeUndefined();
  });

  test('that is a decompression bomb stays within the memory limit and is not retried', async () => {
    const bomb = zlib.gzipSync(Buffer.alloc(300 * 1024 * 1024));
    const server = await page(bomb, { 'content-encoding': 'gzip' });
    const executor = await open();
    const before = process.memoryUsage().rss;
    const { error, retry, result } = await attempt(executor, { url: server.url });
    expect(error).toMatchObject({ code: 'BODY_TOO_LARGE', message: expect.stringContaining('--max-body') });
    expect(retry).toBeUndefined();
    expect(result).toBeUndefined();
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
  });
});

describe('--max-body', () => {
  test('accepts a body of exactly this length and rejects a longer one', async () => {
    expect((await get('x'.repeat(1000), {}, { maxBody: 1000 })).result?.text).toHaveLength(1000);
    expect((await get('x'.repeat(1001), {}, { maxBody: 1000 })).error?.code).toBe('BODY_TOO_LARGE');
  });

  test('ignores the Content-Length of a response to HEAD', async () => {
    const server = await serve((response) => response.writeHead(200, { 'content-length': '5000' }).end());
    const { error, result } = await fetchOne({ url: server.url, method: 'head' }, { maxBody: 1000 });
    expect(error).toBeUndefined();
    expect(result?.status).toBe(200);
  });

  test('stops an endless body', async () => {
    let written = 0;
    const server = await serve((response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536))) written += 65_536;
      };
      response.on('drain', more);
      more();
    });
    const { error } = await fetchOne({ url: server.url }, { maxBody: 1_000_000 });
    expect(error?.code).toBe('BODY_TOO_LARGE');
    expect(written).toBeLessThan(20_000_000);
  });
});

describe('--body-dir', () => {
  test('holds one file per task, named by a hash of its uuid, and replaces it the next time', async () => {
    const dir = join(freshFolder(), 'pages');
    const server = await serve((response, { url }) => {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
      response.end(`body of ${url}`);
    });
    const executor = await open({ bodyDir: dir });
    const { result } = await attempt(executor, { url: `${server.url}/1` }, '../../etc/passwd');
    const name = `${createHash('sha256').update('../../etc/passwd').digest('hex').slice(0, 32)}.html`;
    expect(result?.file).toBe(join(dir, name));
    expect(result).not.toHaveProperty('text');
    expect(readFileSync(join(dir, name), 'utf8')).toBe('body of /1');
    await attempt(executor, { url: `${server.url}/2` }, '../../etc/passwd');
    expect(readFileSync(join(dir, name), 'utf8')).toBe('body of /2');
    expect(readdirSync(dir)).toEqual([name]);
  });

  test.each([
    ['image/jpeg', 'jpg'],
    ['audio/mpeg', 'mp3'],
    ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'xlsx'],
    ['application/ld+json', 'jsonld'],
    ['application/vnd.api+json', 'json'],
    ['Text/HTML; charset=utf-8', 'html'],
    ['text/x-unknown', 'txt'],
    ['application/x-unknown', 'bin'],
    ['constructor', 'bin'],
    ['../../x', 'bin'],
  ])('gives a body of type %s the extension .%s', async (type, ending) => {
    const server = await serve((response) => response.writeHead(200, { 'content-type': type }).end('x'));
    const executor = await open({ bodyDir: join(freshFolder(), 'pages') });
    const { result } = await attempt(executor, { url: server.url });
    expect(result?.file).toMatch(new RegExp(`/[0-9a-f]{32}\\.${ending}$`));
  });

  test('ends the stage if it cannot be created', async () => {
    const file = join(freshFolder(), 'file');
    writeFileSync(file, '');
    await expect(open({ bodyDir: join(file, 'x') })).rejects.toMatchObject({ code: 'IO' });
    await expect(open({ bodyDir: file })).rejects.toMatchObject({
      code: 'IO',
      message: `cannot make ${file}: it is a file`,
    });
    expect(statSync(file).size).toBe(0);
  });

  test('ends the stage and names the path if a file has replaced the folder', async () => {
    const dir = join(freshFolder(), 'pages');
    const server = await serve((response) => response.end('x'));
    const executor = await open({ bodyDir: dir });
    rmdirSync(dir);
    writeFileSync(dir, '');
    await expect(attempt(executor, { url: server.url })).rejects.toMatchObject({
      code: 'IO',
      message: expect.stringMatching(`^cannot write ${dir}/.*: a part of the path is not a folder$`),
    });
  });

  test('replaces symbolic and hard links instead of writing through them', async () => {
    const folder = freshFolder();
    const dir = join(folder, 'pages');
    const precious = join(folder, 'precious');
    mkdirSync(dir);
    writeFileSync(precious, 'precious');
    const names = ['a', 'b', 'c'].map(
      (uuid) => `${createHash('sha256').update(uuid).digest('hex').slice(0, 32)}.txt`,
    );
    const [linked = '', dangling = '', shared = ''] = names.map((name) => join(dir, name));
    symlinkSync(precious, linked);
    symlinkSync(join(folder, 'nowhere'), dangling);
    linkSync(precious, shared);
    const server = await serve((response, { url }) =>
      response.setHeader('content-type', 'text/plain').end(`of ${url}`),
    );
    const executor = await open({ bodyDir: dir });
    for (const uuid of ['a', 'b', 'c']) {
      const { result } = await attempt(executor, { url: `${server.url}/${uuid}` }, uuid);
      expect(readFileSync(result?.file as string, 'utf8')).toBe(`of /${uuid}`);
      expect(lstatSync(result?.file as string).isFile()).toBe(true);
    }
    expect(readFileSync(precious, 'utf8')).toBe('precious');
    expect(readdirSync(folder).sort()).toEqual(['pages', 'precious']);
    expect(readdirSync(dir).sort()).toEqual([...names].sort());
  });

  test('uses names that differ even if the file system ignores case', async () => {
    const dir = join(freshFolder(), 'pages');
    const server = await serve((response) => response.end('x'));
    const executor = await open({ bodyDir: dir });
    for (const uuid of ['Task', 'task', 'TASK', '..', '/', 'CON']) {
      await attempt(executor, { url: server.url }, uuid);
    }
    const names = readdirSync(dir);
    expect(names).toHaveLength(6);
    for (const name of names) expect(name).toMatch(/^[0-9a-f]{32}\.(txt|bin)$/);
  });

  test('can be a symbolic link to a folder', async () => {
    const folder = freshFolder();
    symlinkSync(folder, join(folder, 'link'));
    const server = await serve((response) => response.end('x'));
    const executor = await open({ bodyDir: join(folder, 'link') });
    expect((await attempt(executor, { url: server.url })).error).toBeUndefined();
  });
});
