/* Ends of commands: by signals, while the stage is suspended, and with processes left behind. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshFolder, start } from '../../support/run.ts';
import { until } from '../../support/until.ts';
import { exec, isAlive, numbered, pidsIn, tasks } from '../programs.ts';

for (const first of ['stage', 'commands'] as const) {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    test(`a task is PENDING if ${signal} ends its command and the stage, sent to the ${first} first`, async () => {
      const cwd = freshFolder();
      const child = start(
        `exec task-exec -j 2 --retries 0 --shell --command 'echo $$ >> pids; exec sleep 300'`,
        { cwd },
      );
      let out = '';
      child.stdout?.on('data', (text) => {
        out += text;
      });
      child.stdin?.end(numbered(3));
      const end = once(child, 'close');
      await until(() => pidsIn(join(cwd, 'pids')).length === 2);
      const pids = pidsIn(join(cwd, 'pids'));
      for (const pid of first === 'stage' ? [child.pid as number, ...pids] : [...pids, child.pid as number])
        process.kill(pid, signal);
      await end;
      expect(out.match(/"PENDING"/g)).toHaveLength(3);
    });
  }
}

test('a command that is ended by its own signal has failed', async () => {
  const { of } = await exec(['--shell', '--command', 'kill -TERM $$'], numbered(1));
  expect(of.t1?.run).toMatchObject({ state: 'FAILURE', error: { code: 'SIGNAL' } });
});

test('a command that ended while the stage was suspended is not timed out', async () => {
  const cwd = freshFolder();
  const child = start(
    `exec task-exec --timeout 2s --retries 0 --shell --command 'touch begun; sleep 1; echo well; touch done'`,
    { cwd },
  );
  let out = '';
  child.stdout?.on('data', (text) => {
    out += text;
  });
  child.stdin?.end(numbered(1));
  const end = once(child, 'close');
  await until(() => existsSync(join(cwd, 'begun')));
  child.kill('SIGSTOP');
  await until(() => existsSync(join(cwd, 'done')));
  await new Promise((resolve) => setTimeout(resolve, 2000)); // the timeout has to pass
  child.kill('SIGCONT');
  await end;
  expect(out).toMatch(/well.*SUCCESS/);
});

test('a command that leaves a process with its output succeeds after --linger, with one warning', async () => {
  const cwd = freshFolder();
  const ran = await exec(
    ['--shell', '--command', 'echo said; sleep 300 & echo $! >> pids', '--linger', '300ms', '-j', '2'],
    numbered(4),
    { cwd },
  );
  expect(ran.records.map(({ result, run }) => [result.stdout, run.state])).toEqual(
    Array(4).fill(['said\n', 'SUCCESS']),
  );
  expect(ran.stderr.match(/left behind holds its output/g)).toHaveLength(1);
  const pids = pidsIn(join(cwd, 'pids'));
  expect(pids.map(isAlive)).toEqual(Array(4).fill(true));
  for (const pid of pids) process.kill(pid);
});

test('a process with the output of a failed command is killed after --linger', async () => {
  const cwd = freshFolder();
  const ran = await exec(
    ['--shell', '--command', 'sleep 300 & echo $! >> pids; exit 3', '--linger', '300ms'],
    numbered(1),
    { cwd },
  );
  expect(ran.of.t1?.run.error?.code).toBe('EXIT');
  await until(() => !pidsIn(join(cwd, 'pids')).some(isAlive));
});

test('output of a background process is kept while it arrives', async () => {
  const late = '(for i in 1 2 3 4; do sleep 0.2; echo $i; done) &';
  const { of } = await exec(['--shell', '--command', late, '--linger', '1s'], numbered(1));
  expect(of.t1?.result.stdout).toBe('1\n2\n3\n4\n');
});

test('a program that an attribute names is named in messages', async () => {
  const { of } = await exec(['--command', '{p} hi'], tasks({ p: 'no-such' }, { p: 'false' }));
  expect(of.t1?.run.error?.message).toMatch(/^cannot start no-such: /);
  expect(of.t2?.run.error?.message).toBe('false ended with exit code 1');
});

test('output that no record can hold fails its task, and says what happened', async () => {
  const { records, of, code } = await exec(
    ['--max-output', '1GB', '--command', 'head -c {n} /dev/zero'],
    tasks({ n: 10 }, { n: 100_000_000 }, { n: 20 }),
  );
  expect([records.length, code]).toEqual([3, 1]);
  expect(of.t2?.run.error).toEqual({
    code: 'OUTPUT_TOO_LARGE',
    message: expect.stringMatching(/^head wrote 100000000 bytes, and ended with exit code 0;/),
  });
}, 60_000);
