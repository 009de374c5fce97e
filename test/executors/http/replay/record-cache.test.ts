import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { http } from '../../../../src/executors/http/index.ts';
import { startServer } from '../../../pipes/pipeline.ts';
import { serve } from '../../../support/http-server.ts';
import { freshFolder, sh } from '../../../support/run.ts';
import { attempt, open, type Tried } from '../support.ts';

const RECORD = { cacheMode: 'record' } as const;
const REPLAY = { cacheMode: 'replay' } as const;

/** Fetches with a mode, in its own executor. */
async function fetchIn(
  cache: string,
  mode: 'record' | 'replay' | 'refresh',
  record: object,
  more: Parameters<typeof http>[0] = {},
): Promise<Tried> {
  const executor = await http({ cache, cacheMode: mode, ...more });
  try {
    return await attempt(executor, record);
  } finally {
    await executor.close();
  }
}

describe('--cache-mode', () => {
  test('replays recorded answers, whatever their headers say', async () => {
    const server = await serve((response) =>
      response.writeHead(200, { 'cache-control': 'no-store', vary: '*', 'x-n': '1' }).end('stored'),
    );
    const cache = freshFolder();
    const first = await fetchIn(cache, 'record', { url: server.url }, { headers: true });
    const again = await fetchIn(cache, 'record', { url: server.url }, { headers: true });
    const replayed = await fetchIn(cache, 'replay', { url: server.url }, { headers: true });
    expect(first.result?.text).toBe('stored');
    expect([again.raw, replayed.raw]).toEqual([first.raw, first.raw]);
    expect(server.seen).toHaveLength(1);
    const [file = ''] = readdirSync(cache);
    expect(statSync(join(cache, file)).mode & 0o777).toBe(0o600);
  });

  test('refresh asks for everything again', async () => {
    let count = 0;
    const server = await serve((response) =>
      response.setHeader('cache-control', 'max-age=60').end(`${++count}`),
    );
    const cache = freshFolder();
    for (const mode of ['record', 'refresh', 'replay'] as const)
      await fetchIn(cache, mode, { url: server.url });
    const { result } = await fetchIn(cache, 'replay', { url: server.url });
    expect([result?.text, server.seen.length]).toEqual(['2', 2]);
  });

  test('replay fails a miss with NOT_RECORDED, without a connection or a retry', async () => {
    const server = await serve((response) => response.end());
    const executor = await open({ cache: freshFolder(), ...REPLAY });
    const { error, retry } = await attempt(executor, { url: `${server.url}/x` });
    expect(error).toEqual({
      code: 'NOT_RECORDED',
      message: expect.stringMatching(
        /^\S+ has no answer to GET "http:\S+\/x" with this body and these credentials; ask for it with --cache-mode record$/,
      ),
    });
    expect([retry, server.connections]).toEqual([undefined, 0]);
  });

  test('keeps answers to different bodies, methods and credentials apart', async () => {
    const server = await serve((response, { method, body, headers }) =>
      response.end(`${method} ${body} ${headers.authorization} ${headers.cookie}`),
    );
    const cache = freshFolder();
    const url = server.url;
    const tasks = [
      { url },
      { url, method: 'put', data: 'a=1' },
      { url, method: 'post', data: 'a=1' },
      { url, method: 'post', data: 'a=2' },
      { url, headers: { Authorization: 'Bearer a' } },
      { url, headers: { Authorization: 'Bearer b' } },
      { url, headers: { Cookie: 'a=1' } },
      { url: url.replace('://', '://me:pw@') },
    ];
    const recorded: unknown[] = [];
    for (const task of tasks) recorded.push((await fetchIn(cache, 'record', task)).raw);
    expect(new Set(recorded).size).toBe(tasks.length);
    const replayed: unknown[] = [];
    for (const task of tasks) replayed.push((await fetchIn(cache, 'replay', task)).raw);
    expect(replayed).toEqual(recorded);
    const other = await fetchIn(cache, 'replay', { url, headers: { Authorization: 'Bearer c' } });
    expect(other.error?.code).toBe('NOT_RECORDED');
    const stored = readdirSync(cache).map((name) => readFileSync(join(cache, name), 'latin1').split('\n')[0]);
    expect(stored.join('\n')).not.toMatch(/Bearer|pw@|a=1/);
  });

  test('replays files and forms whose boundary is random, and misses them after a change', async () => {
    const server = await serve((response, { body }) => response.end(`${body.length}`));
    const folder = freshFolder();
    const file = join(folder, 'a.txt');
    writeFileSync(file, 'one');
    const more = { form: [`file=@${file}`, 'n=1'] };
    const cache = join(folder, 'cache');
    await fetchIn(cache, 'record', { url: server.url }, more);
    expect((await fetchIn(cache, 'replay', { url: server.url }, more)).error).toBeUndefined();
    writeFileSync(file, 'two');
    expect((await fetchIn(cache, 'replay', { url: server.url }, more)).error?.code).toBe('NOT_RECORDED');
    expect(server.seen).toHaveLength(1);
  });

  test('replays redirects, and the cookies that they set', async () => {
    const server = await serve((response, { url, headers }) =>
      url === '/in'
        ? response.writeHead(302, { location: '/page', 'set-cookie': 'session=1; Path=/' }).end()
        : response.end(`cookie ${headers.cookie}`),
    );
    const folder = freshFolder();
    const more = { cookies: join(folder, 'jar.txt') };
    const first = await fetchIn(join(folder, 'c'), 'record', { url: `${server.url}/in` }, more);
    writeFileSync(more.cookies, '');
    const replayed = await fetchIn(join(folder, 'c'), 'replay', { url: `${server.url}/in` }, more);
    expect(first.result?.text).toBe('cookie session=1');
    expect(replayed.raw).toBe(first.raw);
    expect(readFileSync(more.cookies, 'utf8')).toContain('session\t1');
    const other = { cookies: join(folder, 'other.txt') };
    const miss = await fetchIn(join(folder, 'c'), 'replay', { url: `${server.url}/in` }, other);
    expect(miss.error?.code).toBe('NOT_RECORDED');
  });

  test('record asks again after a status that may be temporary, and replay does not retry it', async () => {
    let status = 503;
    const server = await serve((response) => response.writeHead(status, { 'retry-after': '60' }).end());
    const cache = freshFolder();
    await fetchIn(cache, 'record', { url: server.url });
    const replayed = await fetchIn(cache, 'replay', { url: server.url });
    expect([replayed.error?.code, replayed.retry, replayed.pause]).toEqual([
      'HTTP_STATUS',
      undefined,
      undefined,
    ]);
    status = 200;
    expect((await fetchIn(cache, 'record', { url: server.url })).result?.status).toBe(200);
    expect((await fetchIn(cache, 'replay', { url: server.url })).result?.status).toBe(200);
  });

  test('record asks again for an answer whose file is damaged', async () => {
    const server = await serve((response) => response.end('whole'));
    const cache = freshFolder();
    await fetchIn(cache, 'record', { url: server.url });
    const file = join(cache, readdirSync(cache)[0] as string);
    writeFileSync(file, readFileSync(file).subarray(0, -2));
    expect((await fetchIn(cache, 'replay', { url: server.url })).error?.code).toBe('NOT_RECORDED');
    await fetchIn(cache, 'record', { url: server.url });
    expect((await fetchIn(cache, 'replay', { url: server.url })).result?.text).toBe('whole');
  });

  test('needs --cache, and replay a folder that exists', async () => {
    await expect(http(RECORD)).rejects.toMatchObject({
      code: 'USAGE',
      message: '--cache-mode record needs --cache DIR, the folder of the answers',
    });
    await expect(http({ cache: join(freshFolder(), 'no'), ...REPLAY })).rejects.toMatchObject({ code: 'IO' });
  });
});

test('1,000 recorded answers give the same rows after the server has stopped', async () => {
  const cwd = freshFolder();
  const { url, stop } = await startServer();
  const rows = Array.from({ length: 1000 }, (_, i) => `${url}/item/${i + 1}\n`).join('');
  const run = (mode: string, out: string) =>
    sh(
      `task-load --field url | task-exec --http --cache kept --cache-mode ${mode} -j 50 --keep-order | task-save ${out} --fields uuid,url,result`,
      { cwd, input: rows },
    );
  expect((await run('record', 'recorded.csv')).code).toBe(0);
  await stop();
  const { code, stderr } = await run('replay', 'replayed.csv');
  expect(stderr).toContain('1,000 done');
  expect(code).toBe(0);
  const recorded = readFileSync(join(cwd, 'recorded.csv'), 'utf8');
  expect(recorded.split('\n').length).toBeGreaterThan(1000);
  expect(readFileSync(join(cwd, 'replayed.csv'), 'utf8')).toBe(recorded);
});
