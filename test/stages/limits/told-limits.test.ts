/* Limits in the headers of servers. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toldLimitsBy } from '../../../src/executors/http/response/told-limits.ts';
import { serve } from '../../support/http-server.ts';
import { ended, freshFolder, sh, start } from '../../support/run.ts';
import { until } from '../../support/until.ts';

const HOUR = 3_600_000;

function told(headers: Record<string, string>, typed?: string): unknown {
  return toldLimitsBy(typed, HOUR)?.({ status: 200, headers } as never);
}

test('headers of OpenAI and Anthropic are read, with durations, times and seconds', () => {
  const openai = { 'x-ratelimit-remaining-tokens': '149984', 'x-ratelimit-reset-tokens': '6m0s' };
  expect(told(openai)).toEqual([{ name: 'tokens', left: 149_984, wait: 360_000 }]);
  const short = { 'x-ratelimit-remaining-requests': '59', 'x-ratelimit-reset-requests': '20ms' };
  expect(told(short)).toEqual([{ name: 'requests', left: 59, wait: 20 }]);
  const anthropic = {
    date: 'Sun, 29 Nov 2026 01:00:00 GMT',
    'anthropic-ratelimit-input-tokens-remaining': '7',
    'anthropic-ratelimit-input-tokens-reset': '2026-11-29T01:00:30Z',
  };
  expect(told(anthropic)).toMatchObject([{ name: 'input-tokens', left: 7 }]);
  const own = { 'x-left-usd': '0.5', 'x-reset-usd': '99999' };
  expect(told(own, 'X-Left-{name},x-reset-{name}')).toEqual([{ name: 'usd', left: 0.5, wait: HOUR }]);
});

test('headers without a number or a reset are ignored, and so are all headers with none', () => {
  expect(told({ 'x-ratelimit-remaining-tokens': 'many', 'x-ratelimit-reset-tokens': '1s' })).toEqual([]);
  expect(told({ 'x-ratelimit-remaining-tokens': '5' })).toEqual([]);
  expect(told({ 'x-ratelimit-remaining-': '5', 'x-ratelimit-reset-': '1s' })).toEqual([]);
  expect(toldLimitsBy('none', HOUR)).toBeUndefined();
});

/** Runs tasks with a server that reports 5 tokens left. Returns the times of its requests. */
async function run(costs: readonly number[], reset: string, options = ''): Promise<number[]> {
  const times: number[] = [];
  const server = await serve((response) => {
    times.push(performance.now());
    response.setHeader('x-ratelimit-remaining-tokens', '5');
    response.setHeader('x-ratelimit-reset-tokens', reset);
    response.end('{}');
  });
  const record = (n: number, i: number): string =>
    `${JSON.stringify({ uuid: `u${i}`, url: server.url, n })}\n`;
  const end = await sh(`task-exec --http -j 1 --cost tokens=n ${options}`, {
    input: costs.map(record).join(''),
  });
  expect([end.code, end.stderr]).toEqual([0, expect.stringContaining(`${costs.length} done`)]);
  return times;
}

test('a task that costs more than the server has left waits for the reset', async () => {
  const [first = 0, second = 0] = await run([5, 50], '700ms');
  expect(second - first).toBeGreaterThanOrEqual(690);
});

test('a task that costs no more than what is left, and one with --quota-headers none, do not wait', async () => {
  expect(await run([5, 5, 5], '1h')).toHaveLength(3);
  expect(await run([5, 50], '1h', '--quota-headers none')).toHaveLength(2);
});

test('names of headers without {name} are refused', async () => {
  const { stderr, code } = await sh('task-exec --http --cost tokens=n --quota-headers x-left');
  expect([code, stderr]).toEqual([2, expect.stringContaining('must be two names of headers with {name}')]);
});

// BrianV1981/aim #350, mindsdb/anton #349: an unreported pause of an hour is mistaken for a hang.
test('a pause of a minute or more that a server asks for is named once, with its end', async () => {
  const server = await serve((response) => {
    response.writeHead(429, { 'retry-after': '1800' });
    response.end();
  });
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'err'), '');
  const child = start('exec task-exec --http -j 3 > out 2> err', { cwd });
  for (let i = 0; i < 9; i++) child.stdin?.write(`${JSON.stringify({ uuid: `u${i}`, url: server.url })}\n`);
  child.stdin?.end();
  const words = (): string => readFileSync(join(cwd, 'err'), 'utf8');
  await until(() => words().includes('waiting for'));
  child.kill('SIGTERM');
  await ended(child);
  expect(words().match(/waiting for .*/g)).toEqual([
    expect.stringMatching(
      /^waiting for the server, which asked for a pause \(http:.*\): the next task starts in 30 min, at [\d-]+T[\d:]+Z$/,
    ),
  ]);
});
