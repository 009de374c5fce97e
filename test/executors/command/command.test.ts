/* `task-exec --command` on the command line. */
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ended, freshFolder, sh, start } from '../../support/run.ts';
import { until } from '../../support/until.ts';
import { exec, isAlive, numbered, pidsIn, tasks } from '../programs.ts';

const states = (ran: Awaited<ReturnType<typeof exec>>) =>
  ran.records.map(({ run }) => [run.state, run.error?.code]);

describe('the words of a command', () => {
  test('keep a value inside its word, whatever it contains', async () => {
    const nasty = ['a b', '; touch pwned', '$(touch pwned)', '\'"\\', '*', '', '-n', '{x}', 'é\n2'];
    const cwd = freshFolder();
    const ran = await exec(
      ['--command', `printf '<%s>' {v} "p {v}"q {uuid}`, '--keep-order'],
      tasks(...nasty.map((v) => ({ v }))),
      { cwd },
    );
    expect(ran.records.map(({ result }) => result.stdout)).toEqual(
      nasty.map((v, i) => `<${v}><p ${v}q><t${i + 1}>`),
    );
    expect(ran.code).toBe(0);
    expect(() => readFileSync(join(cwd, 'pwned'))).toThrow();
  });

  test('support dotted paths, all digits of numbers, and doubled braces', async () => {
    const { of } = await exec(
      ['--command', 'printf %s|%s|%s {a.b} {n} {{n}}'.replaceAll('|', ',')],
      '{"uuid":"t1","a":{"b":"deep"},"n":12345678901234567890}\n',
    );
    expect(of.t1?.result.stdout).toBe('deep,12345678901234567890,{n}');
  });

  test('with a missing attribute fail only that task', async () => {
    const ran = await exec(['--command', 'echo {v}', '--keep-order'], tasks({}, { v: 1 }));
    expect(states(ran)).toEqual([
      ['FAILURE', 'TEMPLATE'],
      ['SUCCESS', undefined],
    ]);
  });

  test('can name the program, and a missing program fails its task', async () => {
    const ran = await exec(['--command', '{p} hi', '--keep-order'], tasks({ p: 'echo' }, { p: 'no-such' }));
    expect(ran.of.t1?.result.stdout).toBe('hi\n');
    expect(ran.of.t2?.run.error).toEqual({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/^cannot start .*no such program/),
    });
  });

  test('with NUL or over 128 KiB fail their task with the reason', async () => {
    const { of } = await exec(['--command', 'echo {v}'], tasks({ v: 'a\0b' }, { v: 'x'.repeat(140_000) }));
    expect(of.t1?.run.error).toEqual({
      code: 'SPAWN',
      message: expect.stringMatching(/^cannot start echo: .* NUL /),
    });
    expect(of.t2?.run.error).toEqual({
      code: 'SPAWN',
      message: expect.stringMatching(/ too long: 128 KiB each/),
    });
  });
});

describe('a command', () => {
  test('receives the record unchanged on stdin, and its uuid as TASK_UUID', async () => {
    const line = '{"uuid":"t1", "n": 1.10,"big":12345678901234567890}';
    const { of } = await exec(['--command', `sh -c 'cat; echo $TASK_UUID'`], `${line}\n`);
    expect(of.t1?.result.stdout).toBe(`${line}\nt1\n`);
  });

  test('succeeds without reading its input, even a record of a megabyte', async () => {
    const { of } = await exec(['--command', 'true'], tasks({ v: 'x'.repeat(1_000_000) }));
    expect(of.t1?.run.state).toBe('SUCCESS');
  });

  test('receives default variables and those of --env, but no option of task-exec', async () => {
    const env = { SECRET: 's', AWS_A: '1', AWS_B: '2', LANG: 'C', TASK_LEDGER: 'x', TASK_JOBS: '3' };
    const seen = async (...args: string[]): Promise<string[]> => {
      const { of } = await exec(['--command', 'env', ...args], numbered(1), { env });
      const names: string[] = of.t1?.result.stdout.trim().split('\n');
      return names.filter((line) => !/^(PATH|HOME)=/.test(line)).sort();
    };
    expect(await seen()).toEqual(['LANG=C', 'TASK_NUMBER=1', 'TASK_SLOT=1', 'TASK_UUID=t1']);
    expect(await seen('--env', 'AWS_*', '--env', 'SECRET', '--env', 'NEW=a=b')).toEqual(
      [
        'AWS_A=1',
        'AWS_B=2',
        'LANG=C',
        'NEW=a=b',
        'SECRET=s',
        'TASK_NUMBER=1',
        'TASK_SLOT=1',
        'TASK_UUID=t1',
      ].sort(),
    );
  });

  test('runs in --cwd, which also resolves a relative path of the program', async () => {
    const cwd = freshFolder();
    mkdirSync(join(cwd, 'in'));
    writeFileSync(join(cwd, 'in', 'prog'), '#!/bin/sh\npwd\n');
    chmodSync(join(cwd, 'in', 'prog'), 0o755);
    const { of, stderr } = await exec(['--command', './prog', '--cwd', 'in'], numbered(1), { cwd });
    expect([stderr, of.t1?.result.stdout]).toEqual(['task-exec: 1 done\n', `${join(cwd, 'in')}\n`]);
  });
});

describe('--shell', () => {
  test('passes values as variables, never as text of the command', async () => {
    const cwd = freshFolder();
    const { of } = await exec(
      ['--shell', '--command', 'echo "$TASK_v|$TASK_a_b|$TASK_o" | tr a-z A-Z'],
      tasks({ v: '"; touch pwned; "$(touch pwned)', 'a b': 'two', o: { x: 1 } }),
      { cwd },
    );
    expect(of.t1?.result.stdout).toBe('"; TOUCH PWNED; "$(TOUCH PWNED)|TWO|{"X":1}\n');
    expect(() => readFileSync(join(cwd, 'pwned'))).toThrow();
  });

  test('fails a task without an attribute that the command needs, unless there is a default', async () => {
    const { of } = await exec(['--shell', '--command', 'echo $TASK_v'], tasks({ v: 'a' }, {}));
    expect([of.t1?.result.stdout, of.t2?.run.error?.code]).toEqual(['a\n', 'TEMPLATE']);
    const other = await exec(['--shell', '--command', `echo \${TASK_v:-none}`], tasks({}));
    expect(other.of.t1?.result.stdout).toBe('none\n');
  });

  test('starts a command although an attribute that it does not name is large', async () => {
    const { of } = await exec(
      ['--shell', '--command', 'echo $TASK_v'],
      tasks({ v: 'a', page: 'x'.repeat(200_000) }),
    );
    expect(of.t1?.result).toEqual({ exit: 0, stdout: 'a\n', stderr: '' });
  });
});

describe('results', () => {
  test('distinguish exit codes from signals, with the last line of stderr', async () => {
    const script = `sh -c 'echo out; echo one >&2; echo "two  " >&2; eval "$1"'`;
    const ran = await exec(
      ['--command', `${script} sh {do}`, '--keep-order'],
      tasks({ do: 'exit 3' }, { do: 'exit 137' }, { do: 'kill -9 $$' }, { do: 'exit 0' }),
    );
    expect(ran.records.map(({ run }) => run.error)).toEqual([
      { code: 'EXIT', message: 'sh ended with exit code 3: two' },
      { code: 'EXIT', message: 'sh ended with exit code 137: two' },
      { code: 'SIGNAL', message: 'sh was killed by SIGKILL: two' },
      undefined,
    ]);
    expect(ran.of.t1?.result).toEqual({ exit: 3, stdout: 'out\n', stderr: 'one\ntwo  \n' });
    expect(ran.of.t3?.result).toEqual({
      exit: null,
      signal: 'SIGKILL',
      stdout: 'out\n',
      stderr: 'one\ntwo  \n',
    });
    expect(ran.code).toBe(1);
  });

  test('keep output that is not UTF-8 as base64', async () => {
    const { of } = await exec(['--command', `printf '\\377\\000a'`], numbered(1));
    expect(of.t1?.result).toEqual({ exit: 0, stdout_base64: '/wBh', stderr: '' });
  });

  test('of --output json keep all digits, and invalid JSON fails with the output', async () => {
    const ran = await exec(
      ['--command', 'echo {v}', '--output', 'json', '--keep-order'],
      tasks({ v: '{ "n": 12345678901234567890 }' }, { v: 'no' }),
    );
    expect(ran.stdout.split('\n')[0]).toContain('"json":{"n":12345678901234567890},"stderr":""');
    expect(ran.of.t2?.run.error?.code).toBe('OUTPUT_JSON');
    expect(ran.of.t2?.result).toEqual({ exit: 0, stdout: 'no\n', stderr: '' });
  });

  test('are a failure if the output exceeds --max-output, which kills the command', async () => {
    const ran = await exec(['--command', 'yes', '--max-output', '1MB'], numbered(2));
    expect(states(ran)).toEqual(Array(2).fill(['FAILURE', 'OUTPUT_TOO_LARGE']));
    expect(ran.of.t1?.run.error?.message).toBe(
      'yes wrote more than 1048576 bytes and was killed (--max-output)',
    );
  });
});

describe('a retry', () => {
  const flaky = `sh -c 'echo x >> tries; test $(wc -l < tries) -ge 3 || {how}'`;
  const run = (how: string, ...args: string[]) => {
    const quick = ['--backoff', '1ms..2ms', '-j', '1'];
    return exec(['--command', flaky.replace('{how}', () => how), ...quick, ...args], numbered(1), {
      cwd: freshFolder(),
    });
  };

  test('follows exit code 75, and other ends only with --retry-on', async () => {
    const attempts = async (...args: Parameters<typeof run>) => {
      const { of } = await run(...args);
      return [of.t1?.run.state, of.t1?.run.attempts];
    };
    expect(await attempts('exit 75')).toEqual(['SUCCESS', 3]);
    expect(await attempts('exit 1')).toEqual(['FAILURE', 1]);
    expect(await attempts('exit 1', '--retry-on', '1-3')).toEqual(['SUCCESS', 3]);
    expect(await attempts('exit 9', '--retry-on', 'any')).toEqual(['SUCCESS', 3]);
    expect(await attempts('kill $$', '--retry-on', 'signal')).toEqual(['SUCCESS', 3]);
    expect(await attempts('exit 75', '--retries', '1')).toEqual(['FAILURE', 2]);
  });
});

describe('task-exec --command', () => {
  /** Writes the pids of itself and its child to `pids`. Both ignore SIGTERM. */
  const stubborn = `sh -c 'trap "" TERM; (trap "" TERM; echo $$ >> pids; exec sleep 300) & echo $! >> pids; while :; do sleep 1; done'`;

  test('kills a command and its children at --timeout, even if they ignore SIGTERM', async () => {
    const cwd = freshFolder();
    const ran = await exec(['--command', stubborn, '--timeout', '300ms'], numbered(1), { cwd });
    expect(ran.of.t1?.run.error).toEqual({
      code: 'TIMEOUT',
      message: 'sh did not finish within 300 ms (--timeout)',
    });
    const pids = pidsIn(join(cwd, 'pids'));
    expect(pids).toHaveLength(2);
    await until(() => !pids.some(isAlive));
  });

  test('keeps the output that was written before --timeout', async () => {
    const { of } = await exec(
      ['--command', `sh -c 'echo early; exec sleep 300'`, '--timeout', '500ms'],
      numbered(1),
    );
    expect(of.t1?.result).toEqual({ exit: null, signal: 'SIGTERM', stdout: 'early\n', stderr: '' });
  });

  test('lets current commands finish at the first signal, and the rest comes out as PENDING', async () => {
    const cwd = freshFolder();
    const child = start(
      `exec task-exec -j 1 --shell --command 'echo > begun; while ! test -e go; do sleep 0.02; done'`,
      { cwd },
    );
    child.stdin?.end(numbered(3));
    const end = ended(child);
    await until(() => pidsIn(join(cwd, 'begun')).length > 0);
    child.kill('SIGINT');
    writeFileSync(join(cwd, 'go'), '');
    const { stdout, code } = await end;
    const seen = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).run.state);
    expect([seen.sort(), code]).toEqual([['PENDING', 'PENDING', 'SUCCESS'], 130]);
  });

  for (const [how, signals] of [
    ['the second signal', ['SIGINT', 'SIGTERM']],
    ['kill -9 of task-exec', ['SIGKILL']],
  ] as const) {
    test(`leaves no command, child or temporary file after ${how}`, async () => {
      const cwd = freshFolder();
      const TMPDIR = freshFolder();
      writeFileSync(join(cwd, 'run.sh'), `exec task-exec -j 2 --grace 1h --command "$COMMAND"`);
      const child = start('exec sh run.sh', { cwd, env: { COMMAND: stubborn, TMPDIR } });
      child.stdin?.end(numbered(4));
      const end = once(child, 'close');
      await until(() => pidsIn(join(cwd, 'pids')).length === 4);
      expect(readdirSync(TMPDIR)).toHaveLength(1);
      for (const signal of signals) child.kill(signal);
      await end;
      await until(() => !pidsIn(join(cwd, 'pids')).some(isAlive));
      expect(pidsIn(join(cwd, 'pids'))).toHaveLength(4); // no command was started later
      await until(() => readdirSync(TMPDIR).length === 0);
    });
  }

  test('ends running commands if the reader has left', async () => {
    const cwd = freshFolder();
    const { code } = await sh(
      `task-exec -j 2 --shell --command 'test $TASK_n = 0 || { echo $$ >> pids; exec sleep 300; }' | head -n 1 | wc -l`,
      { cwd, input: numbered(2) },
    );
    expect(code).toBe(0);
    await until(() => !pidsIn(join(cwd, 'pids')).some(isAlive));
  });

  test('retries the commands of a shell that was killed', async () => {
    const { of, code } = await exec(
      [
        '--command',
        `sh -c 'if ! test -e once; then touch once; kill -9 $PPID; fi; echo ok'`,
        '--backoff',
        '1ms..2ms',
      ],
      numbered(1),
    );
    expect(of.t1).toMatchObject({ result: { stdout: 'ok\n' }, run: { state: 'SUCCESS', attempts: 2 } });
    expect(code).toBe(0);
  });

  test('ends the run if no folder for temporary files can be made, and names it', async () => {
    const ran = await exec(['--command', 'true'], numbered(2), { env: { TMPDIR: '/no/such' } });
    expect([ran.code, ran.stderr]).toEqual([
      74,
      expect.stringMatching(/commands in \/no\/such \(TMPDIR\): no such file/),
    ]);
  });

  test('runs nothing with --dry-run, and prints shell lines that do the same', async () => {
    const cwd = freshFolder();
    const ran = await exec(
      ['--command', 'touch {v} {uuid}', '--dry-run', '--cwd', '.'],
      tasks({ v: "it's; $HOME" }),
      {
        cwd,
      },
    );
    expect(ran.stderr).toContain(`(cd . && TASK_UUID=t1 touch 'it'"'"'s; $HOME' t1)\n`);
    expect(ran.of.t1?.run.state).toBe('PENDING');
    expect(() => readFileSync(join(cwd, 't1'))).toThrow();
    await sh(ran.stderr.split('\n')[0] ?? '', { cwd });
    expect(readdirSync(cwd).sort()).toEqual(["it's; $HOME", 't1']);
  });

  test('emits exactly one record for each of hundreds of commands', async () => {
    const { records, code } = await exec(['--command', 'echo {n}', '-j', '8', '--quiet'], numbered(300));
    expect(new Set(records.map(({ uuid, result }) => `${uuid} ${result.stdout}`)).size).toBe(300);
    expect([records.length, code]).toEqual([300, 0]);
  });
});
