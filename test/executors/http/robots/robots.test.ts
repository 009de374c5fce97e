import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openFetcher } from '../../../../src/executors/http/fetch.ts';
import { type HttpOptions, http } from '../../../../src/executors/http/index.ts';
import { exec } from '../../../../src/stages/exec/exec.ts';
import type { ExecOptions } from '../../../../src/stages/exec/exec-options.ts';
import { type Answering, serve, type TestServer } from '../../../support/http-server.ts';
import { freshFolder } from '../../../support/run.ts';
import { taskOf } from '../support.ts';

interface Row {
  readonly url: string;
  readonly run: {
    readonly state: string;
    readonly attempts: number;
    readonly error?: { code: string; message: string };
  };
}

/** Runs tasks of these urls with --robots. */
async function run(
  urls: readonly (string | object)[],
  options: HttpOptions = {},
  stage: ExecOptions = {},
): Promise<Row[]> {
  const executor = await http({ robots: true, userAgent: 'taskpipe/1', ...options });
  const rows: Row[] = [];
  async function* tasks() {
    yield urls.map((url, i) => taskOf(typeof url === 'string' ? { url } : url, `u${i}`));
  }
  const settings = { retries: 0, backoff: { min: 1, max: 2 }, keepOrder: true, ...stage };
  for await (const batch of exec(executor, settings)(tasks()))
    for (const { line } of batch) rows.push(JSON.parse(line));
  return rows;
}

/** Serves this robots.txt, and `answer` for all else. */
function serveRobots(
  text: string,
  answer: Answering = (response) => response.end('ok'),
): Promise<TestServer> {
  return serve((response, seen) =>
    seen.url === '/robots.txt' ? response.end(text) : answer(response, seen),
  );
}

const codes = (rows: readonly Row[]): string[] =>
  rows.map(({ run: { state, error } }) => error?.code ?? state);
const urlsOf = ({ seen }: TestServer): string[] => seen.map(({ url }) => url).sort();

describe('--robots', () => {
  test('reads robots.txt once, and fails disallowed urls without a request', async () => {
    const server = await serveRobots('user-agent: taskpipe\ndisallow: /private\n');
    const rows = await run(['/a', '/private/b', '/c', '/private'].map((path) => server.url + path));
    expect(codes(rows)).toEqual(['SUCCESS', 'ROBOTS', 'SUCCESS', 'ROBOTS']);
    expect(rows[1]?.run.error?.message).toBe(
      `line 2 of ${server.url}/robots.txt disallows "${server.url}/private/b" for taskpipe (--robots)`,
    );
    expect(urlsOf(server)).toEqual(['/a', '/c', '/robots.txt']);
  });

  test('takes the name from --user-agent, or from a header of the task', async () => {
    const server = await serveRobots('user-agent: mybot\ndisallow: /\n');
    const url = `${server.url}/x`;
    const rows = await run([url, { url, headers: { 'User-Agent': 'MyBot/2' } }]);
    expect(codes(rows)).toEqual(['SUCCESS', 'ROBOTS']);
    expect(codes(await run([url], { userAgent: 'mybot (me)' }))).toEqual(['ROBOTS']);
    expect(codes(await run([url], { header: ['user-agent: mybot'] }))).toEqual(['ROBOTS']);
  });

  test('asks for robots.txt with the user agent, and without headers that may be secret', async () => {
    const server = await serveRobots('');
    await run([server.url], { header: ['Authorization: Bearer x', 'Accept-Language: de'] });
    const { headers } = server.seen[0] as TestServer['seen'][0];
    expect([headers['user-agent'], headers.authorization, headers['accept-language']]).toEqual([
      'taskpipe/1',
      undefined,
      'de',
    ]);
  });

  test.each([401, 404, 410])('allows everything if robots.txt answers %i', async (status) => {
    const server = await serve((response, { url }) => {
      response.writeHead(url === '/robots.txt' ? status : 200).end();
    });
    expect(codes(await run([`${server.url}/x`]))).toEqual(['SUCCESS']);
  });

  test('asks for robots.txt without any login, also if the file names its host, and without cookies', async () => {
    const folder = freshFolder();
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text, { mode: 0o600 });
      return join(folder, name);
    };
    const server = await serve((response, { url }) =>
      url === '/token'
        ? response.setHeader('content-type', 'application/json').end('{"access_token":"T"}')
        : response.setHeader('set-cookie', 'a=1').end(''),
    );
    const host = new URL(server.url).host;
    const token = `{"token_url":"${server.url}/token","client_id":"me","client_secret":"x"}`;
    const keys = { AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's' };
    const logins: HttpOptions[] = [
      { auth: 'basic', env: { TASK_AUTH_SECRET: 'me:secret' } },
      { auth: 'bearer', env: { TASK_AUTH_SECRET: 'secret' } },
      { netrc: file('netrc', 'machine 127.0.0.1 login me password secret') },
      { logins: file('logins', `{"${host}":{"token":"secret"}}`) },
      { oauth2: file('oauth2', token) },
      { awsSigv4: 'eu-west-1:s3', env: keys },
    ];
    const cookies = file('cookies', `127.0.0.1\tFALSE\t/\tFALSE\t0\tsid\tsecret\n`);
    for (const login of logins)
      expect(codes(await run([`${server.url}/x`], { ...login, cookies }))).toEqual(['SUCCESS']);
    const asked = server.seen.filter(({ url }) => url === '/robots.txt').map(({ headers }) => headers);
    expect(asked).toHaveLength(logins.length);
    for (const { authorization, cookie } of asked)
      expect([authorization, cookie]).toEqual([undefined, undefined]);
    const others = server.seen.filter(({ url }) => url === '/x').map(({ headers }) => headers);
    for (const { authorization, cookie } of others) {
      expect(authorization).toBeDefined();
      expect(cookie).toContain('sid=secret');
    }
  });

  test('refuses everything while robots.txt answers 5xx, and tries again', async () => {
    let count = 0;
    const server = await serve((response, { url }) => {
      response.writeHead(url === '/robots.txt' && ++count < 2 ? 503 : 200).end();
    });
    const [row] = await run([`${server.url}/x`]);
    expect(row?.run.error).toEqual({
      code: 'ROBOTS',
      message: expect.stringMatching(
        /robots\.txt cannot be read: the answer is 503, so that nothing of \S+ is fetched for now \(--robots\)$/,
      ),
    });
    expect(urlsOf(server)).toEqual(['/robots.txt']);
    count = 0;
    const [again] = await run([`${server.url}/x`], {}, { retries: 1 });
    expect([again?.run.state, again?.run.attempts]).toEqual(['SUCCESS', 2]);
  });

  test('refuses everything of a host whose robots.txt cannot be reached', async () => {
    const [row] = await run(['http://127.0.0.1:1/x']);
    expect(row?.run.error).toEqual({
      code: 'ROBOTS',
      message: expect.stringContaining('connection refused'),
    });
  });

  test('follows redirects of robots.txt, and allows everything after five', async () => {
    const server = await serve((response, { url }) => {
      const [, to] = /^\/r(\d)$/.exec(url) ?? [];
      if (url === '/robots.txt') response.writeHead(301, { location: '/r1' }).end();
      else if (to === '3') response.end('user-agent: *\ndisallow: /no');
      else if (to !== undefined) response.writeHead(302, { location: `/r${Number(to) + 1}` }).end();
      else response.end();
    });
    expect(codes(await run([`${server.url}/no`]))).toEqual(['ROBOTS']);
    const endless = await serve((response, { url }) => {
      if (url === '/x') response.end();
      else response.writeHead(302, { location: '/r' }).end();
    });
    expect(codes(await run([`${endless.url}/x`]))).toEqual(['SUCCESS']);
  });

  test('asks the robots.txt of each origin that a redirect leads to', async () => {
    const other = await serveRobots('user-agent: *\ndisallow: /no');
    const server = await serveRobots('', (response, { url }) =>
      response.writeHead(302, { location: other.url + url }).end(),
    );
    expect(codes(await run([`${server.url}/no`, `${server.url}/yes`]))).toEqual(['ROBOTS', 'SUCCESS']);
    expect(urlsOf(other)).toEqual(['/robots.txt', '/yes']);
  });

  test('spaces the requests to a host by its Crawl-delay, and holds up no other host', async () => {
    const times: number[] = [];
    const slow = await serveRobots('user-agent: *\ncrawl-delay: 0.3', (response) => {
      times.push(performance.now());
      response.end();
    });
    let others = 0;
    const quick = await serveRobots('', (response) => {
      others++;
      response.end();
    });
    const urls = Array.from({ length: 4 }, (_, i) => `${slow.url}/${i}`);
    const more = Array.from({ length: 20 }, (_, i) => `${quick.url}/${i}`);
    const rows = await run([...urls, ...more], { timeout: 1000 }, { jobs: 4 });
    expect(new Set(codes(rows))).toEqual(new Set(['SUCCESS']));
    expect(rows.map(({ run: { attempts } }) => attempts)).toEqual(Array(24).fill(1));
    // The first request may arrive late, on a new connection.
    expect((times[3] as number) - (times[0] as number)).toBeGreaterThan(700);
    expect(others).toBe(20);
  });

  test('waits no longer for a Crawl-delay than --max-retry-after', async () => {
    const server = await serveRobots('user-agent: *\ncrawl-delay: 86400');
    expect(codes(await run([server.url, server.url], { maxRetryAfter: 50 }))).toEqual(['SUCCESS', 'SUCCESS']);
  });

  // https://github.com/scrapy/scrapy/issues/2912
  test('does not wait for a Crawl-delay in a replay', async () => {
    const server = await serveRobots('user-agent: *\ncrawl-delay: 0.1\ndisallow: /no');
    const urls = ['/a', '/b', '/c', '/no'].map((path) => server.url + path);
    const cache = freshFolder();
    await run(urls, { cache, cacheMode: 'record' });
    const asked = server.seen.length;
    const began = performance.now();
    const rows = await run(
      [...urls, ...urls],
      { cache, cacheMode: 'replay', maxRetryAfter: 60_000 },
      { jobs: 1 },
    );
    expect(codes(rows).filter((code) => code === 'ROBOTS')).toHaveLength(2);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(server.seen).toHaveLength(asked);
  });

  test('does not affect requests that would fail anyway, and replays without the network', async () => {
    expect(codes(await run(['http://127.0.0.1:1/'], { denyPrivate: true }))).toEqual(['DENIED']);
    const replay = { cache: freshFolder(), cacheMode: 'replay' } as const;
    expect(codes(await run(['http://127.0.0.1:1/'], replay))).toEqual(['NOT_RECORDED']);
  });

  test('applies to ctx.fetch', async () => {
    const server = await serveRobots('user-agent: *\ncrawl-delay: 0.1\ndisallow: /no');
    const fetcher = await openFetcher({ robots: true });
    const fetch = fetcher.fetch(new AbortController().signal);
    await expect(fetch(`${server.url}/no`)).rejects.toMatchObject({ code: 'ROBOTS', retry: false });
    const began = performance.now();
    await Promise.all([1, 2, 3].map((n) => fetch(`${server.url}/${n}`)));
    expect(performance.now() - began).toBeGreaterThan(180);
    await fetcher.close();
  });
});
