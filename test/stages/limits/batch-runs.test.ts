/*
 * Batches with quotas, budgets, retries, a stop and a kill: every task ends once, and the spending is not forgotten.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Ended, ended, freshFolder, sh, start } from '../../support/run.ts';
import { until } from '../../support/until.ts';

/** A call logs its cost before it works: the estimate is 3 for each task, and most cost less. */
const MODULE = `import { appendFileSync } from 'node:fs';
const tried = new Set();
let calls = 0;
export default async (tasks) => {
  appendFileSync('calls', tasks.map(({ cost }) => cost).join('+') + '\\n');
  await new Promise((resolve) => setTimeout(resolve, (calls++ * 7) % 5));
  if (calls % 9 === 0) throw Object.assign(new Error('busy'), { retry: true });
  if (tasks.some(({ kind }) => kind === 'poison')) throw new Error('poison in ' + tasks.map(({ uuid }) => uuid));
  return tasks.map(({ uuid, n, cost, kind }) => {
    if (kind === 'bad') return new Error('bad ' + uuid);
    if (kind !== 'shy' || tried.has(uuid)) return { n, cost };
    tried.add(uuid);
    return Object.assign(new Error('shy'), { retry: true });
  });
};
`;

interface Row {
  readonly uuid: string;
  readonly n: number;
  readonly kind?: string;
  readonly result?: { readonly n: number };
  readonly run: { readonly state: string; readonly error?: { readonly message: string } };
}

/** Returns the records of an output; a kill may have cut the last one short. */
function rowsOf(path: string): Row[] {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Row);
}

/** Returns the sum of the latest claims of all processes, read without the code under test. */
function spentIn(cwd: string): number {
  const latest = new Map<string, number>();
  if (!existsSync(join(cwd, 'spent'))) return 0;
  for (const line of readFileSync(join(cwd, 'spent'), 'utf8').split('\n')) {
    if (line.startsWith('{"by"') && line.endsWith('}'))
      latest.set(JSON.parse(line).by, JSON.parse(line).amounts.usd);
  }
  return [...latest.values()].reduce((sum, one) => sum + one, 0);
}

const callsIn = (cwd: string): number[] =>
  readFileSync(join(cwd, 'calls'), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((costs) => costs.split('+').reduce((sum, one) => sum + Number(one), 0));
const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

/** Checks that a record has the state and the result or the message of its own task. */
function check({ uuid, n, kind, result, run: { state, error } }: Row): void {
  if (state === 'PENDING') return;
  // Retries may have been used up while the server was busy.
  if (error?.message === 'busy' || (kind === 'shy' && error?.message === 'shy'))
    expect(state).toBe('FAILURE');
  else if (kind === 'bad') expect([state, error?.message]).toEqual(['FAILURE', `bad ${uuid}`]);
  else if (kind === 'poison') expect([state, error?.message]).toEqual(['FAILURE', `poison in ${uuid}`]);
  else expect([state, result?.n, error?.message]).toEqual(['SUCCESS', n, undefined]);
}

const scenario = fc.record({
  count: fc.integer({ min: 30, max: 250 }),
  batch: fc.integer({ min: 2, max: 20 }),
  jobs: fc.integer({ min: 1, max: 4 }),
  quota: fc.integer({ min: 20, max: 100 }),
  kinds: fc.array(
    fc.constantFrom('poison', 'bad', 'shy', 'shy', undefined, undefined, undefined, undefined),
    {
      minLength: 11,
      maxLength: 40,
    },
  ),
  stopAfter: fc.integer({ min: 1, max: 5 }),
  killAfter: fc.integer({ min: 1, max: 8 }),
  part: fc.integer({ min: 10, max: 90 }),
});

test('every task ends as exactly one record, and the budget holds over a stop, a kill and resumed runs', async () => {
  const ends = new Map<string, number>();
  const property = fc.asyncProperty(scenario, async (of) => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'm.mjs'), MODULE);
    writeFileSync(join(cwd, 'calls'), '');
    const input = Array.from({ length: of.count }, (_, n) => {
      const kind = of.kinds[n % of.kinds.length];
      return { uuid: `u${n}`, n, cost: 1 + (n % 3), ...(kind !== undefined && { kind }) };
    });
    const done = new Map<string, Row>();
    const command = (usd: number): string =>
      `exec task-exec --module m.mjs --batch ${of.batch} -j ${of.jobs} --batch-wait 20ms --retries 3 --backoff 1ms..5ms \
        --quota requests=${of.quota}/100ms --budget usd=${usd} --budget-file spent \
        --cost 'usd=result.cost || \`3\`' < in > out`;
    /** Runs the rest, and checks the output. */
    const run = async (
      usd: number,
      interrupt?: { signal: NodeJS.Signals; after: number },
    ): Promise<Ended> => {
      const left = input.filter(({ uuid }) => !done.has(uuid));
      writeFileSync(join(cwd, 'in'), left.map((row) => `${JSON.stringify(row)}\n`).join(''));
      const child = start(command(usd), { cwd });
      const ending = ended(child); // it may end before the interrupt
      if (interrupt !== undefined) {
        const before = callsIn(cwd).length;
        await until(() => child.exitCode !== null || callsIn(cwd).length >= before + interrupt.after);
        child.kill(interrupt.signal);
      }
      const end = await ending;
      const rows = rowsOf(join(cwd, 'out'));
      expect(new Set(rows.map(({ uuid }) => uuid)).size).toBe(rows.length);
      if (end.signal === null && interrupt === undefined) expect(rows.length).toBe(left.length);
      for (const row of rows) {
        check(row);
        expect(done.has(row.uuid)).toBe(false);
        if (row.run.state !== 'PENDING') done.set(row.uuid, row);
      }
      expect(spentIn(cwd)).toBeGreaterThanOrEqual(sum(callsIn(cwd)));
      if (end.signal === null) expect(spentIn(cwd)).toBeLessThanOrEqual(usd);
      const kind = end.signal ?? String(end.code);
      ends.set(kind, (ends.get(kind) ?? 0) + 1);
      return end;
    };
    await run(1e6, { signal: 'SIGTERM', after: of.stopAfter });
    await run(1e6, { signal: 'SIGKILL', after: of.killAfter });
    const left = of.count - done.size;
    const poor = await run(spentIn(cwd) + Math.ceil((left * 3 * of.part) / 100));
    const isOver = poor.stderr.includes('the budget is used up');
    expect(isOver).toBe(done.size < of.count);
    const before = { calls: sum(callsIn(cwd)), spent: spentIn(cwd) };
    await run(1e6);
    expect([...done.keys()].sort()).toEqual(input.map(({ uuid }) => uuid).sort());
    // An uninterrupted call costs the amount that it reports, or its estimate if it failed.
    expect(spentIn(cwd) - before.spent).toBeLessThanOrEqual(3 * (sum(callsIn(cwd)) - before.calls));
  });
  await fc.assert(property, { numRuns: 7, seed: 20, endOnFailure: true });
  expect([...ends.keys()]).toEqual(expect.arrayContaining(['143', 'SIGKILL', '1']));
}, 110_000);

test('a poison record among 10,000 costs at most 2·log2(100) more calls, which are paid for', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'm.mjs'), MODULE.replace('calls % 9 === 0', 'false'));
  const line = (n: number): string =>
    `${JSON.stringify({ uuid: `u${n}`, n, cost: 1, ...(n === 4567 && { kind: 'poison' }) })}\n`;
  const end = await sh(
    'task-exec --module m.mjs --batch 100 --batch-wait 30s -j 4 --quota requests=1000000/s --cost "usd=\\`1\\`" --budget usd=20000 > out',
    { cwd, input: Array.from({ length: 10_000 }, (_, n) => line(n)).join('') },
  );
  expect(end.stderr).toContain('9,999 done');
  const rows = rowsOf(join(cwd, 'out'));
  for (const row of rows) check(row);
  expect(rows.filter(({ run }) => run.state === 'SUCCESS')).toHaveLength(9999);
  expect(rows.filter(({ run }) => run.state === 'FAILURE')).toHaveLength(1);
  const calls = callsIn(cwd);
  expect(calls.length - 100).toBeLessThanOrEqual(Math.floor(2 * Math.log2(100)));
  expect(calls.length).toBeGreaterThan(100);
  expect(end.stderr).toContain(`usd: ${sum(calls).toLocaleString('en-US')} spent`);
}, 60_000);
