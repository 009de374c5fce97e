import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hasLines, parsed, startPipeline } from '../../pipes/pipeline.ts';
import { freshFolder, sh } from '../../support/run.ts';
import { until } from '../../support/until.ts';

const records = (count: number): string =>
  Array.from({ length: count }, (_, i) => `{"uuid":"u${i}","n":${i}}\n`).join('');

/** Runs a module over records with `n` from 0. Returns the rows by their `n`. */
async function run(code: string, options: string, input = records(10), cwd = freshFolder()) {
  writeFileSync(join(cwd, 'work.mjs'), code);
  const ended = await sh(`task-exec --module work.mjs --backoff 1ms..2ms ${options}`, { cwd, input });
  const rows = parsed(ended.stdout).sort((a, b) => Number(a.n) - Number(b.n));
  const errors = rows.map(({ run }) => Object(run).error?.message);
  return { ...ended, rows, results: rows.map(({ result }) => result), errors };
}

const double = [0, 2, 4, 6, 8, 10, 12, 14, 16, 18];

describe('--module --batch', () => {
  test.each([
    ['an array', 'tasks.map(({ n }) => n * 2)'],
    ['an array of promises (dataloader #247)', 'tasks.map(async ({ n }) => n * 2)'],
    ['a Map by uuid', 'new Map(tasks.reverse().map(({ uuid, n }) => [uuid, n * 2]))'],
    ['an object by uuid', 'Promise.resolve(Object.fromEntries(tasks.map(({ uuid, n }) => [uuid, n * 2])))'],
  ])('takes results as %s', async (_, value) => {
    const { results, stderr } = await run(`export default (tasks) => ${value};`, '--batch 4');
    expect(results).toEqual(double);
    expect(stderr).toBe('task-exec: 10 done\n');
  });

  // dataloader #169, #55 and #41: an Error or a null of one key takes all others with it.
  test('accepts an Error for one task, and null and undefined as results', async () => {
    const code = `export default (tasks) => tasks.map(({ n }) => n === 3 ? new Error('three') : n === 4 ? null :
      n === 5 ? undefined : n === 6 ? Promise.reject(Object.assign(new Error('six'), { code: 'SIX' })) : n);`;
    const { results, rows, errors } = await run(code, '--batch 10');
    expect(results).toEqual([0, 1, 2, undefined, null, undefined, undefined, 7, 8, 9]);
    expect(errors.filter((one) => one !== undefined)).toEqual(['three', 'six']);
    expect(rows[5]?.run).toMatchObject({ state: 'SUCCESS' });
  });

  // dataloader #148 and pull request #318: too few results, and a function that throws at once.
  test('says what is wrong with other values, and does not repeat the call', async () => {
    const short = await run('export default (tasks) => tasks.slice(1);', '--batch 5');
    expect(short.errors[9]).toContain('an array of 5 items, in the order of its tasks');
    expect(short.errors[9]).toContain('it returned an array of 4');
    expect(short.stderr).toContain('10 failed (BATCH 10)');
    for (const [code, what] of [
      ['(tasks) => new Set(tasks)', 'a Set'],
      ['(tasks) => new Float64Array(tasks.length)', 'a typed array'],
      ['async function* (tasks) { yield* tasks; }', 'a generator'],
    ])
      expect((await run(`export default ${code}`, '--batch 10')).errors[0]).toContain(`it returned ${what}`);
    const some = await run("export default () => ({ u3: 'yes', other: 1 });", '--batch 10');
    expect(some.results[3]).toBe('yes');
    expect(some.errors[4]).toBe('the function returned nothing for this task of its batch');
  });

  test('refuses an array whose items show other tasks, in place of pairing them by order', async () => {
    const echo = 'export default (tasks) => tasks.map(({ uuid, n }) => ({ uuid, n }))';
    expect((await run(`${echo};`, '--batch 5')).results[7]).toEqual({ uuid: 'u7', n: 7 });
    const moved = await run(`${echo}.reverse();`, '--batch 5');
    expect(moved.errors[9]).toContain('an array of 5 items, in the order of its tasks');
    expect(moved.errors[9]).toContain('item 1 of the array has the uuid of task 5');
    expect(moved.stderr).toContain('10 failed (BATCH 10)');
  });

  test('fails the tasks of holes in an array, which was made with a length and not filled', async () => {
    const fill = 'tasks.forEach(({ n }, i) => { if (n !== 3) all[i] = n; });';
    for (const item of ['n', 'Promise.resolve(n)']) {
      const code = `export default (tasks) => { const all = new Array(tasks.length);
        ${fill.replace('= n;', `= ${item};`)} return all; };`;
      const { results, errors } = await run(code, '--batch 10');
      expect(results).toEqual([0, 1, 2, undefined, 4, 5, 6, 7, 8, 9]);
      expect(errors[3]).toBe('the function returned nothing for this task of its batch');
    }
  });

  test('treats a returned Error like a thrown one', async () => {
    const code = `export default async (tasks) => tasks.some(({ n }) => n === 6)
      ? Object.assign(new Error('no six'), { code: 'SIX' }) : tasks.map(({ n }) => n);`;
    const { errors, stderr } = await run(code, '--batch 10');
    expect(stderr).toContain('9 done, 1 failed (SIX 1)');
    expect(errors[6]).toBe('no six');
  });

  test('halves a batch whose function throws: one task fails, with its own message', async () => {
    const code = `export default async (tasks) => {
      if (tasks.some(({ n }) => n === 6)) throw new Error('no ' + tasks.map(({ n }) => n));
      return tasks.map(({ n }) => n * 2);
    };`;
    const { results, errors, stderr } = await run(code, '--batch 10');
    expect(results.filter((one) => one !== undefined)).toEqual(double.filter((one) => one !== 12));
    expect(errors[6]).toBe('no 6');
    expect(stderr).toContain('9 done, 1 failed (ERROR 1)');
  });

  test('retries single tasks, and reports the highest attempt of a batch', async () => {
    const code = `export default (tasks, { attempt }) => tasks.map(({ n }) =>
      n < 3 && attempt < 3 ? Object.assign(new Error('busy'), { retry: true }) : attempt);`;
    const { results, rows } = await run(code, '--batch 5 --batch-wait 20ms', records(5));
    expect(results).toEqual([3, 3, 3, 1, 1]);
    expect(rows.map(({ run }) => Object(run).attempts)).toEqual([3, 3, 3, 1, 1]);
  });

  test('keeps added tasks of a task that succeeds, by the parent that ctx.add names', async () => {
    const code = `export default (tasks, { add }) => tasks.map(({ uuid, n }) => {
      if (n < 3) add({ n: n + 100 }, { parent: uuid });
      return n === 1 ? new Error('no') : n;
    });`;
    const { results } = await run(code, '--batch 10');
    expect(results).toEqual([0, undefined, 2, 3, 4, 5, 6, 7, 8, 9, 100, 102]);
    const none = await run('export default (_, { add }) => add({ n: 1 });', '--batch 10', records(2));
    expect(none.errors[0]).toContain('ctx.add needs the task that adds this one');
  });

  test('calls each named function for its own tasks', async () => {
    const code = `export default (tasks) => tasks.map(() => 'usual');
      export const other = (tasks) => tasks.map(({ handler }) => handler);`;
    const input = `{"uuid":"a","n":0}\n{"uuid":"b","n":1,"handler":"other"}\n{"uuid":"c","n":2,"handler":"none"}\n`;
    const { results, errors } = await run(code, '--batch 10', input);
    expect(results).toEqual(['usual', 'other', undefined]);
    expect(errors[2]).toContain('the handler "none"');
  });

  test('ends a batch at --timeout, and calls its halves', async () => {
    const code = `export default (tasks) => tasks.some(({ n }) => n === 1) ? new Promise(() => {}) : tasks.map(({ n }) => n);`;
    const { errors, stderr } = await run(code, '--batch 4 --timeout 100ms --retries 0', records(4));
    expect(stderr).toContain('3 done, 1 failed (TIMEOUT 1)');
    expect(errors[1]).toContain('did not end within');
  });

  test.each(['--threads 2', '--log-dir logs', '--batch-lines'])('refuses %s', async (option) => {
    const { stderr, code } = await run('export default () => [];', `--batch 2 ${option}`);
    expect(code).toBe(2);
    expect(stderr).toMatch(/cannot be combined|does nothing with --module/);
  });

  test('passes tasks on as PENDING that wait for a batch at a signal, and a resumed run finishes them', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'work.mjs'), 'export default (tasks) => tasks.map(({ n }) => n);');
    writeFileSync(join(cwd, 'in.ndjson'), records(5));
    const exec = 'task-exec --module work.mjs --batch 3 --batch-wait 1h';
    const pipe = startPipeline(`(cat in.ndjson; cat) | ${exec} > out.ndjson`, { cwd });
    const written = (): string => readFileSync(join(cwd, 'out.ndjson'), 'utf8');
    await until(() => existsSync(join(cwd, 'out.ndjson')) && written().includes('"n":2'));
    process.kill(pipe.pid('task-exec'), 'SIGTERM');
    await until(() => written().match(/"PENDING"/g)?.length === 2);
    pipe.child.stdin?.end();
    await pipe.end;
    expect(written().match(/"SUCCESS"/g)?.length).toBe(3);
    const resumed = await sh(`task-exec --module work.mjs --batch 3 < out.ndjson`, { cwd });
    expect(resumed.stdout.match(/"SUCCESS"/g)?.length).toBe(5);
  });

  test('saves each task once, with its own result, through kills at random times', async () => {
    const cwd = freshFolder();
    const input = Array.from({ length: 300 }, (_, n) => `${n}\n`).join('');
    writeFileSync(join(cwd, 'in.csv'), `n\n${input}`);
    const code = `const turn = () => new Promise((resolve) => setTimeout(resolve, 3));
    export default async (tasks) => {
      await turn();
      if (tasks.length > 1 && tasks.some(({ n }) => n % 50 === 7)) throw new Error('one of them');
      return tasks.map(({ n }) => Number(n) * 2);
    };`;
    writeFileSync(join(cwd, 'work.mjs'), code);
    const exec = 'task-exec --module work.mjs -j 2 --batch 7 --batch-wait 5ms --quiet';
    const command = `task-load in.csv --quiet | ${exec} | task-save out.ndjson --quiet --flush 5`;
    const options = { cwd, env: { TASK_LEDGER: 'done.jsonl' } };
    for (const lines of [13, 60, 150]) {
      const pipe = startPipeline(command, options);
      await hasLines(cwd, 'done.jsonl', lines);
      pipe.signal('SIGKILL');
      await pipe.end;
    }
    expect(await sh(command, options)).toMatchObject({ code: 0 });
    const rows = parsed(readFileSync(join(cwd, 'out.ndjson'), 'utf8'));
    const doubles = rows.map(({ n, result }) => Number(result) - Number(n) * 2);
    expect([rows.length, new Set(rows.map(({ n }) => n)).size, Math.max(...doubles)]).toEqual([300, 300, 0]);
  });
});
