import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';
import { ended, freshFolder, sh, start } from '../support/run.ts';
import { until } from '../support/until.ts';
import { type Breach, prove, trials } from './support/report.ts';

/** Number of kills, of two processes that share a budget. */
const KILLS = trials(50, 8);
const BUDGET = 100_000;

/** Each call logs its cost before it works; the estimate is 10. */
const MODULE = `
import { appendFileSync } from 'node:fs';
export default async ({ cost }) => {
  appendFileSync('calls', cost + '\\n');
  await new Promise((resolve) => setTimeout(resolve, 5 + 10 * Math.random()));
  return { cost };
};
`;
const OPTIONS = `--module m.mjs -j 10 --cost 'usd=result.cost || \`10\`' --budget-file spent`;

/** Returns the sum of the latest claims of all processes, read without the code under test. */
function spentIn(cwd: string): number {
  const latest = new Map<string, number>();
  for (const line of readFileSync(join(cwd, 'spent'), 'utf8').split('\n')) {
    if (!line.startsWith('{"by"') || !line.endsWith('}')) continue;
    const { by, amounts } = JSON.parse(line) as { by: string; amounts: { usd: number } };
    latest.set(by, amounts.usd);
  }
  return [...latest.values()].reduce((sum, one) => sum + one, 0);
}

function calledIn(cwd: string): number[] {
  return readFileSync(join(cwd, 'calls'), 'utf8').trim().split('\n').map(Number);
}

test('the spending of killed processes is never forgotten, and the budget holds in all runs together', async () => {
  const cwd = freshFolder();
  const breaches: Breach[] = [];
  const input = Array.from({ length: 5000 }, (_, i) => JSON.stringify({ uuid: `u${i}`, cost: 1 + (i % 10) }));
  await sh('cat > m.mjs; touch calls', { cwd, input: MODULE });
  const run = (budget: number): ReturnType<typeof start> => {
    const child = start(`exec task-exec ${OPTIONS} --budget usd=${budget} > /dev/null`, { cwd });
    child.stdin?.on('error', () => {});
    child.stdin?.end(`${input.join('\n')}\n`);
    return child;
  };
  let kills = 0;
  for (let round = 0; kills < KILLS; round++) {
    const before = calledIn(cwd).length;
    const children = [run(BUDGET), run(BUDGET)];
    await until(() => calledIn(cwd).length > before + 20 + ((round * 13) % 60));
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(children.map(ended));
    kills += children.length;
    const called = calledIn(cwd).reduce((sum, cost) => sum + cost, 0);
    const spent = spentIn(cwd);
    if (spent < called)
      breaches.push({ kind: 'lost', words: `${spent} are in the file, ${called} were spent` });
    // Killed attempts count with their estimates, and so do those that were claimed ahead.
    if (spent > called + kills * 10 * (10 + 20) + 1000)
      breaches.push({ kind: 'other', words: `${spent} are in the file, only ${called} were spent` });
  }
  const limit = Math.ceil(spentIn(cwd)) + 500;
  const last = await Promise.all([run(limit), run(limit)].map(ended));
  for (const { code, stderr } of last)
    if (code !== 1 || !/the budget is used up/.test(stderr))
      breaches.push({ kind: 'exit code', words: `${code}: ${stderr}` });
  const called = calledIn(cwd).reduce((sum, cost) => sum + cost, 0);
  if (called > limit || spentIn(cwd) > limit)
    breaches.push({ kind: 'other', words: `${called} of ${limit}` });
  const figures = { kills, calls: calledIn(cwd).length };
  prove('two processes with one budget killed', { figures, breaches }, { kills: KILLS });
}, 300_000);
