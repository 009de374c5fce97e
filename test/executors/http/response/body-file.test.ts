/* Large bodies of --body-dir, which go to their files as they arrive. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { serve, serveRaw } from '../../../support/http-server.ts';
import { freshFolder, sh } from '../../../support/run.ts';
import { fetchOne } from '../support.ts';

const MB = 1_048_576;
/** Three megabytes that do not compress to nothing. */
const long = Buffer.from(Array.from({ length: 400_000 }, (_, i) => `${i * 7919} `).join(''));
const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe('a large body', () => {
  test.each([
    ['as it is', undefined, long],
    ['gzip', 'gzip', gzipSync(long)],
    ['deflate', 'deflate', deflateSync(long)],
    ['deflate without its header', 'deflate', deflateRawSync(long)],
    ['br', 'br', brotliCompressSync(long)],
    ['gzip twice', 'gzip, gzip', gzipSync(gzipSync(long))],
  ])('is written decoded: %s', async (_, coding, body) => {
    const server = await serve((response) => {
      response.setHeader('content-type', 'text/plain');
      if (coding !== undefined) response.setHeader('content-encoding', coding);
      response.end(body);
    });
    const bodyDir = join(freshFolder(), 'bodies');
    const { error, result } = await fetchOne({ url: server.url }, { bodyDir });
    expect(error).toBeUndefined();
    expect(result?.file).toMatch(/\.txt$/);
    expect(digest(readFileSync(String(result?.file)))).toBe(digest(long));
    expect(readdirSync(bodyDir)).toHaveLength(1);
  });

  test.each([
    ['breaks off', 'CONNECTION', (): Buffer => long, long.length + 1],
    ['is not what its encoding says', 'DECODE', (): Buffer => long, 0],
    [
      'decompresses to more than --max-body',
      'BODY_TOO_LARGE',
      (): Buffer => gzipSync(Buffer.alloc(200 * MB)),
      0,
    ],
  ])('that %s fails its task and leaves no file', async (_, code, body, announced) => {
    const bytes = body();
    const server = await serveRaw((socket) => {
      const coding = code === 'CONNECTION' ? '' : 'content-encoding: gzip\r\n';
      socket.write(`HTTP/1.1 200 OK\r\n${coding}content-length: ${announced || bytes.length}\r\n\r\n`);
      socket.end(bytes);
    });
    const bodyDir = join(freshFolder(), 'bodies');
    const { error, result } = await fetchOne({ url: server.url }, { bodyDir, maxBody: 100 * MB });
    expect(error?.code).toBe(code);
    expect(result).toBeUndefined();
    await expect.poll(() => readdirSync(bodyDir)).toEqual([]);
  });

  test('of a redirect, of HEAD and of a 204 leaves no file', async () => {
    const server = await serve((response, { url }) => {
      if (url === '/there') return response.end('x');
      response.writeHead(302, { location: '/there' });
      return response.end(long);
    });
    const bodyDir = join(freshFolder(), 'bodies');
    const { result } = await fetchOne({ url: server.url }, { bodyDir });
    expect(readFileSync(String(result?.file), 'utf8')).toBe('x');
    expect(readdirSync(bodyDir)).toHaveLength(1);
  });

  test('is judged by --expect-body too', async () => {
    const server = await serve((response) => response.end(Buffer.concat([long, Buffer.from('the end')])));
    const options = { bodyDir: join(freshFolder(), 'bodies'), expectBody: /the end/ };
    const { error, result } = await fetchOne({ url: server.url }, options);
    expect(error).toBeUndefined();
    expect(statSync(String(result?.file)).size).toBe(long.length + 7);
  });

  test('does not fill the memory, also if several arrive at once', async () => {
    const chunk = Buffer.alloc(MB, 'x');
    const server = await serve((response) => {
      let left = 80;
      response.setHeader('content-length', left * MB);
      const more = (): void => {
        while (left > 0) if (left-- > 0 && !response.write(chunk)) return void response.once('drain', more);
        response.end();
      };
      more();
    });
    const cwd = freshFolder();
    const rows = Array.from({ length: 5 }, (_, i) => `{"uuid":"${i}","url":"${server.url}/${i}"}\n`);
    writeFileSync(join(cwd, 'in'), rows.join(''));
    const exec =
      '"task-exec","--http","--retries","0","--max-body","1GB","--body-dir","b","-j","5","--quiet"';
    const { stdout } = await sh(
      `python3 -c 'import subprocess,resource
subprocess.run([${exec}],stdin=open("in"),stdout=open("out","w"))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss//1024)'`,
      { cwd },
    );
    const sizes = readdirSync(join(cwd, 'b')).map((name) => statSync(join(cwd, 'b', name)).size);
    expect(sizes).toEqual(Array(5).fill(80 * MB));
    expect(Number(stdout)).toBeLessThan(300); // 400 MB of bodies, and Node itself
  });
});

test('a full disk in the middle of a large body ends the stage, as for any other file', async () => {
  const server = await serve((response) => response.end(Buffer.alloc(4 * MB)));
  const input = `{"uuid":"a","url":"${server.url}"}\n`;
  const { code, stderr } = await sh('ulimit -f 2048; task-exec --http --body-dir b', { input });
  expect(stderr).toMatch(/cannot write b\/.*: /);
  expect(code).toBe(74);
});
