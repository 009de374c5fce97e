/* Limits of a host: redirects wait for the lane of their host, and a used-up rate limit pauses it. */
import { describe, expect, test } from 'vitest';
import { type Answering, serve, type TestServer } from '../../support/http-server.ts';
import { runAll, states } from './support.ts';

/** Starts a server that redirects all paths to the same path of another one. */
function redirecting(to: TestServer): Promise<TestServer> {
  return serve((response, { url }) => response.writeHead(302, { location: to.url + url }).end());
}

/** Starts a server that answers after a time, and counts the requests that it has at once. */
async function busy(ms: number): Promise<{ server: TestServer; most: () => number; times: number[] }> {
  let running = 0;
  let most = 0;
  const times: number[] = [];
  const server = await serve((response) => {
    times.push(performance.now());
    most = Math.max(most, ++running);
    setTimeout(() => {
      running--;
      response.end('ok');
    }, ms);
  });
  return { server, most: () => most, times };
}

const twelve = (url: string): string[] => Array.from({ length: 12 }, (_, i) => `${url}/${i}`);

describe('the host of a redirect', () => {
  test('gets no more requests at once than --per-host', async () => {
    const { server, most } = await busy(20);
    const ran = await runAll(twelve((await redirecting(server)).url), { jobs: 12, perHost: 2 });
    expect(states(ran)).toEqual(['SUCCESS']);
    expect(most()).toBe(2);
  });

  test('gets requests at --host-rate, and its wait does not count as a timeout', async () => {
    const { server, times } = await busy(1);
    const urls = twelve((await redirecting(server)).url);
    const ran = await runAll(urls, { jobs: 12, hostRate: { count: 3, per: 1000 } }, { timeout: 3000 });
    expect(states(ran)).toEqual(['SUCCESS']);
    const [first = 0] = times;
    expect((times.at(-1) ?? 0) - first).toBeGreaterThan(3000);
  });

  test('counts for its rate if it is the same host', async () => {
    const server = await serve((response, { url }) =>
      url.startsWith('/to') ? response.end('ok') : response.writeHead(302, { location: `/to${url}` }).end(),
    );
    const ran = await runAll(twelve(server.url).slice(0, 5), { jobs: 5, hostRate: { count: 20, per: 1000 } });
    expect(states(ran)).toEqual(['SUCCESS']);
    expect(server.seen).toHaveLength(10);
    expect(ran.ms).toBeGreaterThan(400);
  });

  test('is paused when it answers 429, and its tasks start again at the first host', async () => {
    let refused = 0;
    const times: number[] = [];
    const to = await serve((response) => {
      times.push(performance.now());
      if (times.length > 1) return void response.end('ok');
      refused = performance.now();
      response.writeHead(429, { 'retry-after': '1' }).end();
    });
    const from = await redirecting(to);
    const ran = await runAll(twelve(from.url), { jobs: 1 });
    expect(states(ran)).toEqual(['SUCCESS']);
    expect(times.filter((at) => at > refused && at < refused + 990)).toEqual([]);
    expect(from.seen).toHaveLength(13);
    expect(ran.records.reduce((all, { run }) => all + Number(run.attempts), 0)).toBe(13);
  });

  test('that redirects back does not block the hosts that wait for each other', async () => {
    const servers: TestServer[] = [];
    const answer =
      (other: number): Answering =>
      (response, { url }) => {
        const left = Number(url.slice(1));
        if (left === 0) response.end('ok');
        else response.writeHead(307, { location: `${servers[other]?.url}/${left - 1}` }).end();
      };
    servers.push(await serve(answer(1)), await serve(answer(0)));
    const urls = Array.from({ length: 20 }, (_, i) => `${servers[i % 2]?.url}/4`);
    const ran = await runAll(urls, { jobs: 4, perHost: 1 });
    expect(states(ran)).toEqual(['SUCCESS']);
  });

  test('gets requests after a stop for tasks that had begun, within the grace period', async () => {
    const stopping = new AbortController();
    const { server } = await busy(1);
    const from = await serve((response, { url }) => {
      if (url === '/3') stopping.abort();
      response.writeHead(303, { location: server.url + url }).end();
    });
    const options = { jobs: 4, perHost: 4, hostRate: { count: 1, per: 60_000 }, stopping: stopping.signal };
    // The rate allows one request per minute; after the stop, all tasks that had begun continue.
    const ran = await runAll(
      [`${from.url}/3`, `${from.url}/4`],
      options,
      {},
      { method: 'post', data: 'a=1' },
    );
    const ended = ran.records.map(({ run }) => run.state).sort();
    expect(ended).toEqual(['PENDING', 'SUCCESS']);
    expect(from.seen).toHaveLength(1);
  });

  test('gets requests after a stop for tasks that waited for it, whatever its limits', async () => {
    const stopping = new AbortController();
    const { server, most } = await busy(3000);
    const from = await serve((response, { url }) => {
      response.writeHead(302, { location: server.url + url }).end();
      if (url === '/2') setTimeout(() => stopping.abort(), 100);
    });
    const urls = [`${from.url}/1`, `${from.url}/2`];
    const ran = await runAll(urls, { jobs: 2, perHost: 1, stopping: stopping.signal, grace: 60_000 });
    expect(states(ran)).toEqual(['SUCCESS']);
    expect(most()).toBe(2);
  });

  test('may also have its own tasks, which share its limit with redirects', async () => {
    const { server, most } = await busy(10);
    const from = await redirecting(server);
    const urls = twelve('').map((path, i) => (i % 2 ? from.url : server.url) + path);
    const ran = await runAll(urls, { jobs: 12, perHost: 3 });
    expect(states(ran)).toEqual(['SUCCESS']);
    expect(most()).toBe(3);
  });
});

describe('a used-up rate limit of a success', () => {
  const headers: readonly (readonly [object])[] = [
    [{ ratelimit: '"default";r=0;t=1' }],
    [{ ratelimit: '"day";r=9;t=9000, "burst";r=0;t=1' }],
    [{ ratelimit: '"burst";r=0', 'ratelimit-policy': '"day";q=9;w=9000,"burst";q=2;w=1' }],
    [{ ratelimit: 'limit=2, remaining=0, reset=1' }],
    [{ 'ratelimit-remaining': '0', 'ratelimit-reset': '1' }],
    [{ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1' }],
    [{ 'x-rate-limit-remaining': '0.0', 'x-rate-limit-reset': '1' }],
  ];

  test.each(headers)('pauses the host until it is reset: %j', async (limit) => {
    const times: number[] = [];
    const server = await serve((response) => {
      times.push(performance.now());
      response.writeHead(200, times.length === 1 ? { ...limit } : {}).end('ok');
    });
    const ran = await runAll(twelve(server.url).slice(0, 3), { jobs: 1 });
    expect(states(ran)).toEqual(['SUCCESS']);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(900);
  });

  test.each([
    { ratelimit: '"default";r=1;t=60' },
    { ratelimit: '"default";r=0' },
    { ratelimit: 'limit=2, remaining=1, reset=60' },
    { 'x-ratelimit-remaining': '1', 'x-ratelimit-reset': '60' },
    { 'x-ratelimit-remaining': '0' },
    { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '0' },
    { 'x-ratelimit-remaining': 'none', 'x-ratelimit-reset': '60' },
    { 'x-ratelimit-reset': '60' },
    { 'retry-after': '60' },
  ])('pauses nothing if it is not used up, or not reset: %j', async (limit) => {
    const server = await serve((response) => response.writeHead(200, { ...limit }).end('ok'));
    const { ms } = await runAll(twelve(server.url).slice(0, 3), { jobs: 1 });
    expect(ms).toBeLessThan(15_000);
  });

  test('pauses no longer than --max-retry-after', async () => {
    const limit = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '3600' };
    const server = await serve((response) => response.writeHead(200, limit).end('ok'));
    const { ms } = await runAll(twelve(server.url).slice(0, 2), { jobs: 1 }, { maxRetryAfter: 300 });
    expect(ms).toBeGreaterThan(290);
    expect(ms).toBeLessThan(15_000);
  });

  test('of a redirect pauses the host that redirected', async () => {
    const to = await serve((response) => response.end('ok'));
    const times: number[] = [];
    const from = await serve((response) => {
      times.push(performance.now());
      response
        .writeHead(302, { location: to.url, 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1' })
        .end();
    });
    const ran = await runAll(twelve(from.url).slice(0, 2), { jobs: 2, perHost: 1 });
    expect(states(ran)).toEqual(['SUCCESS']);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(900);
  });

  test('makes a 403 a refusal that is retried, as GitHub uses it', async () => {
    let count = 0;
    const limit = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1' };
    const server = await serve((response) =>
      ++count === 1 ? response.writeHead(403, limit).end() : response.end('ok'),
    );
    const ran = await runAll([server.url], { jobs: 1 }, {}, { method: 'post', data: 'x' });
    expect(states(ran)).toEqual(['SUCCESS']);
    expect(ran.ms).toBeGreaterThan(900);
  });

  test('from the cache pauses no host', async () => {
    const { freshFolder } = await import('../../support/run.ts');
    const limit = {
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': '3600',
      'cache-control': 'max-age=600',
    };
    const server = await serve((response) => response.writeHead(200, limit).end('ok'));
    const cache = `${freshFolder()}/cache`;
    await runAll([server.url], { jobs: 1 }, { cache });
    const { ms, records } = await runAll([server.url, server.url, server.url], { jobs: 1 }, { cache });
    expect(records).toHaveLength(3);
    expect(ms).toBeLessThan(15_000);
    expect(server.seen).toHaveLength(1);
  });
});
