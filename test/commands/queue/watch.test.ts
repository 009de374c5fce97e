/* task-queue watch: a table on a terminal, lines in a log, JSON for programs. */
import { once } from 'node:events';
import { beforeEach, describe, expect, test } from 'vitest';
import { needsRedis, startRedis } from '../../support/redis.ts';
import { ended, sh, start } from '../../support/run.ts';
import { onTerminal } from '../../support/terminal.ts';
import { until } from '../../support/until.ts';

beforeEach(needsRedis);

const tasks = (count: number, prefix = 't'): string =>
  Array.from({ length: count }, (_, i) => `{"uuid":"${prefix}${i}"}\n`).join('');

/** Collects the output of a process. */
function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = '';
  stream?.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  return () => text;
}

describe('task-queue watch --json', () => {
  test('writes an object for each queue at each interval, with rates, and ends with 130 at Ctrl-C', async () => {
    const redis = await startRedis();
    const at = `${redis.url} --name q`;
    await sh(`task-queue push ${at} --quiet`, { input: tasks(300) });
    const watch = start(`exec task-queue watch ${at} --json --interval 100ms`);
    const [out, err] = [collect(watch.stdout), collect(watch.stderr)];
    await until(() => out().includes('\n'));
    const first = JSON.parse(out().split('\n')[0] as string);
    expect(first).toMatchObject({
      ...{ name: 'q', waiting: 300, delayed: 0, active: 0, dead: 0, finished: 0, paused: false },
      ...{ workers: [], deadByCause: {}, donePerMinute: null, secondsLeft: null },
    });
    expect(first.at).toMatch(/^\d{4}-.*Z$/);
    await sh(`task-queue pull ${at} --window 100 --quiet | head -100 | task-queue ack ${at} --quiet`);
    const looks = () =>
      out()
        .trimEnd()
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line));
    await until(() => looks().at(-1)?.finished === 100);
    const last = looks().at(-1);
    expect(last.donePerMinute).toBeGreaterThan(0);
    expect(last.secondsLeft).toBeGreaterThan(0);
    watch.kill('SIGINT');
    expect(await ended(watch)).toMatchObject({ code: 130 });
    expect(err()).toBe('');
  });

  test('ends when its reader does', async () => {
    const redis = await startRedis();
    const { code, stdout } = await sh(
      `set -o pipefail; task-queue watch ${redis.url} --name q --json --interval 100ms | head -2 | jq -r .name`,
    );
    expect([code, stdout]).toEqual([141, 'q\nq\n']);
  });

  test('--until-empty ends with 0 once no task waits, is delayed or with a worker', async () => {
    const redis = await startRedis();
    const at = `${redis.url} --name q`;
    await sh(`task-queue push ${at} --quiet`, { input: tasks(5) });
    const watch = ended(start(`exec task-queue watch ${at} --json --interval 100ms --until-empty`));
    await sh(`task-queue pull ${at} --until-empty --quiet | task-queue ack ${at} --quiet`);
    const { code, stdout } = await watch;
    const lines = stdout.trimEnd().split('\n');
    expect([code, JSON.parse(lines.at(-1) as string)]).toMatchObject([0, { finished: 5, secondsLeft: 0 }]);
  });

  test('follows the causes of deaths and retries', async () => {
    const redis = await startRedis();
    const at = `${redis.url} --name q`;
    const watch = start(`exec task-queue watch ${at} --json --interval 100ms`);
    const out = collect(watch.stdout);
    const causes = () =>
      out()
        .match(/"deadByCause":(\{[^}]*\})/g)
        ?.at(-1);
    const fail = async (uuid: string, code: string) => {
      await sh(`task-queue push ${at} --quiet --attempts 1`, { input: `{"uuid":"${uuid}"}\n` });
      await sh(
        `task-queue pull ${at} --until-empty --quiet | jq -c --unbuffered '. + {run:{state:"FAILURE",error:{code:"${code}",message:""}}}' | task-queue ack ${at} --quiet`,
      );
    };
    await fail('a', 'DNS');
    await fail('b', 'DNS');
    await fail('c', 'HTTP_404');
    await until(() => causes() === '"deadByCause":{"DNS":2,"HTTP_404":1}');
    await sh(`task-queue retry ${at} --quiet`);
    await until(() => causes() === '"deadByCause":{}');
    watch.kill('SIGKILL');
  }, 30_000);

  test('uses one connection however long it runs', async () => {
    const redis = await startRedis();
    const watch = start(`exec task-queue watch ${redis.url} --name q --json --interval 100ms`);
    const out = collect(watch.stdout);
    await until(() => out().split('\n').length > 20);
    const { stdout } = await sh(`redis-cli -p ${redis.port} client list | grep -c -v 'cmd=client'`);
    expect(stdout).toBe('1\n');
    watch.kill('SIGKILL');
  });
});

describe('task-queue watch', () => {
  test('writes a line at each interval to stderr if that is not a terminal', async () => {
    const redis = await startRedis();
    const at = `${redis.url} --name q`;
    await sh(`task-queue push ${at} --quiet`, { input: tasks(1200) });
    const pull = start(`exec task-queue pull ${at} --worker m1 --window 2`);
    await once(pull.stdout as NodeJS.ReadableStream, 'data');
    await sh(`task-queue pause ${at}`);
    const watch = start(`exec task-queue watch ${at} --interval 100ms`);
    const [out, err] = [collect(watch.stdout), collect(watch.stderr)];
    await until(() => err().includes('done per minute'));
    watch.kill('SIGTERM');
    pull.kill('SIGKILL');
    expect((await ended(watch)).code).toBe(143);
    expect(err()).toMatch(
      /^task-queue: q: paused, 1,198 waiting, 2 active \(m1 2\), 0 finished(, 0 done per minute)?\n/,
    );
    expect(out()).toBe('');
  });

  test('draws a table on a terminal, which stays there once after Ctrl-C', async () => {
    const redis = await startRedis();
    const at = `${redis.url} --name crawl`;
    await sh(`task-queue push ${at} --quiet`, { input: tasks(3) });
    const session = onTerminal(`task-queue watch ${at} --interval 100ms`);
    await session.sees(/waiting +3\n/);
    await sh(`task-queue push ${at} --quiet`, { input: tasks(1200, 'u') });
    await session.sees(/waiting +1,203\n/);
    session.type('\x03');
    expect(await session.ended).toBe(130);
    const lines = session.lines();
    expect(lines.filter((line) => /^crawl/.test(line))).toHaveLength(1);
    expect(lines.slice(-6)).toEqual([
      'crawl',
      expect.stringMatching(/^ {2}waiting +1,203$/),
      expect.stringMatching(/^ {2}delayed +0$/),
      expect.stringMatching(/^ {2}active +0$/),
      expect.stringMatching(/^ {2}dead +0$/),
      expect.stringMatching(/^ {2}finished +0 {2}0 done per minute$/),
    ]);
  });

  test('keeps its table in a narrow terminal, also when it gets narrower', async () => {
    const redis = await startRedis();
    const names = Array.from({ length: 6 }, (_, i) => `--name queue${i}`).join(' ');
    const session = onTerminal(`task-queue watch ${redis.url} ${names} --interval 100ms`, { columns: 40 });
    await session.sees(/queue3\n/);
    expect(session.lines().length).toBeLessThan(24); // 36 rows do not fit
    expect(session.lines().at(-1)).toBe('…');
    await session.resize(24, 24);
    await session.sees(/^(.{0,23}\n){22}…$/);
    session.type('\x03');
    expect(await session.ended).toBe(130);
  });
});

describe('an outage of Redis', () => {
  test('makes watch wait, which then continues', async () => {
    const redis = await startRedis();
    const watch = start(`exec task-queue watch ${redis.url} --name q --json --interval 100ms`);
    const [out, err] = [collect(watch.stdout), collect(watch.stderr)];
    await until(() => out().includes('\n'));
    await redis.kill();
    await until(() => /went away; waiting for it/.test(err()));
    const before = out().length;
    await redis.start();
    await until(() => /is back/.test(err()) && out().length > before);
    watch.kill('SIGINT');
    expect((await ended(watch)).code).toBe(130);
  });

  test('ends watch after --patience, with 74', async () => {
    const redis = await startRedis();
    const watch = start(`exec task-queue watch ${redis.url} --name q --json --patience 500ms`);
    const all = ended(watch);
    await once(watch.stdout as NodeJS.ReadableStream, 'data');
    await redis.kill();
    expect(await all).toMatchObject({ code: 74, stderr: expect.stringMatching(/connection refused/) });
  });

  test('does not keep watch from ending at Ctrl-C', async () => {
    const redis = await startRedis();
    const watch = start(`exec task-queue watch ${redis.url} --name q --json --interval 100ms`);
    const err = collect(watch.stderr);
    await once(watch.stdout as NodeJS.ReadableStream, 'data');
    redis.freeze(true);
    await until(() => /went away/.test(err()));
    const began = performance.now();
    watch.kill('SIGINT');
    expect((await ended(watch)).code).toBe(130);
    expect(performance.now() - began).toBeLessThan(2000);
    redis.freeze(false);
  }, 30_000);
});
