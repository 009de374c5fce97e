/* A primary that becomes a copy, or is killed, and the Sentinel that replaces it. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { ask, needsRedis, startRedis, startSentinel, type TestRedis } from '../support/redis.ts';
import { type Ended, ended, freshFolder, sh, start } from '../support/run.ts';
import { until } from '../support/until.ts';

beforeEach(needsRedis);

const numbers = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => `{"uuid":"t${from + i}"}\n`).join('');

/** Waits until a replica has the data of its primary. */
async function caughtUp({ port }: TestRedis): Promise<void> {
  await until(async () => /master_link_status:up/.test(await ask(port, 'info replication')));
}

/** Waits until the replica of a primary has all data written so far. */
async function replicated({ port }: TestRedis): Promise<void> {
  await until(async () => {
    const info = await ask(port, 'info replication');
    const [, theirs] = /^slave0:.*offset=(\d+)/m.exec(info) ?? [];
    return theirs !== undefined && info.includes(`master_repl_offset:${theirs}\r`);
  });
}

/** Starts a primary and a replica that has caught up. */
async function pair(): Promise<{ primary: TestRedis; replica: TestRedis }> {
  const primary = await startRedis('--repl-diskless-sync-delay', '0');
  const replica = await startRedis(
    ...['--replicaof', `127.0.0.1 ${primary.port}`, '--repl-diskless-sync-delay', '0'],
  );
  await caughtUp(replica);
  return { primary, replica };
}

/** Starts a command. Returns its end, and a function that waits for words on stderr. */
function watched(command: string, options: Parameters<typeof start>[1] = {}) {
  const child: ChildProcess = start(command, options);
  let said = '';
  child.stderr?.on('data', (chunk) => {
    said += chunk;
  });
  return { child, end: ended(child), says: (words: RegExp) => until(() => words.test(said)) };
}

describe('a primary that becomes a copy', () => {
  test('makes a running pipe wait, which continues once it is the primary again', async () => {
    const { primary, replica } = await pair();
    const at = `${primary.url} --name q`;
    await sh(`task-queue push ${at} --quiet`, { input: numbers(0, 3) });
    const pull = watched(`exec task-queue pull ${at} --until-empty --window 1`);
    const lines: string[] = [];
    pull.child.stdout?.on('data', (text) => lines.push(...String(text).trim().split('\n')));
    await until(() => lines.length === 1);
    await replicated(primary);
    await ask(replica.port, 'replicaof no one');
    await ask(primary.port, `replicaof 127.0.0.1 ${replica.port}`);
    const ack = watched(`task-queue ack ${at}`);
    ack.child.stdin?.end(`${lines[0]}\n`);
    await pull.says(/is a read-only copy now; waiting up to 60 s for the primary at this address\n/);
    await ack.says(
      /is a read-only copy; give its primary, 127\.0\.0\.1:\d+; trying for 60 s, as it may become/,
    );
    await caughtUp(primary);
    await ask(primary.port, 'replicaof no one');
    expect(await ack.end).toMatchObject({ code: 0, stderr: expect.stringMatching(/1 done/) });
    await sh(`task-queue stop ${at} --quiet`);
    expect(await pull.end).toMatchObject({ code: 0, stderr: expect.stringMatching(/is back/) });
    const { stdout } = await sh(`task-queue size ${at} | jq -c '[.finished, .waiting, .dead]'`);
    expect(stdout).toBe('[1,2,0]\n');
  }, 60_000);

  test('ends a command after --patience, with 74 and the reason', async () => {
    const { primary, replica } = await pair();
    const at = `${primary.url} --name q --patience 1s`;
    const push = watched(`task-queue push ${at}`);
    push.child.stdin?.write(numbers(0, 1));
    await until(() => has(primary));
    await ask(replica.port, 'replicaof no one');
    await ask(primary.port, `replicaof 127.0.0.1 ${replica.port}`);
    push.child.stdin?.end(numbers(1, 2));
    const { code, stderr } = await push.end;
    expect([code, stderr]).toEqual([74, expect.stringMatching(/is a read-only copy; give its primary, 127/)]);
  }, 60_000);

  test('that has too few replicas for writes makes a command wait', async () => {
    const redis = await startRedis('--min-replicas-to-write', '1');
    const push = watched(`task-queue push ${redis.url} --name q`, {});
    push.child.stdin?.end(numbers(0, 2));
    await push.says(
      /too few replicas to accept writes \(min-replicas-to-write\); trying again for up to 60 s\n/,
    );
    await ask(redis.port, 'config set min-replicas-to-write 0');
    expect(await push.end).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/accepts commands again\n.*2 added/s),
    });
  }, 60_000);
});

/** Returns whether a server has a task. */
async function has({ port }: TestRedis): Promise<boolean> {
  return (await ask(port, 'exists bull:q:=t0')) === '1';
}

describe('Sentinel', () => {
  /** Starts a primary, a replica and a sentinel that knows both. */
  async function group(...lines: readonly string[]) {
    const { primary, replica } = await pair();
    const port = await startSentinel(primary.port, ...lines);
    return { primary, replica, port, url: `redis+sentinel://127.0.0.1:${port}/main` };
  }

  test('leads to the new primary after kill -9, without loss of acknowledged tasks', async () => {
    const { primary, replica, port, url } = await group();
    await until(async () => /num-slaves\n1\n/.test(await ask(port, 'sentinel master main')));
    const at = `${url}/0 --name q`;
    const cwd = freshFolder();
    // Each push reports the added tasks, which must not be lost.
    const pushing = (async (): Promise<Ended[]> => {
      const ends: Ended[] = [];
      for (let i = 0; i < 20; i++)
        ends.push(await sh(`task-queue push ${at}`, { input: numbers(i * 200, i * 200 + 200) }));
      return ends;
    })();
    await until(() => has(primary));
    const pipe = `task-queue pull ${at} --window 50 --lease 2s | tee -a delivered | task-queue ack ${at} --tee >> acknowledged`;
    const working = watched(pipe, { cwd });
    const linesOf = (file: string): string[] =>
      existsSync(join(cwd, file)) ? readFileSync(join(cwd, file), 'utf8').split('\n').filter(Boolean) : [];
    await until(() => linesOf('acknowledged').length > 500);
    const acknowledged = linesOf('acknowledged');
    const delivered = linesOf('delivered');
    await primary.kill();
    await working.says(/went away.*is back/s);
    for (const { code } of await pushing) expect(code).toBe(0);
    await until(async () => JSON.parse((await sh(`task-queue size ${at}`)).stdout).finished === 4000);
    await sh(`task-queue stop ${at} --quiet`);
    expect((await working.end).code).toBe(0);
    // Tasks that were acknowledged before the kill were not delivered again after it.
    const later = new Set(linesOf('delivered').slice(delivered.length));
    expect(acknowledged.filter((line) => later.has(line))).toEqual([]);
    const counts = new Map<string, number>();
    for (const line of linesOf('delivered')) counts.set(line, (counts.get(line) ?? 0) + 1);
    expect(counts.size).toBe(4000);
    // Only tasks in flight at the kill come twice: at most a window of them.
    expect([...counts.values()].filter((count) => count > 1).length).toBeLessThanOrEqual(50);
    expect(await ask(replica.port, 'info replication')).toMatch(/role:master/);
  }, 120_000);

  test('that moves the primary by command loses no task that was acknowledged meanwhile', async () => {
    const { port, url } = await group();
    await until(async () => /num-slaves\n1\n/.test(await ask(port, 'sentinel master main')));
    const at = `${url}/0 --name q`;
    const cwd = freshFolder();
    await sh(`task-queue push ${at} --quiet`, { input: numbers(0, 3000) });
    const pipe = `task-queue pull ${at} --until-empty --window 50 | tee delivered | task-queue ack ${at} --tee > acknowledged`;
    const working = watched(pipe, { cwd });
    const acknowledged = join(cwd, 'acknowledged');
    await until(() => existsSync(acknowledged) && readFileSync(acknowledged, 'utf8').length > 1000);
    await ask(port, 'sentinel failover main');
    // While the old primary still accepts the writes of a new process.
    const push = await sh(`task-queue push ${at}`, { input: numbers(3000, 3100) });
    expect(push).toMatchObject({ code: 0, stderr: expect.stringMatching(/100 added/) });
    expect((await working.end).code).toBe(0);
    await sh(`task-queue pull ${at} --until-empty --quiet | task-queue ack ${at} --quiet`, { cwd });
    const { stdout } = await sh(`task-queue size ${at} | jq -c '[.finished, .waiting, .active]'`);
    expect(stdout).toBe('[3100,0,0]\n');
    const lines = readFileSync(join(cwd, 'delivered'), 'utf8').trim().split('\n');
    expect(lines.length - new Set(lines).size).toBeLessThanOrEqual(50);
  }, 120_000);

  test('that does not answer, does not know the name, or needs a password is named', async () => {
    const { port } = await group('requirepass "guarded"');
    const size = (url: string, env: Record<string, string> = {}): Promise<Ended> =>
      sh(`task-queue size '${url}' --name q --patience 2s`, { env });
    const at = `redis+sentinel://127.0.0.1:${port}`;
    const env = { TASK_SENTINEL_PASSWORD: 'guarded' };
    const dead = await size('redis+sentinel://127.0.0.1:1,localhost:2/main');
    expect([dead.code, dead.stderr]).toEqual([
      74,
      expect.stringMatching(/cannot reach .*no sentinel answers; .*trying for 2 s\n.*no sentinel answers/s),
    ]);
    const unknown = await size(`${at}/other`, env);
    expect([unknown.code, unknown.stderr]).toEqual([
      74,
      expect.stringMatching(/the sentinels know no primary called "other"; .*SENTINEL MASTERS/),
    ]);
    const denied = await size(`${at}/main`);
    expect([denied.code, denied.stderr]).toEqual([
      74,
      expect.stringMatching(/need another user or password: TASK_SENTINEL_PASSWORD/),
    ]);
    expect((await size(`${at}/main/0`, env)).code).toBe(0);
    const ledger = `redis+sentinel://127.0.0.1:1,127.0.0.1:${port}/main#done`;
    const marked = await sh(`task-done mark '${ledger}' a && task-done count '${ledger}'`, { env });
    expect(marked).toMatchObject({ code: 0, stdout: '1\n' });
    const plain = await size(`redis://127.0.0.1:${port}/0`, { TASK_REDIS_PASSWORD: 'guarded' });
    expect(plain.stderr).toMatch(
      new RegExp(`is a Sentinel; use redis\\+sentinel://127.0.0.1:${port}/PRIMARY`),
    );
  }, 60_000);

  test('warns if no replica has the written data', async () => {
    const redis = await startRedis();
    const port = await startSentinel(redis.port);
    const url = `redis+sentinel://127.0.0.1:${port}/main`;
    const { code, stderr } = await sh(`task-queue push ${url} --name q`, { input: numbers(0, 1) });
    expect([code, stderr]).toEqual([
      0,
      `task-queue: ${url}: no replica confirms the written data; a failover now would lose it\ntask-queue: 1 added\n`,
    ]);
  });
});
