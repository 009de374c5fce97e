/* Quotas and budgets of task-exec. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { wordsOf } from '../../../src/cli/progress/progress-line.ts';
import type { CostReport } from '../../../src/reports/cost-report.ts';
import { costNote } from '../../../src/reports/cost-words.ts';
import { serve } from '../../support/http-server.ts';
import { type Ended, ended, freshFolder, sh, start } from '../../support/run.ts';
import { until } from '../../support/until.ts';

const ECHO = `export default async ({ wait = 0, real }) => {
  await new Promise((resolve) => setTimeout(resolve, wait));
  return { cost: real };
};
`;

function lines(count: number, more: (i: number) => object = () => ({})): string {
  return Array.from({ length: count }, (_, i) => `${JSON.stringify({ uuid: `u${i}`, ...more(i) })}\n`).join(
    '',
  );
}

/** Runs a module that returns the attribute `real` as cost, after `wait` milliseconds. */
function run(options: string, input: string, cwd = freshFolder()): Promise<Ended> {
  writeFileSync(join(cwd, 'm.mjs'), ECHO);
  return sh(`task-exec --module m.mjs ${options}`, { cwd, input });
}

function states({ stdout }: Ended): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of stdout.trim().split('\n')) {
    const { state } = JSON.parse(line).run;
    counts[state] = (counts[state] ?? 0) + 1;
  }
  return counts;
}

const lastLine = ({ stderr }: Ended): string => stderr.trim().split('\n').at(-1) as string;

describe('budgets', () => {
  test('a budget that would be exceeded ends the run: the rest is PENDING, and the last line has the remaining amount', async () => {
    const end = await run(
      '-j 50 --budget usd=10 --cost usd=price',
      lines(5000, () => ({ price: 1, wait: 20 })),
    );
    expect(states(end)).toEqual({ SUCCESS: 10, PENDING: 4990 });
    expect(end.code).toBe(1);
    expect(lastLine(end)).toMatch(
      /^task-exec: usd: 10 spent, .*; the budget is used up \(10 of 10\); 4,990 tasks left, about 4,990 to finish$/,
    );
  });

  test('actual costs replace estimates, so that more may start, and correct the forecast', async () => {
    const input = lines(200, () => ({ real: 1, wait: 5 }));
    const end = await run("-j 8 --budget usd=50 --cost 'usd=result.cost || `5`'", input);
    expect(states(end).SUCCESS).toBeGreaterThanOrEqual(44);
    expect(states(end).SUCCESS).toBeLessThanOrEqual(50);
    const left = 200 - (states(end).SUCCESS as number);
    expect(lastLine(end)).toContain(`${left} tasks left, about ${left} to finish`);
  });

  test('another run with the same file continues with the remaining amount, and counts interrupted attempts', async () => {
    const cwd = freshFolder();
    const options = '-j 2 --budget usd=10 --budget-file spent --cost usd=price';
    const first = await run(
      options,
      lines(4, () => ({ price: 1 })),
      cwd,
    );
    expect(lastLine(first)).toContain('4 of 10 of the budget');
    const killed = start(`exec task-exec --module m.mjs ${options} > out`, { cwd });
    killed.stdin?.end(lines(2, () => ({ price: 2, wait: 60_000 })));
    await until(() => spent(cwd) === 8);
    killed.kill('SIGKILL');
    await ended(killed);
    const last = await run(
      options,
      lines(9, () => ({ price: 1 })),
      cwd,
    );
    expect(states(last)).toEqual({ SUCCESS: 2, PENDING: 7 });
    expect(lastLine(last)).toContain('(10 of 10)');
  });

  test('attempts that a server refuses cost nothing, and failures keep their estimate', async () => {
    let refused = 0;
    const server = await serve((response, { url }) => {
      if (url.includes('busy') && refused++ < 3) response.writeHead(429, { 'retry-after': '0' }).end();
      else if (url.includes('bad')) response.writeHead(400).end();
      else response.end('{}');
    });
    const input = lines(2, (i) => ({ url: `${server.url}/${i === 0 ? 'busy' : 'bad'}` }));
    const end = await sh("task-exec --http --backoff 1ms..5ms --cost 'usd=`1`' --budget usd=2", { input });
    expect(refused).toBeGreaterThanOrEqual(3);
    expect(states(end)).toEqual({ SUCCESS: 1, FAILURE: 1 });
    expect(lastLine(end)).toContain('2 of 2 of the budget');
  });

  test('the forecast includes the retries that tasks needed so far', async () => {
    const cwd = freshFolder();
    const module = `export default (_, { attempt }) => {
  if (attempt < 2) throw Object.assign(new Error('again'), { retry: true });
};`;
    writeFileSync(join(cwd, 'r.mjs'), module);
    const options = '-j 1 --backoff 1ms..1ms --budget usd=20 --cost usd=price';
    const end = await sh(`task-exec --module r.mjs ${options}`, {
      cwd,
      input: lines(30, () => ({ price: 1 })),
    });
    const { SUCCESS = 0, PENDING = 0 } = states(end);
    const left = Number(/about ([\d.]+) to finish/.exec(lastLine(end))?.[1]);
    expect(SUCCESS).toBeGreaterThan(0); // how many depends on whether first attempts or retries are due earlier
    expect(left / PENDING).toBeCloseTo(20 / SUCCESS, 2);
  });

  test('a task that costs more than a whole limit fails with COST, and does not hold up the others', async () => {
    const input = lines(20, (i) => ({ price: i === 3 ? 10.5 : i === 5 ? 10 : 0 }));
    const end = await run('--budget usd=10 --cost usd=price', input);
    expect(states(end)).toEqual({ SUCCESS: 19, FAILURE: 1 });
    expect(end.stderr).toContain(
      'COST, as in u3: --cost usd gives 10.5, more than the whole --budget usd=10, so the task can never start',
    );
    const rounded = await run(
      '--budget usd=0.3 --cost usd=price',
      lines(1, () => ({ price: 0.1 + 0.2 })),
    );
    expect(states(rounded)).toEqual({ SUCCESS: 1 });
    const huge = lines(20, (i) => ({ price: i === 3 ? 1e300 : 1 }));
    const limited = await run('--quota tokens=100/100ms --cost tokens=price', huge);
    expect(states(limited)).toEqual({ SUCCESS: 19, FAILURE: 1 });
    expect(limited.stderr).toContain('gives 1e+300, more than 1,000 times --quota tokens=100 in 100 ms');
  });

  test('the last line names the budget that ended the run, and the others as they are', async () => {
    const input = lines(20, () => ({ price: 4 }));
    const end = await run('-j 1 --budget usd=10 --cost usd=price --budget requests=1000', input);
    expect(states(end)).toEqual({ SUCCESS: 2, PENDING: 18 });
    expect(end.stderr).toContain(
      'the budget is used up (8 of 10): the next task does not fit; 18 tasks left',
    );
    expect(end.stderr).toContain('2 of 1,000 of the budget');
  });

  test('a file that is not a budget is refused and stays as it is', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'a.csv'), 'url\nhttp://h/\n');
    const end = await run('--budget usd=1 --budget-file a.csv --cost usd=price', '', cwd);
    expect(end.code).toBe(65);
    expect(end.stderr).toContain('a.csv is not a budget');
    expect(readFileSync(join(cwd, 'a.csv'), 'utf8')).toBe('url\nhttp://h/\n');
  });

  test('a file of a later version, and claims that are not amounts, are refused: the sum would be too low', async () => {
    const cwd = freshFolder();
    const open = (text: string): Promise<Ended> => {
      writeFileSync(join(cwd, 'spent'), text);
      return run('--budget usd=1 --budget-file spent --cost usd=price', '', cwd);
    };
    const later = await open('\n{"taskpipe":"budget","version":2}\n');
    expect([later.code, later.stderr]).toEqual([
      65,
      expect.stringContaining('is of version 2, which a later'),
    ]);
    for (const amount of ['-5', '"12"', 'true', '[1]']) {
      const wrong = await open(
        `{"taskpipe":"budget","version":1}\n{"by":"a","claim":1,"amounts":{"usd":${amount}}}\n`,
      );
      expect([wrong.code, wrong.stderr]).toEqual([65, expect.stringContaining(`a claim has ${amount} usd`)]);
    }
    const options = "--budget usd=9 --budget-file other --cost 'usd=`1`'";
    const infinite = await run(
      `${options} --cost usd=result.cost`,
      lines(3, () => ({ real: 1e308 })),
      cwd,
    );
    expect(states(infinite)).toEqual({ SUCCESS: 3 });
    expect((await run(options, lines(1), cwd)).stderr).toContain('the budget is used up');
  });

  test('records that failed before, and dry runs, cost nothing', async () => {
    const failed = {
      run: { state: 'FAILURE', as: 'result', attempts: 1, at: '2026-01-01T00:00:00Z', ms: 1 },
    };
    const end = await run(
      '--budget usd=2 --cost usd=price',
      lines(9, (i) => ({ price: 1, ...(i < 7 && failed) })),
    );
    expect(states(end)).toEqual({ FAILURE: 7, SUCCESS: 2 });
    const dry = await run(
      '--dry-run --budget usd=1 --cost usd=price',
      lines(3, () => ({ price: 1 })),
    );
    expect(dry.stderr).toContain('usd: 0 spent');
  });
});

/** Returns the sum of the latest claims in the file of a budget. */
function spent(cwd: string): number {
  const claims = new Map<string, number>();
  for (const line of readFileSync(join(cwd, 'spent'), 'utf8').split('\n'))
    if (line.startsWith('{"by"')) claims.set(JSON.parse(line).by, JSON.parse(line).amounts.usd);
  return [...claims.values()].reduce((sum, one) => sum + one, 0);
}

describe('quotas', () => {
  test('a lane that has used up its quota does not hold up another one', async () => {
    const input = lines(40, (i) => ({ model: i < 39 ? 'slow' : 'fast', tokens: 10 }));
    const end = await run("-j 4 --lane '{model}' --quota tokens=100/600ms --cost tokens=tokens", input);
    const order = end.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).model);
    expect(order.indexOf('fast')).toBeLessThan(12);
    expect(end.code).toBe(0);
  });

  test('a limit of one task in a window lets one through in each', async () => {
    const before = performance.now();
    const end = await run('-j 4 --quota requests=1/300ms', lines(4));
    expect(states(end)).toEqual({ SUCCESS: 4 });
    expect(performance.now() - before).toBeGreaterThan(900);
  });

  test('a wait of a minute or more is named once, with its limit and its end', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'm.mjs'), ECHO);
    for (const name of ['out', 'err']) writeFileSync(join(cwd, name), '');
    const options = "--lane '{lane}' --quota requests=20/s --quota requests=2/h";
    const child = start(`exec task-exec --module m.mjs ${options} > out 2> err`, { cwd });
    child.stdin?.end(lines(12, (i) => ({ lane: i % 3 === 0 ? 'a' : 'b' })));
    const words = (): string => readFileSync(join(cwd, 'err'), 'utf8');
    const done = (): string[] => readFileSync(join(cwd, 'out'), 'utf8').match(/"SUCCESS"/g) ?? [];
    await until(() => words().includes('waiting for') && done().length === 4);
    child.kill('SIGTERM');
    await ended(child);
    const said = words().match(/waiting for .*/g);
    expect(said).toEqual([
      expect.stringMatching(
        /^waiting for --quota requests=2\/h \([ab]\): the next task starts in (1 h|59 min \d+ s), at [\d-]+T[\d:]+Z, /,
      ),
    ]);
  });

  test('a task that costs more than the whole quota runs alone, and does not block others forever', async () => {
    const end = await run(
      '-j 4 --quota tokens=10/100ms --cost tokens=n',
      lines(6, (i) => ({ n: i === 2 ? 30 : 5 })),
    );
    expect(states(end)).toEqual({ SUCCESS: 6 });
  });

  test('a record without an estimate fails with COST, and numbers in text count', async () => {
    const end = await run(
      "--quota tokens=100/s --cost 'tokens=n'",
      lines(3, (i) => [{ n: '7' }, {}, { n: -1 }][i] as object),
    );
    expect(states(end)).toEqual({ SUCCESS: 1, FAILURE: 2 });
    expect(end.stderr).toContain('COST, as in u1: --cost tokens gives no number of at least 0');
    expect(end.stderr).toContain('add an estimate: EXPR || `100`; it gives null');
    expect(end.stderr).toContain('tokens: 7 spent');
  });

  test('the result of an earlier stage is not mistaken for the actual cost', async () => {
    const end = await run(
      "--cost 'tokens=result.cost' --cost 'tokens=`3`'",
      lines(2, () => ({ result: { cost: 99 }, real: 4 })),
    );
    expect(lastLine(end)).toContain('tokens: 8 spent');
  });

  test('an estimate may follow the actual cost', async () => {
    const end = await run(
      "--as out --cost 'tokens=out.cost' --cost 'tokens=`3`'",
      lines(2, (i) => (i === 0 ? { real: 4 } : {})),
    );
    expect(lastLine(end)).toContain('tokens: 7 spent');
  });

  test('incomplete options are rejected with what to type', async () => {
    const said = async (options: string): Promise<string> => (await run(options, '')).stderr;
    expect(await said('--quota tokens=5/s')).toContain("give --cost 'tokens=EXPR'");
    expect(await said('--quota tokens=5')).toContain('must be a name and a rate, as in tokens=250000/m');
    expect(await said('--budget usd=0')).toContain('must be a name and an amount above 0, as in usd=120');
    expect(await said("--cost 'usd=length('")).toContain('--cost usd must be a JMESPath expression');
    for (const wrong of ['len(a)', 'a || length(a, b)'])
      expect(await said(`--cost 'usd=${wrong}'`)).toMatch(
        /--cost usd must be .*(Unknown function|Invalid arity)/,
      );
    expect(await said('--budget-file b')).toContain("--budget-file needs --budget, as in --budget 'usd=120'");
    expect(await said('--lane model')).toContain('must have an attribute in braces, as in {model}');
  });

  test('the report has the costs by lane, the rate against each quota and the forecast', async () => {
    const cwd = freshFolder();
    const input = lines(30, (i) => ({ model: i % 3 === 0 ? 'a' : 'b', n: 2 }));
    const options = "--lane '{model}' --quota tokens=1000/s --cost tokens=n --budget tokens=40";
    await run(`${options} --report r.json -j 1`, input, cwd);
    const { outcome, costs } = JSON.parse(readFileSync(join(cwd, 'r.json'), 'utf8'));
    expect(outcome).toBe('budget');
    expect(costs[0]).toMatchObject({
      ...{ name: 'tokens', spent: 40, mean: 2 },
      quotas: [{ amount: 1000, per: 1000 }],
      budget: { amount: 40, spent: 40, isReached: true },
      left: { tasks: 10, cost: 20 },
    });
    expect(costs[0].lanes.map(({ lane }: { lane: string }) => lane).sort()).toEqual(['a', 'b']);
    await run(`${options} --report r.html`, input, cwd);
    expect(readFileSync(join(cwd, 'r.html'), 'utf8')).toContain('Costs in tokens by lane');
  });
});

test('progress has the costs, the rate against the quota, and what all tasks will cost', () => {
  const cost: CostReport = {
    ...{ name: 'usd', spent: 10, perSecond: 0.5, mean: 1, lanes: [] },
    quotas: [{ amount: 100, per: 3_600_000, peak: 50 }],
    budget: { amount: 120, spent: 30, isReached: false },
  };
  const progress = {
    through: 10,
    counts: [{ count: 10, words: 'done' }],
    notes: (share?: number) => [costNote(cost, 0.5, share)],
  };
  const words = wordsOf({ progress, speed: { rate: 2, stall: undefined }, total: 40 });
  expect(words).toBe('10 done, 25% of 40, 2/s, 15s left, usd 30 of 120, 30/min, 50% of 100/h, 40 in all');
});
