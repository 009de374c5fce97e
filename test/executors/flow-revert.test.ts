/* task-exec --flow --revert: whole flows of tasks that failed in a later stage. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { task } from '../../src/flow/index.ts';
import { exec, flow, linear, Task } from '../../src/index.ts';
import { freshFolder, sh } from '../support/run.ts';

interface Outcome {
  readonly uuid: string;
  readonly result?: unknown;
  readonly run: {
    readonly state: string;
    readonly error?: { readonly code: string; readonly message: string };
  };
}

/** Stage that fails every task, or those that a jq condition selects. */
const LATER = (condition: string): string =>
  `jq -c 'if ${condition} then .run = {state: "FAILURE", as: "later", attempts: 1, at: "2026-01-31T00:00:00.000Z", ms: 1, error: {code: "HTTP_STATUS", message: "500"}} else . end'`;

/** Makes a folder with a flow whose atoms log their actions in the file `done`. */
function folderWith(atoms: string): string {
  const cwd = freshFolder();
  const source = `import { appendFileSync } from 'node:fs';
import { graph, linear, task, times } from 'taskpipe/flow';
const say = (line) => appendFileSync('done', line + '\\n');
const atom = (name, more = {}, value = name + '!') => task(name, ({ uuid }) => { say('do ' + name); return value; }, {
  revert: (inputs, { result }) => say('undo ' + name + ' ' + JSON.stringify(result)), ...more });
${atoms}`;
  writeFileSync(join(cwd, 'f.mjs'), source);
  return cwd;
}

const doneIn = (cwd: string): string[] => readFileSync(join(cwd, 'done'), 'utf8').trim().split('\n');

async function piped(cwd: string, command: string, input: string) {
  const { stdout, stderr, code } = await sh(command, { cwd, input });
  const records = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Outcome => JSON.parse(line));
  return { records, stdout, stderr, code };
}

const NAMED = `export default linear('f').add(atom('a', { provides: 'x' }), atom('b', { provides: 'y' }, { n: 1 }));`;

describe('without a log', () => {
  test('the atoms are reverted in reverse order, with their results from the record', async () => {
    const cwd = folderWith(NAMED);
    const input = '{"uuid":"u1"}\n{"uuid":"u2"}\n';
    const command = `task-exec --flow f.mjs | ${LATER('.uuid == "u1"')} | task-exec --flow f.mjs --revert --keep-order`;
    const { records, code } = await piped(cwd, command, input);
    expect(records.map(({ uuid, result, run }) => [uuid, result, run.state, run.error])).toEqual([
      ['u1', { x: 'a!', y: { n: 1 } }, 'REVERTED', { code: 'HTTP_STATUS', message: '500' }],
      ['u2', { x: 'a!', y: { n: 1 } }, 'SUCCESS', undefined],
    ]);
    expect(doneIn(cwd).slice(4)).toEqual(['undo b {"n":1}', 'undo a "a!"']);
    expect(code).toBe(0);
  });

  test('a flow whose results are not in the record is refused at the start, with what is needed', async () => {
    const cwd = folderWith(`export default linear('f').add(atom('a'), atom('b', { provides: ['y', 'z'] }));`);
    const { code, stderr, stdout } = await piped(cwd, 'task-exec --flow f.mjs --revert', '{"uuid":"u1"}\n');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(
      'a record does not have the result of "a", "b"; give the --flow-log that the flow ran with, or give each result its own name with provides',
    );
  });

  test('a flow without reverts is refused', async () => {
    const cwd = folderWith(`export default linear('f').add(task('a', () => 1));`);
    const { code, stderr } = await piped(cwd, 'task-exec --flow f.mjs --revert', '');
    expect(code).toBe(2);
    expect(stderr).toContain('--revert needs a flow with reverts; no atom of "f" has one');
  });

  test('a record without the result of the flow fails with that reason, and is reverted once it has it', async () => {
    const cwd = folderWith(NAMED);
    const failed =
      '{"uuid":"u1","run":{"state":"FAILURE","as":"later","error":{"code":"C","message":"m"}},"result":1}\n';
    const { records, code, stdout } = await piped(cwd, 'task-exec --flow f.mjs --revert', failed);
    expect(records[0]?.run).toMatchObject({ state: 'REVERT_FAILURE', error: { code: 'NO_RESULTS' } });
    const hint = 'give the --flow-log that it ran with, or the --as of its result';
    expect(records[0]?.run.error?.message).toContain(`its "result" is not the result of a flow; ${hint}`);
    expect(code).toBe(1);
    const half = await piped(cwd, 'task-exec --flow f.mjs --revert', failed.replace('1}', '{"x":1}}'));
    expect(half.records[0]?.run.error?.message).toContain(`its "result" has no "y"; ${hint}`);
    const mended = stdout.replace('"result":1', '"result":{"x":"p","y":"q"}');
    const later = await piped(cwd, 'task-exec --flow f.mjs --revert', mended);
    expect(later.records[0]?.run.state).toBe('REVERTED');
    expect(doneIn(cwd)).toEqual(['undo b "q"', 'undo a "p"']);
  });

  test('atoms that a decider left out are not reverted', async () => {
    const cwd = folderWith(`const [a, b, c] = ['a', 'b', 'c'].map((name) => atom(name, { provides: name }));
export default graph('f').add(a, b, c).link(a, b, { decider: () => false, depth: 'ATOM' }).link(b, c);`);
    const command = `task-exec --flow f.mjs | ${LATER('true')} | task-exec --flow f.mjs --revert`;
    const { records } = await piped(cwd, command, '{"uuid":"u1"}\n');
    expect(records[0]?.run.state).toBe('REVERTED');
    expect(doneIn(cwd)).toEqual(['do a', 'do c', 'undo c "c!"', 'undo a "a!"']);
    const other = '{"uuid":"u2","run":{"state":"FAILURE","as":"later"},"result":{"status":200}}\n';
    const wrong = await piped(cwd, 'task-exec --flow f.mjs --revert', other);
    expect(wrong.records[0]?.run.error?.message).toContain('its "result" has no value of the flow');
  });
});

test('a flow that reverted itself, or did not begin, is not reverted again', async () => {
  const cwd = folderWith(`export default linear('f').add(atom('a', { provides: 'x', requires: 'n' }),
  task('b', () => { throw new Error('no'); }));`);
  const command = 'task-exec --flow f.mjs --keep-order | task-exec --flow f.mjs --revert --keep-order';
  const { records } = await piped(cwd, command, '{"uuid":"u1","n":1}\n{"uuid":"u2"}\n');
  expect(records.map(({ run }) => [run.state, run.error?.code])).toEqual([
    ['REVERTED', 'ERROR'],
    ['REVERTED', 'INPUT'],
  ]);
  expect(doneIn(cwd)).toEqual(['do a', 'undo a "a!"']);
});

test('a revert that fails makes the record REVERT_FAILURE, with both reasons', async () => {
  const cwd = folderWith(`const revert = () => { throw new Error('bank is closed'); };
export default linear('f').add(atom('a', { provides: 'x', revert }), atom('b', { provides: 'y' }));`);
  const command = `task-exec --flow f.mjs | ${LATER('true')} | task-exec --flow f.mjs --revert`;
  const { records, code } = await piped(cwd, command, '{"uuid":"u1"}\n');
  expect(records[0]?.run).toMatchObject({ state: 'REVERT_FAILURE', error: { code: 'ERROR' } });
  expect(records[0]?.run.error?.message).toMatch(
    /"a" could not be reverted: bank is closed.*HTTP_STATUS: 500/,
  );
  expect(code).toBe(1);
});

describe('with the log of the run', () => {
  const ANY = `export default graph('f').add(atom('a'), atom('b', { provides: ['y', 'z'] }, [1, 2]), atom('c', {}, null), atom('d'))
  .link('a', 'b').link('b', 'c').link('c', 'd', { decider: () => false });`;

  test('results are read from it, whatever the atoms provide', async () => {
    const cwd = folderWith(ANY);
    const run = 'task-exec --flow f.mjs --flow-log l';
    const first = await piped(cwd, `${run} | ${LATER('true')}`, '{"uuid":"u1"}\n{"uuid":"u2"}\n');
    expect(readFileSync(join(cwd, 'l'), 'utf8')).toContain('"atoms":{');
    const { records, code } = await piped(cwd, `${run} --revert`, first.stdout.split('\n')[0] ?? '');
    expect(records.map(({ run: { state } }) => state)).toEqual(['REVERTED']);
    expect(doneIn(cwd).slice(-3)).toEqual(['undo c null', 'undo b [1,2]', 'undo a "a!"']);
    expect(code).toBe(0);
  });

  test('a flow is reverted once, also in later runs, and runs again after that', async () => {
    const cwd = folderWith(ANY);
    const run = 'task-exec --flow f.mjs --flow-log l';
    const { stdout } = await piped(cwd, `${run} | ${LATER('true')}`, '{"uuid":"u1"}\n');
    for (const _ of ['first', 'second']) {
      const { records } = await piped(cwd, `${run} --revert`, stdout + stdout);
      expect(records.map(({ run: { state } }) => state)).toEqual(['REVERTED', 'REVERTED']);
    }
    expect(doneIn(cwd).filter((line) => line.startsWith('undo'))).toHaveLength(3);
    await piped(cwd, run, '{"uuid":"u1"}\n');
    expect(doneIn(cwd).slice(6)).toEqual(['do a', 'do b', 'do c']);
  });

  test('a task that the log does not have is not reverted, and the message says what to pass', async () => {
    const cwd = folderWith(ANY);
    const failed = '{"uuid":"u9","run":{"state":"FAILURE","as":"later"},"result":{"y":1,"z":2}}\n';
    const { records, stderr } = await piped(cwd, 'task-exec --flow f.mjs --flow-log l --revert', failed);
    expect(records[0]?.run).toMatchObject({ state: 'REVERT_FAILURE', error: { code: 'NO_RESULTS' } });
    expect(stderr).toContain('the flow log has no run of "f" for it; give the --flow-log that it ran with');
  });

  test('a revert that was killed continues where it stopped', async () => {
    const cwd = folderWith(`const revert = (inputs, { result }, { isRepeated }) => {
  say('undo b ' + result + ' ' + isRepeated);
  if (!isRepeated) process.kill(process.pid, 'SIGKILL');
};
export default linear('f').add(atom('a'), atom('b', { revert }), atom('c'));`);
    const run = 'task-exec --flow f.mjs --flow-log l';
    const { stdout } = await piped(cwd, `${run} | ${LATER('true')}`, '{"uuid":"u1"}\n');
    expect(await piped(cwd, `${run} --revert`, stdout)).toMatchObject({ code: null, stdout: '' });
    const { records, stderr } = await piped(cwd, `${run} --revert`, stdout);
    expect(records[0]?.run.state).toBe('REVERTED');
    expect(stderr).toContain('u1: "b" was being reverted when the process ended; it is reverted again');
    const undone = doneIn(cwd).filter((line) => line.startsWith('undo'));
    expect(undone).toEqual(['undo c "c!"', 'undo b b! false', 'undo b b! true', 'undo a "a!"']);
  });
});

test('the library reverts flows, too', async () => {
  const undone: unknown[] = [];
  const revert = (_: object, { result }: { result: unknown }): unknown => undone.push(result);
  const made = linear('f').add(task('a', () => 1, { provides: 'x', revert }));
  const failed = '{"uuid":"u","flow":{"x":7},"run":{"state":"FAILURE","as":"later"}}';
  const stage = exec(await flow(made, { revert: true, as: 'flow' }), { revert: true, as: 'flow' });
  async function* tasks() {
    yield [new Task('u', failed)];
  }
  for await (const [out] of stage(tasks())) expect(out?.line).toContain('"state":"REVERTED"');
  expect(undone).toEqual([7]);
});
