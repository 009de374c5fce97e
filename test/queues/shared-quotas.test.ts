/* Quotas that several processes share in Redis. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { needsRedis, startRedis } from '../support/redis.ts';
import { ended, freshFolder, sh, start } from '../support/run.ts';
import { until } from '../support/until.ts';

const WINDOW = 1000;
/** Time by which the answers of the server may take longer or shorter to arrive, in milliseconds. */
const JITTER = 300;
const LIMIT = 60;

/** Calls note their start by the clock of the system, which all processes share here. */
const MODULE = `
import { appendFileSync } from 'node:fs';
export default async ({ lane, cost }) => {
  appendFileSync('calls', JSON.stringify({ at: performance.timeOrigin + performance.now(), lane, cost }) + '\\n');
  return { cost };
};
`;

interface Call {
  readonly at: number;
  readonly lane: string;
  readonly cost: number;
}

/** Returns the largest sum of a lane in any window that begins with a call. */
function fullest(calls: readonly Call[]): number {
  const sums = calls.map(({ at, lane }, i) =>
    calls
      .slice(i)
      .filter((one) => one.lane === lane && one.at < at + WINDOW - JITTER)
      .reduce((sum, { cost }) => sum + cost, 0),
  );
  return Math.max(...sums);
}

function tasks(count: number, lanes = 2): string {
  const task = (_: unknown, i: number): string =>
    JSON.stringify({ uuid: `u${i}`, lane: `l${i % lanes}`, cost: 4 + (i % 5) });
  return `${Array.from({ length: count }, task).join('\n')}\n`;
}

test('two processes together keep to one quota for each lane', async (context) => {
  await needsRedis(context);
  const { url } = await startRedis();
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'm.mjs'), MODULE);
  const command = `task-exec --module m.mjs -j 10 --lane '{lane}' --quota tokens=${LIMIT}/${WINDOW}ms --cost tokens=cost --shared --queue ${url} --name q`;
  const ends = await Promise.all([
    sh(command, { cwd, input: tasks(24) }),
    sh(command, { cwd, input: tasks(24) }),
  ]);
  for (const { code, stderr } of ends)
    expect([code, stderr]).toEqual([0, expect.stringContaining('24 done')]);
  const calls = readFileSync(join(cwd, 'calls'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Call);
  calls.sort((a, b) => a.at - b.at);
  expect(calls.length).toBe(48);
  expect(fullest(calls)).toBeLessThanOrEqual(LIMIT);
});

test('the excess of a shared estimate is refunded to the other process', async (context) => {
  await needsRedis(context);
  const { url } = await startRedis();
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'm.mjs'), MODULE);
  const command = `task-exec --module m.mjs -j 2 --quota tokens=200/1h --cost 'tokens=result.cost || \`50\`' --shared --queue ${url} --name q`;
  const ends = await Promise.all([
    sh(command, { cwd, input: tasks(6) }),
    sh(command, { cwd, input: tasks(6) }),
  ]);
  for (const { code, stderr } of ends) expect([code, stderr]).toEqual([0, expect.stringContaining('6 done')]);
  const redis = new Redis(url);
  const fields = Object.entries(await redis.hgetall('taskpipe:rate:quota:'));
  const charged = fields
    .filter(([name]) => name.startsWith('tokens'))
    .reduce((sum, [, amount]) => sum + Number(amount), 0);
  expect(charged).toBe(2 * (4 + 5 + 6 + 7 + 8 + 4));
  expect(await redis.pttl('taskpipe:rate:quota:')).toBeGreaterThan(3_600_000);
  redis.disconnect();
});

test('a shared overrun is paid back by all, its wait is named, and a stop ends it with PENDING tasks', async (context) => {
  await needsRedis(context);
  const { url } = await startRedis();
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'm.mjs'), MODULE);
  const command = `task-exec --module m.mjs --quota tokens=10/1h --cost 'tokens=result.cost || \`1\`' --shared --queue ${url} --name q`;
  const first = await sh(command, { cwd, input: '{"uuid":"a","cost":50}\n' });
  expect(first.code).toBe(0);
  const redis = new Redis(url);
  writeFileSync(join(cwd, 'err'), '');
  const second = start(`exec ${command} 2> err`, { cwd });
  const words = (): string => readFileSync(join(cwd, 'err'), 'utf8');
  second.stdin?.write('{"uuid":"b","cost":1}\n');
  await until(() => words().includes('waiting for'));
  second.kill('SIGINT');
  const { stdout } = await ended(second);
  expect(JSON.parse(stdout)).toMatchObject({ uuid: 'b', run: { state: 'PENDING' } });
  expect(words()).toMatch(
    /waiting for --quota tokens=10\/h of all machines: the next task starts in \d h.*, at [\d-]+T[\d:]+Z, or before if /,
  );
  const parts = Object.entries(await redis.hgetall('taskpipe:rate:quota:')).filter(([name]) =>
    name.startsWith('tokens'),
  );
  expect(parts.map(([, amount]) => Number(amount))).toEqual([10, 10, 10, 10, 10]);
  redis.disconnect();
});

test('a server that does not answer does not delay a stop, and discards no outcome', async (context) => {
  await needsRedis(context);
  const { url, freeze } = await startRedis();
  const options = `--shared --queue ${url} --name q --events events --grace 60s`;
  for (const limit of ["--quota 'tokens=100/1h' --cost 'tokens=result.cost || `9`'", '--host-rate 1000/s']) {
    const cwd = freshFolder();
    const hold =
      "if (lane === 'held') while (!existsSync('go')) await new Promise((done) => setTimeout(done, 5));";
    const code = MODULE.replace('appendFileSync }', 'appendFileSync, existsSync }').replace(
      'return',
      `${hold} return`,
    );
    writeFileSync(join(cwd, 'm.mjs'), code);
    const child = start(`exec task-exec --module m.mjs ${limit} ${options}`, { cwd });
    const ending = ended(child);
    child.stdin?.write('{"uuid":"a","lane":"held","cost":4}\n');
    await until(() => existsSync(join(cwd, 'calls')));
    freeze(true);
    child.stdin?.write('{"uuid":"b","cost":4}\n');
    await until(() => readFileSync(join(cwd, 'events'), 'utf8').includes('"b"'));
    writeFileSync(join(cwd, 'go'), '');
    child.kill('SIGINT');
    const { stdout, code: exit } = await ending;
    freeze(false);
    const states = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .map(({ uuid, run }) => `${uuid} ${run.state}`);
    expect([exit, states.sort()]).toEqual([130, ['a SUCCESS', 'b PENDING']]);
  }
});

test('an invalid option of the work ends the stage, although its server is connected', async (context) => {
  await needsRedis(context);
  const { url } = await startRedis();
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'no-function.mjs'), 'export default 5;\n');
  const shared = `--shared --queue ${url} --name q --host-rate 5/s`;
  const works = [
    ['--module none.mjs', 74, 'task-exec: cannot read --module none.mjs: no such file or folder\n'],
    ['--module no-function.mjs', 2, expect.stringMatching(/^.* must export a function.*\n$/)],
    ['--http --cert none.pem', 74, 'task-exec: cannot read --cert none.pem: no such file or folder\n'],
    ['--http --cookies none/jar', 74, expect.stringMatching(/^.*cannot write --cookies none\/jar.*\n$/)],
    ['--worker cat --delay 1s --rate 5/s', 2, expect.stringMatching(/^.*--delay and --rate.*\n$/)],
  ] as const;
  for (const [work, code, message] of works)
    expect(await sh(`task-exec ${work} ${shared}`, { cwd, input: tasks(1) })).toEqual({
      ...{ code, stdout: '', stderr: message, signal: null },
    });
});
