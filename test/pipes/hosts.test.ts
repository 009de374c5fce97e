/* Treatment of hosts by task-exec --http: rates, shares, slow hosts, and hosts that ask for a pause. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { serve } from '../support/http-server.ts';
import { freshFolder } from '../support/run.ts';
import { counter, parsed, runPipeline, writeRows } from './pipeline.ts';

const PER_HOST = 50;

describe('task-exec --http', () => {
  test('starts no faster than --rate', async () => {
    const times: number[] = [];
    const { url } = await serve((response) => {
      times.push(performance.now());
      response.end('ok');
    });
    const cwd = freshFolder();
    writeRows(cwd, 'a.csv', 11, (n) => `${url}/${n}`);
    await runPipeline('task-load a.csv | task-exec --http --rate 20/s', { cwd });
    expect(times).toHaveLength(11);
    expect((times[10] as number) - (times[0] as number)).toBeGreaterThan(400); // ten intervals of 50 ms, loosely
  });

  test('starts no faster than --host-rate on each host, independent of the others', async () => {
    const cwd = freshFolder();
    const times: number[][] = [[], []];
    const hosts = await Promise.all(
      times.map((starts) =>
        serve((response) => {
          starts.push(performance.now());
          response.end('ok');
        }),
      ),
    );
    writeRows(cwd, 'a.csv', 22, (n) => `${hosts[n % 2]?.url}/${n}`);
    await runPipeline('task-load a.csv | task-exec --http --host-rate 20/s', { cwd });
    for (const starts of times) {
      expect(starts).toHaveLength(11);
      expect((starts[10] as number) - (starts[0] as number)).toBeGreaterThan(400); // ten intervals of 50 ms, loosely
    }
    // Both hosts at once: one after the other would take twice as long.
    expect(Math.abs((times[0]?.[0] as number) - (times[1]?.[0] as number))).toBeLessThan(400);
  });

  test('has at most --per-host requests of a host in flight, and reaches that number', async () => {
    const cwd = freshFolder();
    const hosts = await Promise.all([1, 2].map(busyHost));
    writeRows(cwd, 'a.csv', 40, (n) => `${hosts[n % 2]?.url}/${n}`);
    const { codes } = await runPipeline('task-load a.csv | task-exec --http -j 20 --per-host 3', { cwd });
    expect(codes).toBe('0 0');
    expect(hosts.map(({ most }) => most())).toEqual([3, 3]);
  });

  test('completes the tasks of nine hosts while the tenth does not answer', async () => {
    const others = counter();
    // The slow host answers after all others have ended; if they had to wait for it, the run would never end.
    const restDone = others.reached(9 * PER_HOST);
    const slow = await serve((response) => void restDone.then(() => response.end('late')));
    const hosts = await Promise.all(
      Array.from({ length: 9 }, () =>
        serve((response) => {
          response.end('ok');
          others.add();
        }),
      ),
    );
    const cwd = freshFolder();
    writeRows(cwd, 'a.csv', 10 * PER_HOST, (n) => `${(n % 10 === 0 ? slow : hosts[(n % 10) - 1])?.url}/${n}`);
    const { stdout, codes } = await runPipeline('task-load a.csv | task-exec --http -j 10', { cwd });
    expect(codes).toBe('0 0');
    const texts = parsed(stdout).map(({ result }) => result.text);
    expect(texts.slice(0, 400)).toEqual(Array(400).fill('ok'));
    expect(texts.filter((text) => text === 'late')).toHaveLength(PER_HOST);
  });

  test.each([
    ['seconds', () => '1'],
    ['a date', () => new Date(Date.now() + 2000).toUTCString()],
  ])('pauses only the host that answers 429 with Retry-After as %s', async (_, after) => {
    let refusedAt = 0;
    const times: number[] = [];
    const busy = await serve((response) => {
      const now = performance.now();
      if (refusedAt === 0) {
        refusedAt = now;
        response.writeHead(429, { 'retry-after': after() });
      } else times.push(now);
      response.end('ok');
    });
    const othersEnd = { at: 0 };
    const other = await serve((response) => {
      othersEnd.at = performance.now();
      response.end('ok');
    });
    const cwd = freshFolder();
    // The first task is alone, so that no other request of its host is in flight when it is rejected.
    const rows = [
      `${busy.url}/0`,
      ...Array.from({ length: 20 }, (_, n) => `${n % 2 ? busy.url : other.url}/${n}`),
    ];
    writeFileSync(join(cwd, 'a.txt'), `${rows.join('\n')}\n`);
    const { codes, stdout } = await runPipeline(
      'task-load a.txt --field url | task-exec --http -j 4 --per-host 1 --backoff 1ms..2ms',
      { cwd },
    );
    expect(codes).toBe('0 0');
    expect(
      parsed(stdout)
        .map(({ run }) => run.attempts)
        .sort(),
    ).toEqual([...Array(20).fill(1), 2]);
    expect(times).toHaveLength(11);
    expect(Math.min(...times) - refusedAt).toBeGreaterThan(900);
    expect(othersEnd.at).toBeLessThan(Math.min(...times));
  });
});

test.each([429, 503])(
  'a host that answers %i without Retry-After is asked more slowly, and no task is lost',
  async (status) => {
    let tokens = 5;
    let at = performance.now();
    const { url } = await serve((response) => {
      const now = performance.now();
      tokens = Math.min(5, tokens + (now - at) * 0.04);
      at = now;
      if (tokens < 1) return response.writeHead(status).end('slow down');
      tokens--;
      return response.end('ok');
    });
    const cwd = freshFolder();
    writeRows(cwd, 'a.csv', 80, (n) => `${url}/${n}`);
    const { stdout, codes } = await runPipeline('task-load a.csv | task-exec --http --backoff 100ms..5s', {
      cwd,
    });
    expect(codes).toBe('0 0');
    expect(parsed(stdout).filter(({ result }) => result.text === 'ok')).toHaveLength(80);
  },
);

test('a host that answers only 503 does not hold up the run for long', async () => {
  const { url } = await serve((response) => response.writeHead(503).end());
  const cwd = freshFolder();
  writeRows(cwd, 'a.csv', 20, (n) => `${url}/${n}`);
  const { stdout, codes } = await runPipeline('task-load a.csv | task-exec --http --backoff 10ms..100ms', {
    cwd,
  });
  expect(codes).toBe('0 1');
  expect(parsed(stdout)).toHaveLength(20);
});

/** Starts a host that answers slowly and records its maximum number of requests in flight. */
async function busyHost() {
  let now = 0;
  let most = 0;
  const { url } = await serve((response) => {
    most = Math.max(most, ++now);
    setTimeout(() => {
      now--;
      response.end('ok');
    }, 20);
  });
  return { url, most: () => most };
}
