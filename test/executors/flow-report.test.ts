/* Atoms in the output of task-exec --flow: their times in reports, their progress in events. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AtomTimes } from '../../src/core/base/atom-times.ts';
import { task } from '../../src/flow/index.ts';
import { exec, flow, linear, type Report, Task } from '../../src/index.ts';
import { freshFolder, sh } from '../support/run.ts';

const FLOW = `import { linear, task } from 'taskpipe/flow';
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export default linear('f').add(
  task('quick', () => 1, { revert: () => wait(3) }),
  task('slow', ({ n }, context) => { context.progress(0.25); return wait(n * 10); }, { requires: 'n' }),
  task('last', ({ n }) => { if (n === 3) throw new Error('no'); }, { requires: 'n' }),
);`;

async function reported(file: string, tasks: string): Promise<string> {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'f.mjs'), FLOW);
  await sh(`task-exec --flow f.mjs --report ${file} --events events -j 1`, { cwd, input: tasks });
  return cwd;
}

test('a JSON report has count, total, median and maximum of the calls of each atom', async () => {
  const cwd = await reported('r.json', '{"uuid":"1","n":1}\n{"uuid":"2","n":2}\n{"uuid":"3","n":3}\n');
  const { atoms = [] } = JSON.parse(readFileSync(join(cwd, 'r.json'), 'utf8')) as Report;
  expect(atoms.map(({ atom, count, failed }) => [atom, count, failed])).toEqual([
    ['slow', 3, 0],
    [expect.stringMatching(/last|quick/), 3, expect.any(Number)],
    [expect.stringMatching(/last|quick/), 3, expect.any(Number)],
  ]);
  const [slow] = atoms;
  expect(slow?.total).toBeGreaterThan(58);
  expect(slow?.median).toBeGreaterThan(18);
  expect(slow?.max).toBeGreaterThan(29);
  expect(atoms.find(({ atom }) => atom === 'last')).toMatchObject({ failed: 1 });
  expect(atoms.find(({ atom }) => atom === 'quick')?.reverts).toMatchObject({ count: 1, failed: 0 });
  expect(slow).not.toHaveProperty('reverts.total', 0);
});

test('an HTML report has a table of the atoms', async () => {
  const cwd = await reported('r.html', '{"uuid":"1","n":1}\n{"uuid":"3","n":3}\n');
  const page = readFileSync(join(cwd, 'r.html'), 'utf8');
  expect(page).toContain('<h2>Atoms of flows</h2>');
  expect(page).toMatch(/<th scope="row"><code>slow<\/code><\/th><td>2<\/td><td>0<\/td><td>\d+ ms<\/td>/);
});

test('a report of another kind of work has no atoms', async () => {
  const cwd = freshFolder();
  await sh('task-exec --command true --report r.json', { cwd, input: '{"uuid":"1","n":1}\n' });
  expect(JSON.parse(readFileSync(join(cwd, 'r.json'), 'utf8'))).not.toHaveProperty('atoms');
});

test('--events has a line for the progress of an atom', async () => {
  const cwd = await reported('r.json', '{"uuid":"u1","n":1}\n');
  const lines = readFileSync(join(cwd, 'events'), 'utf8').trim().split('\n');
  const events = lines.map((line) => JSON.parse(line)).filter(({ progress }) => progress !== undefined);
  expect(events).toEqual([
    {
      ...{ at: expect.any(String), uuid: 'u1', flow: 'f', atom: 'slow' },
      ...{ old_state: 'RUNNING', state: 'RUNNING', progress: 0.25 },
    },
  ]);
});

test('--events has the stacks of the error that failed a flow and of the one that failed its revert', async () => {
  const cwd = freshFolder();
  writeFileSync(
    join(cwd, 'f.mjs'),
    `import { linear, task } from 'taskpipe/flow';
const fail = (message, cause) => { throw new Error(message, { cause: new Error(cause) }); };
export default linear('f').add(task('a', () => fail('outer', 'inner'), { revert: () => fail('undo', 'bank') }));`,
  );
  await sh('task-exec --flow f.mjs --events events', { cwd, input: '{"uuid":"u1"}\n' });
  const lines = readFileSync(join(cwd, 'events'), 'utf8').trim().split('\n');
  const ofFlow = lines
    .map((line) => JSON.parse(line))
    .filter(({ flow, atom }) => flow === 'f' && atom === undefined);
  const failures = ofFlow.filter(({ state }) => state === 'FAILURE');
  expect(
    failures.map(({ error: { message }, stack }) => [message, /Caused by: Error: (\w+)/.exec(stack)?.[1]]),
  ).toEqual([
    ['outer: inner', 'inner'],
    ['undo: bank', 'bank'],
  ]);
});

test('the library reports the times of atoms', async () => {
  const stage = exec(await flow(linear('f').add(task('a', () => 1))));
  async function* tasks() {
    yield [new Task('u', '{"uuid":"u"}')];
  }
  const out = stage(tasks());
  for await (const _ of out);
  expect(out.report().atoms).toMatchObject([{ atom: 'a', count: 1, failed: 0 }]);
});

test('times of any number of atoms take bounded memory: those beyond 1,000 names are counted together', () => {
  const times = new AtomTimes();
  const how = { isRevert: false, isFailed: false };
  for (let n = 0; n < 50_000; n++) times.record(`${'x'.repeat(1000)}${n % 7}`, 1, how);
  for (let n = 0; n < 50_000; n++) times.record(`a${n}`, n / 1000, how);
  expect(times.times).toHaveLength(1001);
  expect(times.times.every(({ atom }) => atom.length <= 301)).toBe(true);
  expect(times.times.find(({ atom }) => atom === 'OTHER')).toMatchObject({ count: 49_001, max: 49.999 });
});

test('the median is off by at most 3 %', () => {
  const times = new AtomTimes();
  for (const ms of [0.2, 5, 1234, 60_000, 3_600_000])
    times.record('a', ms, { isRevert: false, isFailed: ms > 1e6 });
  const [a] = times.times;
  expect(a).toMatchObject({ count: 5, failed: 1, total: 3_661_239.2, max: 3_600_000 });
  expect(Math.abs((a?.median ?? 0) - 1234)).toBeLessThan(1234 * 0.04);
});
