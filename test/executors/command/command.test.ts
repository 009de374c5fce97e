/* `task-exec --command`, as it is typed. */
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ended, freshFolder, sh, start } from '../../support/run.ts';
import { exec, isAlive, numbered, pidsIn, tasks, until } from '../programs.ts';

const states = (ran: Awaited<ReturnType<typeof exec>>) =>
  ran.records.map(({ run }) => [run.state, run.error?.code]);

describe('words', () => {
  test('a value stays inside its word, whatever is in it', async () => {
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

  test('members by paths with dots, numbers with all their digits, doubled braces as braces', async () => {
    const { of } = await exec(
      ['--command', 'printf %s|%s|%s {a.b} {n} {{n}}'.replaceAll('|', ',')],
      '{"uuid":"t1","a":{"b":"deep"},"n":12345678901234567890}\n',
    );
    expect(of.t1?.result.stdout).toBe('deep,12345678901234567890,{n}');
  });

  test('an attribute that is not there fails its task alone', async () => {
    const ran = await exec(['--command', 'echo {v}', '--keep-order'], tasks({}, { v: 1 }));
    expect(states(ran)).toEqual([
      ['FAILURE', 'TEMPLATE'],
      ['SUCCESS', undefined],
    ]);
  });

  test('the program may be a placeholder; one that does not exist fails its task', async () => {
    const ran = await exec(['--command', '{p} hi', '--keep-order'], tasks({ p: 'echo' }, { p: 'no-such' }));
    expect(ran.of.t1?.result.stdout).toBe('hi\n');
    expect(ran.of.t2?.run.error).toEqual({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/^cannot start .*no such program/),
    });
  });

  test('NUL, and words over 128 KiB, fail their task and say why', async () => {
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

describe('what a command gets', () => {
  test('the record as it came on its standard input, and its uuid as TASK_UUID', async () => {
    const line = '{"uuid":"t1", "n": 1.10,"big":12345678901234567890}';
    const { of } = await exec(['--command', `sh -c 'cat; echo $TASK_UUID'`], `${line}\n`);
    expect(of.t1?.result.stdout).toBe(`${line}\nt1\n`);
  });

  test('a command that does not read its input is no failure, though the record is a megabyte', async () => {
    const { of } = await exec(['--command', 'true'], tasks({ v: 'x'.repeat(1_000_000) }));
    expect(of.t1?.run.state).toBe('SUCCESS');
  });

  test('a few variables of ours, those that --env names, and no option of ours', async () => {
    const env = { SECRET: 's', AWS_A: '1', AWS_B: '2', LANG: 'C', TASK_LEDGER: 'x', TASK_JOBS: '3' };
    const seen = async (...args: string[]): Promise<string[]> => {
      const { of } = await exec(['--command', 'env', ...args], numbered(1), { env });
      const names: string[] = of.t1?.result.stdout.trim().split('\n');
      return names.filter((line) => !/^(PATH|HOME)=/.test(line)).sort();
    };
    expect(await seen()).toEqual(['LANG=C', 'TASK_UUID=t1']);
    expect(await seen('--env', 'AWS_*', '--env', 'SECRET', '--env', 'NEW=a=b')).toEqual(
      ['AWS_A=1', 'AWS_B=2', 'LANG=C', 'NEW=a=b', 'SECRET=s', 'TASK_UUID=t1'].sort(),
    );
  });

  test('--cwd is where it runs, and where a program with a relative path is looked for', async () => {
    const cwd = freshFolder();
    mkdirSync(join(cwd, 'in'));
    writeFileSync(join(cwd, 'in', 'prog'), '#!/bin/sh\npwd\n');
    chmodSync(join(cwd, 'in', 'prog'), 0o755);
    const { of, stderr } = await exec(['--command', './prog', '--cwd', 'in'], numbered(1), { cwd });
    expect([stderr, of.t1?.result.stdout]).toEqual(['task-exec: 1 done\n', `${join(cwd, 'in')}\n`]);
  });
});

describe('--shell', () => {
  test('values are variables, and never text of the command', async () => {
    const cwd = freshFolder();
    const { of } = await exec(
      ['--shell', '--command', 'echo "$TASK_v|$TASK_a_b|$TASK_o" | tr a-z A-Z'],
      tasks({ v: '"; touch pwned; "$(touch pwned)', 'a b': 'two', o: { x: 1 } }),
      { cwd },
    );
    expect(of.t1?.result.stdout).toBe('"; TOUCH PWNED; "$(TOUCH PWNED)|TWO|{"X":1}\n');
    expect(() => readFileSync(join(cwd, 'pwned'))).toThrow();
  });

  test('an attribute that the text needs and a record does not have fails its task; a default helps', async () => {
    const { of } = await exec(['--shell', '--command', 'echo $TASK_v'], tasks({ v: 'a' }, {}));
    expect([of.t1?.result.stdout, of.t2?.run.error?.code]).toEqual(['a\n', 'TEMPLATE']);
    const other = await exec(['--shell', '--command', `echo \${TASK_v:-none}`], tasks({}));
    expect(other.of.t1?.result.stdout).toBe('none\n');
  });

  test('a large attribute that the text does not name keeps no task from starting', async () => {
    const { of } = await exec(
      ['--shell', '--command', 'echo $TASK_v'],
      tasks({ v: 'a', page: 'x'.repeat(200_000) }),
    );
    expect(of.t1?.result).toEqual({ exit: 0, stdout: 'a\n', stderr: '' });
  });
});

describe('results', () => {
  test('exit codes and signals are told apart, with the last line of the standard error', async () => {
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

  test('output that is no UTF-8 is kept as base64', async () => {
    const { of } = await exec(['--command', `printf '\\377\\000a'`], numbered(1));
    expect(of.t1?.result).toEqual({ exit: 0, stdout_base64: '/wBh', stderr: '' });
  });

  test('--output json keeps the value with its digits, and what is no JSON fails with what it wrote', async () => {
    const ran = await exec(
      ['--command', 'echo {v}', '--output', 'json', '--keep-order'],
      tasks({ v: '{ "n": 12345678901234567890 }' }, { v: 'no' }),
    );
    expect(ran.stdout.split('\n')[0]).toContain('"json":{"n":12345678901234567890},"stderr":""');
    expect(ran.of.t2?.run.error?.code).toBe('OUTPUT_JSON');
    expect(ran.of.t2?.result).toEqual({ exit: 0, stdout: 'no\n', stderr: '' });
  });

  test('--max-output kills a command that writes without end', async () => {
    const ran = await exec(['--command', 'yes', '--max-output', '1MB'], numbered(2));
    expect(states(ran)).toEqual(Array(2).fill(['FAILURE', 'OUTPUT_TOO_LARGE']));
    expect(ran.of.t1?.run.error?.message).toBe(
      'yes wrote more than 1048576 bytes and was killed (--max-output)',
    );
  });
});

describe('trying again', () => {
  const flaky = `sh -c 'echo x >> tries; test $(wc -l < tries) -ge 3 || {how}'`;
  const run = (how: string, ...args: string[]) => {
    const quick = ['--backoff', '1ms..2ms', '-j', '1'];
    return exec(['--command', flaky.replace('{how}', () => how), ...quick, ...args], numbered(1), {
      cwd: freshFolder(),
    });
  };

  test('exit code 75 is tried again, others only where --retry-on says so', async () => {
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

describe('ends', () => {
  /** Writes its own number and its child's to `pids`, and both go on, whatever they are asked. */
  const stubborn = `sh -c 'trap "" TERM; (trap "" TERM; echo $$ >> pids; exec sleep 300) & echo $! >> pids; while :; do sleep 1; done'`;

  test('--timeout kills a command and its children, also those that ignore SIGTERM', async () => {
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

  test('--timeout gives back what was written until then', async () => {
    const { of } = await exec(
      ['--command', `sh -c 'echo early; exec sleep 300'`, '--timeout', '500ms'],
      numbered(1),
    );
    expect(of.t1?.result).toEqual({ exit: null, signal: 'SIGTERM', stdout: 'early\n', stderr: '' });
  });

  test('the first signal lets what runs finish, and the rest comes out as PENDING', async () => {
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
    test(`${how} leaves no command and no child of one alive, and no temporary file`, async () => {
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
      expect(pidsIn(join(cwd, 'pids'))).toHaveLength(4); // nothing was started after it
      await until(() => readdirSync(TMPDIR).length === 0);
    });
  }

  test('a reader that leaves ends what still runs', async () => {
    const cwd = freshFolder();
    const { code } = await sh(
      `task-exec -j 2 --shell --command 'test $TASK_n = 0 || { echo $$ >> pids; exec sleep 300; }' | head -n 1 | wc -l`,
      { cwd, input: numbered(2) },
    );
    expect(code).toBe(0);
    await until(() => !pidsIn(join(cwd, 'pids')).some(isAlive));
  });

  test('where what starts commands is killed, its commands are tried again', async () => {
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

  test('where no folder for temporary files can be made the run ends and says which', async () => {
    const ran = await exec(['--command', 'true'], numbered(2), { env: { TMPDIR: '/no/such' } });
    expect([ran.code, ran.stderr]).toEqual([
      74,
      expect.stringMatching(/commands in \/no\/such \(TMPDIR\): no such file/),
    ]);
  });

  test('--dry-run starts nothing, and shows lines that do the same when they are pasted', async () => {
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

  test('hundreds of commands leave exactly one record each', async () => {
    const { records, code } = await exec(['--command', 'echo {n}', '-j', '8', '--quiet'], numbered(300));
    expect(new Set(records.map(({ uuid, result }) => `${uuid} ${result.stdout}`)).size).toBe(300);
    expect([records.length, code]).toEqual([300, 0]);
  });
});
