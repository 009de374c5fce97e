/* Ends of workers: of their input, of the stage, and by signals. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshFolder, sh, start } from '../../support/run.ts';
import { until } from '../../support/until.ts';
import { exec, isAlive, numbered, pidsIn } from '../programs.ts';

const node = process.execPath;

/** Writes a JavaScript worker and returns its folder. */
function folderWith(lines: string): string {
  const cwd = freshFolder();
  writeFileSync(
    join(cwd, 'w.mjs'),
    `import { createInterface } from 'node:readline';
    import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
    appendFileSync('pids', process.pid + '\\n');
    const lines = createInterface({ input: process.stdin });
    const answer = ({ uuid, n }) => console.log(JSON.stringify({ uuid, result: n }));
    ${lines}`,
  );
  return cwd;
}

const batching = (size: number): string => `
  let batch = [];
  const work = () => { batch.map(answer); batch = []; };
  for await (const line of lines) if (batch.push(JSON.parse(line)) === ${size}) work();
  work();`;

const states = (ran: { records: readonly { run: { state: string } }[] }): string[] =>
  ran.records.map(({ run }) => run.state);

describe('the end of the input', () => {
  for (const [what, size, perWorker] of [
    ['works in batches', 3, '3'],
    ['reads all of its input first', 1000, '8'],
  ] as const) {
    test(`reaches a worker that ${what}`, async () => {
      const cwd = folderWith(batching(size));
      const ran = await exec(
        ['--worker', `${node} w.mjs`, '-j', '1', '--per-worker', perWorker, '--timeout', '20s'],
        numbered(8),
        { cwd },
      );
      expect(states(ran)).toEqual(Array(8).fill('SUCCESS'));
      expect(pidsIn(join(cwd, 'pids'))).toHaveLength(1);
    });
  }

  test('reaches workers after the first signal, so that they finish what they gathered', async () => {
    const cwd = folderWith(batching(3));
    const child = start(`exec task-exec --worker "${node} w.mjs" -j 1 --per-worker 3 --quiet`, { cwd });
    let out = '';
    child.stdout?.on('data', (text) => {
      out += text;
    });
    child.stdin?.write(numbered(4));
    await until(() => out.split('\n').length === 4);
    const end = once(child, 'close');
    child.kill('SIGTERM');
    const [code] = await end;
    expect([code, out.match(/SUCCESS/g)?.length]).toEqual([143, 4]);
  });

  test('is followed by another one for tasks that are retried', async () => {
    const cwd = folderWith(`
      for await (const line of lines) {
        const task = JSON.parse(line);
        if (existsSync('seen' + task.n)) answer(task);
        else {
          writeFileSync('seen' + task.n, '');
          console.log(JSON.stringify({ uuid: task.uuid, error: { message: 'once more', retry: true } }));
        }
      }`);
    const ran = await exec(['--worker', `${node} w.mjs`, '-j', '1', '--backoff', '1ms..2ms'], numbered(5), {
      cwd,
    });
    expect(ran.records.map(({ run }) => [run.state, run.attempts])).toEqual(Array(5).fill(['SUCCESS', 2]));
  });

  test('loses no task of a worker that exits at once', async () => {
    const cwd = folderWith(`
      lines.on('close', () => process.exit(0));
      lines.on('line', (line) => setTimeout(answer, 1500, JSON.parse(line)));`);
    const ran = await exec(
      ['--worker', `${node} w.mjs`, '-j', '2', '--per-worker', '4', '--retries', '0'],
      numbered(8),
      { cwd },
    );
    expect(states(ran)).toEqual(Array(8).fill('SUCCESS'));
  });
});

test('a worker that does not answer its first task for 10 s causes a single hint', async () => {
  const cwd = folderWith(`for await (const line of lines) setTimeout(answer, 11_000, JSON.parse(line));`);
  const ran = await exec(['--worker', `${node} w.mjs`, '-j', '2'], numbered(2), { cwd });
  expect(states(ran)).toEqual(['SUCCESS', 'SUCCESS']);
  expect(
    ran.stderr.match(/does it flush its output\? jq needs --unbuffered, python flush=True/g),
  ).toHaveLength(1);
}, 60_000);

test('workers that are busy do not outlive a killed stage by more than --grace', async () => {
  const cwd = folderWith(
    `for await (const line of lines) { writeFileSync(line.slice(9, 11), ''); for (;;); }`,
  );
  const child = start(`exec task-exec -j 2 --grace 1s --worker "${node} w.mjs"`, { cwd });
  child.stdin?.end(numbered(4));
  await until(() => pidsIn(join(cwd, 'pids')).length === 2);
  const end = once(child, 'close');
  child.kill('SIGKILL');
  await end;
  await until(() => !pidsIn(join(cwd, 'pids')).some(isAlive));
});

for (const first of ['stage', 'workers'] as const) {
  test(`a task is PENDING if its worker is ended by the SIGTERM of the stage, sent to the ${first} first`, async () => {
    const cwd = folderWith(
      `for await (const line of lines) { writeFileSync('busy' + JSON.parse(line).n, ''); }`,
    );
    const child = start(`exec task-exec -j 2 --retries 0 --worker "${node} w.mjs"`, { cwd });
    let out = '';
    child.stdout?.on('data', (text) => {
      out += text;
    });
    child.stdin?.write(numbered(3));
    const end = once(child, 'close');
    await until(() => pidsIn(join(cwd, 'pids')).length === 2);
    const pids = pidsIn(join(cwd, 'pids'));
    for (const pid of first === 'stage' ? [child.pid as number, ...pids] : [...pids, child.pid as number])
      process.kill(pid, 'SIGTERM');
    const [code] = await end;
    expect([code, out.match(/"PENDING"/g)?.length]).toEqual([143, 3]);
  });
}

test('a task that was answered while the stage was suspended is not timed out', async () => {
  const cwd = folderWith(`
    for await (const line of lines) {
      writeFileSync('busy', '');
      setTimeout(() => { answer(JSON.parse(line)); writeFileSync('answered', ''); }, 1000);
    }`);
  const child = start(`exec task-exec --timeout 2s --retries 0 --worker "${node} w.mjs" -j 1`, { cwd });
  let out = '';
  child.stdout?.on('data', (text) => {
    out += text;
  });
  child.stdin?.end(numbered(1));
  const end = once(child, 'close');
  await until(() => pidsIn(join(cwd, 'busy')).length > 0);
  child.kill('SIGSTOP');
  await until(() => pidsIn(join(cwd, 'answered')).length > 0);
  await new Promise((resolve) => setTimeout(resolve, 2000)); // the timeout has to pass
  child.kill('SIGCONT');
  await end;
  expect(out).toContain('SUCCESS');
});

test.each([
  ['nested too deep', `{"uuid":"t1","result":${'['.repeat(70)}${']'.repeat(70)}}`, 'nested over 64 levels'],
  [
    'nested too deep, the only task',
    `{"result":${'['.repeat(70)}${']'.repeat(70)}}`,
    'nested over 64 levels',
  ],
  ['not UTF-8', '{"uuid":"t1","result":"\\377"}', 'not valid UTF-8'],
  ['not JSON', '{"uuid": "t1", "result": NaN}', 'not JSON'],
])('an answer that is %s fails its task', async (_, answer, why) => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'w.sh'), `read line; printf '${answer}\\n'; cat`);
  const ran = await exec(
    ['--worker', 'sh w.sh', '-j', '1', '--timeout', '20s', '--per-worker', '1'],
    numbered(2),
    { cwd },
  );
  expect(ran.of.t1?.run.error).toEqual({
    code: 'ANSWER',
    message: expect.stringContaining(`wrote an invalid answer: ${why}`),
  });
  expect(ran.of.t2?.run.state).toBe('SUCCESS');
});

test('a line that is not an answer does not affect the only task', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'w.sh'), 'while read line; do echo working; echo "{\'a\': 1}"; echo "$line"; done');
  const ran = await exec(['--worker', 'sh w.sh', '-j', '1'], numbered(2), { cwd });
  expect(states(ran)).toEqual(['SUCCESS', 'SUCCESS']);
});

test.each([90, 94, 98, 102, 106, 110])(
  'a lack of descriptors for workers is reported as such: %i',
  async (limit) => {
    const command = `ulimit -n ${limit}; task-exec --worker cat -j 60`;
    const { code, stderr } = await sh(command, { input: numbered(100) });
    expect(stderr).toContain('too many open files');
    expect(stderr).not.toContain('    at ');
    expect(code).toBe(74);
  },
);

test('a warning names --per-worker if all workers wait for more tasks than it allows', async () => {
  const cwd = folderWith(batching(1000));
  const child = start(`exec task-exec --worker "${node} w.mjs" -j 2 --per-worker 8`, { cwd });
  child.stdin?.end(numbered(40));
  let err = '';
  child.stderr?.on('data', (text) => {
    err += text;
  });
  await until(() => err.includes('does it flush') || err.includes('raise --per-worker or -j'));
  child.kill('SIGKILL');
  expect(err).toContain('all workers have the 8 tasks that --per-worker allows, and the input has more');
});
