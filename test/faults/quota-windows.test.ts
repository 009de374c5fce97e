import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';
import { freshFolder, sh } from '../support/run.ts';
import { type Breach, prove, trials } from './support/report.ts';

/** Length of the run and of the window, in milliseconds, and the limit of each lane in a window. */
const RUN = trials(60_000, 3000);
const WINDOW = trials(5000, 500);
const LIMIT = 200;
/** Largest cost of a task: a window may have one more than the limit. */
const MOST = 37;
/** Time by which a busy machine may delay a call after its start was counted, in milliseconds. */
const DELAY = 50;

interface Call {
  readonly at: number;
  readonly lane: string;
  readonly cost: number;
}

/** Calls note their start in the process that limits them: a network would delay each by a different time. */
const MODULE = `
import { appendFileSync } from 'node:fs';
export default async ({ lane, cost, fails }, ctx) => {
  appendFileSync('calls', JSON.stringify({ at: performance.now(), lane, cost }) + '\\n');
  await new Promise((resolve) => setTimeout(resolve, 20 * Math.random()));
  if (fails && ctx.attempt === 1) throw Object.assign(new Error('busy'), { retry: true });
  return { cost: cost * 0.9 };
};
`;

/** Returns the windows of a lane whose sum is above the limit. */
function tooFull(calls: readonly Call[]): Breach[] {
  const breaches: Breach[] = [];
  for (let first = 0, next = 0, sum = 0; first < calls.length; first++) {
    const { at, cost } = calls[first] as Call;
    for (; next < calls.length && (calls[next] as Call).at < at + WINDOW - DELAY; next++)
      sum += (calls[next] as Call).cost;
    if (sum > LIMIT + MOST) breaches.push({ kind: 'other', words: `${sum} in the window from ${at}` });
    sum -= cost;
  }
  return breaches;
}

test('no window of a real run has more than its quota and one task, retries included', async () => {
  const cwd = freshFolder();
  const count = Math.ceil((RUN / WINDOW) * (LIMIT / 20) * 2);
  const input = Array.from({ length: count }, (_, i) =>
    JSON.stringify({ uuid: `u${i}`, lane: `l${i % 2}`, cost: 1 + ((i * 7) % MOST), fails: i % 10 === 0 }),
  );
  await sh(`cat > m.mjs`, { cwd, input: MODULE });
  const { stderr, code } = await sh(
    `task-exec --module m.mjs -j 50 --lane '{lane}' --quota 'tokens=${LIMIT}/${WINDOW}ms' --cost 'tokens=cost' --backoff 10ms..20ms`,
    { cwd, input: `${input.join('\n')}\n` },
  );
  const calls = readFileSync(join(cwd, 'calls'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Call);
  const lanes = new Map(['l0', 'l1'].map((lane) => [lane, calls.filter((call) => call.lane === lane)]));
  const breaches = [...lanes.values()].flatMap(tooFull);
  const time = (calls.at(-1) as Call).at - (calls[0] as Call).at;
  const used = calls.reduce((sum, { cost }) => sum + cost, 0);
  // The account does not slow down too much either: all windows of a lane except the last are nearly full.
  if (used < 0.7 * 2 * LIMIT * Math.floor(time / WINDOW))
    breaches.push({ kind: 'other', words: `only ${used} in ${time} ms: ${stderr}` });
  if (code !== 0) breaches.push({ kind: 'exit code', words: `${code}: ${stderr}` });
  const figures = { calls: calls.length, milliseconds: Math.round(time) };
  prove('a quota in each window of a run', { figures, breaches }, { calls: count, milliseconds: RUN * 0.6 });
}, 180_000);
