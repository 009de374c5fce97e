/* Quotas and budgets of the further calls of a batch that failed. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Ended, ended, freshFolder, sh, start } from '../../support/run.ts';
import { until } from '../../support/until.ts';

/** A call notes its size, and fails if one of its tasks is bad. */
const MODULE = `import { appendFileSync } from 'node:fs';
export default async (tasks) => {
  appendFileSync('calls', tasks.length + '\\n');
  if (tasks.some(({ bad }) => bad)) throw new Error('bad of ' + tasks.length);
  return tasks.map(() => ({ cost: 1 }));
};
`;

function folder(): string {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'm.mjs'), MODULE);
  writeFileSync(join(cwd, 'calls'), '');
  return cwd;
}

function lines(count: number, bad: readonly number[], more: object = {}): string {
  const line = (i: number): string =>
    `${JSON.stringify({ uuid: `u${i}`, ...(bad.includes(i) && { bad: true }), ...more })}\n`;
  return Array.from({ length: count }, (_, i) => line(i)).join('');
}

const callsIn = (cwd: string): number[] =>
  readFileSync(join(cwd, 'calls'), 'utf8').split('\n').filter(Boolean).map(Number);
const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

function states(stdout: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of stdout.trim().split('\n')) {
    const { state } = JSON.parse(line).run;
    counts[state] = (counts[state] ?? 0) + 1;
  }
  return counts;
}

const lastLine = ({ stderr }: Ended): string => stderr.trim().split('\n').at(-1) as string;
const EXEC = 'task-exec --module m.mjs --batch 8';

describe('a batch', () => {
  test('is called when its tasks hold the rest of a budget, whatever --batch-wait is', async () => {
    const end = await sh(`${EXEC}0 --batch-wait 1h --cost 'usd=result.cost || \`2\`' --budget usd=20`, {
      cwd: folder(),
      input: lines(30, []),
    });
    expect(states(end.stdout)).toEqual({ SUCCESS: 19, PENDING: 11 });
    const cwd = folder();
    writeFileSync(join(cwd, 'm.mjs'), MODULE.replace('async ', '')); // without a promise, too
    const other = await sh(`${EXEC}0 --batch-wait 1h --cost 'usd=result.cost || \`2\`' --budget usd=20`, {
      cwd,
      input: lines(30, []),
    });
    expect(states(other.stdout)).toEqual({ SUCCESS: 19, PENDING: 11 });
  });
});

describe('a further call of a batch that failed', () => {
  test('is charged to a budget and to the costs as the first is', async () => {
    const cwd = folder();
    const end = await sh(`${EXEC} -j 2 --cost 'usd=\`1\`' --budget usd=1000 --budget-file spent`, {
      cwd,
      input: lines(40, [5, 17, 39]),
    });
    expect(states(end.stdout)).toEqual({ SUCCESS: 37, FAILURE: 3 });
    const spent = sum(callsIn(cwd));
    expect(spent).toBeGreaterThan(40);
    expect(lastLine(end)).toContain(`usd: ${spent} spent`);
    const claims = readFileSync(join(cwd, 'spent'), 'utf8').trim().split('\n');
    expect(JSON.parse(claims.at(-1) as string).amounts).toEqual({ usd: spent });
  });

  test('is not made if it would exceed a budget: its tasks are PENDING, and a larger budget continues', async () => {
    const cwd = folder();
    const run = (usd: number): Promise<Ended> =>
      sh(`${EXEC} -j 1 --cost 'usd=\`1\`' --budget usd=${usd} --budget-file spent`, {
        cwd,
        input: lines(8, [5]),
      });
    const poor = await run(10);
    expect(callsIn(cwd)).toEqual([8]);
    expect(states(poor.stdout)).toEqual({ PENDING: 8 });
    expect(poor.code).toBe(1);
    expect(lastLine(poor)).toContain(
      'the budget is used up (8 of 10): the next task does not fit; 8 tasks left',
    );
    const rich = await run(100);
    expect(states(rich.stdout)).toEqual({ SUCCESS: 7, FAILURE: 1 });
    expect(lastLine(rich)).toContain(`${sum(callsIn(cwd))} of 100 of the budget`);
  });

  test('waits for the refunds of running calls, even if both wait', async () => {
    const cwd = folder();
    const end = await sh(`${EXEC} -j 2 --cost 'usd=result.cost || \`3\`' --budget usd=60`, {
      cwd,
      input: lines(16, [0, 15]),
    });
    const { SUCCESS = 0, FAILURE = 0, PENDING = 0 } = states(end.stdout);
    expect(SUCCESS + FAILURE + PENDING).toBe(16);
    expect(PENDING).toBeGreaterThan(0);
    expect(end.code).toBe(1);
    expect(lastLine(end)).toContain('the budget is used up');
  });

  test('waits for a quota, and a stop ends the wait', async () => {
    const cwd = folder();
    const child = start(`exec ${EXEC} --quota requests=10/h > out`, { cwd });
    child.stdin?.end(lines(8, [5]));
    await until(() => callsIn(cwd).length > 0);
    child.kill('SIGTERM');
    const end = await ended(child);
    expect(callsIn(cwd)).toEqual([8]);
    expect(states(readFileSync(join(cwd, 'out'), 'utf8'))).toEqual({ PENDING: 8 });
    expect(end.code).toBe(143);
  });

  test('goes before tasks that have not begun, so that they cannot block it forever', async () => {
    const cwd = folder();
    const end = await sh(`${EXEC} -j 1 --quota requests=16/100ms --report report.json`, {
      cwd,
      input: lines(200, [0]),
    });
    expect(states(end.stdout)).toEqual({ SUCCESS: 199, FAILURE: 1 });
    const sizes = callsIn(cwd);
    expect(sizes.slice(1, 3)).toEqual([4, 4]);
    const { costs } = JSON.parse(readFileSync(join(cwd, 'report.json'), 'utf8'));
    expect(costs[0].spent).toBe(sum(sizes));
    expect(costs[0].quotas[0].peak).toBeLessThanOrEqual(16);
  });
});

describe('a call that failed as a whole and reports its cost', () => {
  const WORKER = `import { createInterface } from 'node:readline';
for await (const line of createInterface({ input: process.stdin })) {
  const { batch } = JSON.parse(line);
  const isBad = batch.some(({ bad }) => bad);
  const answer = isBad ? { error: 'bad', result: { used: 100 } } : { batch: batch.map(() => ({ result: { used: 1 } })) };
  console.log(JSON.stringify(answer));
}
`;
  const run = (costs: string): Promise<Ended> => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'w.mjs'), WORKER);
    const options = `-j 1 --batch 8 --budget usd=10000 --budget-file spent ${costs}`;
    return sh(`task-exec --worker 'node w.mjs' ${options} && cat spent`, { cwd, input: lines(8, [5]) });
  };

  // Calls of 8, 4, 2, 2, 1 and 1 tasks; the three with the bad task report 100 each.
  test('charges each task its share of it, not the whole', async () => {
    const end = await run("--cost 'usd=`7`' --cost usd=result.used");
    expect(lastLine(end)).toContain('usd: 307 spent');
  });

  test('charges the estimate of each task if the answer has no cost', async () => {
    const end = await run("--cost 'usd=result.other || `7`'");
    expect(lastLine(end)).toContain('usd: 126 spent');
  });
});
