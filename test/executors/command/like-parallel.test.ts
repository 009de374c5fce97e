/* Features that users of GNU parallel expect: parts of paths, numbers, lanes, and conditions to stop. */
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ended, freshFolder, start } from '../../support/run.ts';
import { until } from '../../support/until.ts';
import { exec, numbered, tasks } from '../programs.ts';

describe('placeholders', () => {
  test.each([
    ['{#}', '$TASK_NUMBER'],
    ['{%}', '$TASK_SLOT'],
    ['{id}', '$TASK_id'],
  ])('are refused in shell code, with the variable to use: %s', async (placeholder, variable) => {
    for (const args of [
      ['--command', `sh -c "echo ${placeholder}"`],
      ['--shell', '--command', `echo ${placeholder}`],
    ]) {
      const ran = await exec(args, numbered(1));
      expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining(`write "${variable}"`)]);
    }
  });

  test('return parts of a path: without ending, base name, folder, and base name without ending', async () => {
    const files = [
      'd/a.tar.gz',
      'plain',
      '/x.y/z',
      'a b/c d.txt',
      '.hidden',
      'up/.hidden.txt',
      'x.y/',
      'a//b.c',
      '/a//',
      '//',
    ];
    const ran = await exec(
      ['--command', `printf '<%s>' {f.} {f/} {f//} {f/.}`, '--keep-order'],
      tasks(...files.map((f) => ({ f }))),
    );
    expect(ran.records.map(({ result }) => result?.stdout)).toEqual([
      '<d/a.tar><a.tar.gz><d><a.tar>',
      '<plain><plain><.><plain>',
      '</x.y/z><z></x.y><z>',
      '<a b/c d><c d.txt><a b><c d>',
      '<.hidden><.hidden><.><.hidden>',
      '<up/.hidden><.hidden.txt><up><.hidden>',
      '<x.y/><x.y><.><x>',
      '<a//b><b.c><a><b>',
      '</a//><a></><a>',
      '<//><></><>',
    ]);
  });

  test('prefer an attribute of the whole name, and reach into nested ones', async () => {
    const ran = await exec(
      ['--command', 'printf %s,%s,%s {a/b} {a/} {o.p/.}'],
      '{"uuid":"t1","a/b":"own","a/":"too","o":{"p":"x/y.z"}}\n',
    );
    expect(ran.of.t1?.result?.stdout).toBe('own,too,y');
  });

  test('without an attribute are refused with what to type', async () => {
    const ran = await exec(['--command', 'echo {/.}'], numbered(1));
    expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining('as in {line/.}')]);
  });

  test('give the number of the task and its lane, as variables too', async () => {
    const ran = await exec(
      [
        '--command',
        `sh -c 'echo "$0 $1 $TASK_NUMBER $TASK_SLOT"; sleep 0.1' {#} {%}`,
        '-j',
        '3',
        '--keep-order',
      ],
      numbered(12),
    );
    const rows = ran.records.map(({ result }) => result.stdout.trim().split(' '));
    expect(rows.map(([number]) => number)).toEqual(Array.from({ length: 12 }, (_, i) => String(i + 1)));
    for (const [number, slot, variable, other] of rows) expect([variable, other]).toEqual([number, slot]);
    expect(new Set(rows.map(([, slot]) => slot))).toEqual(new Set(['1', '2', '3']));
  });

  test('no two running commands have the same lane, in a shell or not', async () => {
    const cwd = freshFolder();
    const ran = await exec(
      ['--shell', '--command', 'mkdir lane$TASK_SLOT && sleep 0.05 && rmdir lane$TASK_SLOT', '-j', '4'],
      numbered(30),
      { cwd },
    );
    expect([ran.code, ran.records.length]).toEqual([0, 30]);
  });
});

describe('--jobs', () => {
  const cores = availableParallelism();
  for (const [typed, jobs] of [
    ['50%', Math.max(1, Math.round(cores / 2))],
    ['+2', cores + 2],
    ['300%', cores * 3],
  ] as const) {
    test(`${typed} follows the number of processors`, async () => {
      const cwd = freshFolder();
      const count = 'touch r$TASK_uuid; sleep 0.4; ls | wc -l; sleep 0.2; rm r$TASK_uuid';
      const ran = await exec(['--shell', '--command', count, '-j', typed], numbered(jobs * 2), { cwd });
      const most = Math.max(...ran.records.map(({ result }) => Number(result.stdout)));
      expect(most).toBe(jobs);
    });
  }

  test('rejects an invalid number of jobs', async () => {
    for (const typed of ['0', '0%x', '+', '-2', '1.5']) {
      const ran = await exec(['--command', 'true', `--jobs=${typed}`], '');
      expect([typed, ran.code]).toEqual([typed, 2]);
    }
  });
});

describe('--halt', () => {
  const command = [
    '--shell',
    '--command',
    'test $TASK_n = 2 && exit 0; test $TASK_n -lt 2 && exit 1; exec sleep 300',
  ];

  test('now,success=1 kills the others, passes them on as PENDING, and ends with exit code 0', async () => {
    const ran = await exec([...command, '-j', '4', '--halt', 'now,success=1'], numbered(4));
    expect([ran.of.t3?.run.state, ran.of.t4?.run.state, ran.code]).toEqual(['SUCCESS', 'PENDING', 0]);
  });

  test('soon,fail=2 lets running tasks finish, starts no more, and ends with exit code 1', async () => {
    const fails = ['--shell', '--command', 'test $TASK_n = 2 && sleep 0.5 || exit 1'];
    const ran = await exec([...fails, '-j', '3', '--halt', 'soon,fail=2'], numbered(9));
    expect(ran.of.t3?.run.state).toBe('SUCCESS');
    expect(ran.records.filter(({ run }) => run.state === 'FAILURE').length).toBeLessThanOrEqual(4);
    expect(ran.code).toBe(1);
  });

  test('refuses a condition that it does not know', async () => {
    const ran = await exec(['--command', 'true', '--halt', 'later,success=1'], '');
    expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining('now,success=1')]);
  });
});

test('--delay keeps that time between two starts, and is refused beside --rate', async () => {
  const began = performance.now();
  const ran = await exec(['--command', 'true', '--delay', '200ms'], numbered(6));
  expect([ran.code, performance.now() - began > 980]).toEqual([0, true]);
  const both = await exec(['--command', 'true', '--delay', '1s', '--rate', '1/s'], '');
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('--delay and --rate')]);
});

describe('--timeout 300%', () => {
  test('ends commands that take three times as long as the median, those that began before too', async () => {
    const ran = await exec(
      [
        '--shell',
        '--command',
        'test $TASK_n = 0 && exec sleep 300; sleep 0.2',
        '-j',
        '2',
        '--timeout',
        '300%',
      ],
      numbered(8),
    );
    expect(ran.of.t1?.run.error?.code).toBe('TIMEOUT');
    expect(ran.records.filter(({ run }) => run.state === 'SUCCESS')).toHaveLength(7);
  });

  test('is accepted only with --command and above 100%', async () => {
    const http = await exec(['--http', '--timeout', '300%'], '');
    expect([http.code, http.stderr]).toEqual([2, expect.stringContaining('needs a duration')]);
    expect((await exec(['--command', 'true', '--timeout', '50%'], '')).code).toBe(2);
  });
});

describe('--live and --tag', () => {
  test('show lines while commands run, each with its task, and keep them in the record', async () => {
    const cwd = freshFolder();
    const child = start(
      `exec task-exec --tag 'n={n}' --shell --command 'echo out; echo err >&2; until test -e go; do sleep 0.02; done; printf end'`,
      { cwd },
    );
    let seen = '';
    child.stderr?.on('data', (text) => {
      seen += text;
    });
    const end = ended(child);
    child.stdin?.end(numbered(2));
    await until(() => ['n=0: out', 'n=0: err', 'n=1: out', 'n=1: err'].every((line) => seen.includes(line)));
    expect(seen).not.toContain('end');
    writeFileSync(join(cwd, 'go'), '');
    const { stderr, stdout } = await end;
    expect(stderr).toContain('n=0: end\n');
    expect(stdout.match(/"stdout":"out\\nend","stderr":"err\\n"/g)).toHaveLength(2);
  });

  test('begin lines with the uuid by default, and escape what could control a terminal', async () => {
    const ran = await exec(['--live', '--command', `printf '\\033[31mred\\n'`], numbered(1));
    expect(ran.stderr).toMatch(/^t1: .*31mred$/m);
    expect(ran.stderr).not.toContain('\u001b');
  });
});

describe('--results', () => {
  test('streams both outputs to files that the record names, without a limit of size', async () => {
    const cwd = freshFolder();
    const ran = await exec(
      [
        '--shell',
        '--command',
        'head -c 30000000 /dev/zero; echo bad >&2; exit $TASK_n',
        '--results',
        'out/{uuid}',
      ],
      numbered(2),
      { cwd },
    );
    expect(ran.of.t1).toMatchObject({
      result: { exit: 0, stdout_file: 'out/t1', stderr_file: 'out/t1.err' },
      run: { state: 'SUCCESS' },
    });
    expect(ran.of.t2?.run.error).toEqual({ code: 'EXIT', message: 'sh ended with exit code 1: bad' });
    expect([statSync(join(cwd, 'out/t1')).size, readFileSync(join(cwd, 'out/t2.err'), 'utf8')]).toEqual([
      30_000_000,
      'bad\n',
    ]);
  });

  test('never leaves the folder for a value, and fails only a task without a file name', async () => {
    const cwd = freshFolder();
    const ran = await exec(
      ['--command', 'echo {v}', '--results', 'out/{v}'],
      tasks({ v: '../up' }, { v: '..' }, { v: 'x'.repeat(300) }, { v: 'ok' }),
      { cwd },
    );
    expect([ran.of.t2?.run.error?.code, ran.of.t3?.run.error?.code]).toEqual(['RESULTS', 'RESULTS']);
    expect(readdirSync(join(cwd, 'out')).sort()).toEqual(['..%2Fup', '..%2Fup.err', 'ok', 'ok.err']);
  });

  test.each([
    ['o/{v}/log', '..'],
    ['o/{v}/log', '.'],
    ['o/.{v}/log', '.'],
    ['{v}/o', ''],
    ['o/{v}', 'a\0b'],
    ['o/{v}', 'dangling'],
  ])('fails only the task with a value that leads elsewhere: %s of %j', async (template, v) => {
    const cwd = freshFolder();
    mkdirSync(join(cwd, 'o'));
    symlinkSync('/nowhere/file', join(cwd, 'o/dangling'));
    const ran = await exec(['--command', 'echo x', '--results', template], tasks({ v }, { v: 'ok' }), {
      cwd,
    });
    expect([ran.of.t1?.run.error?.code, ran.of.t2?.run.state], ran.stderr).toEqual(['RESULTS', 'SUCCESS']);
    expect(readdirSync(cwd)).not.toContain('log');
  });

  test('fails a second task with the same file, which keeps the output of the first', async () => {
    const cwd = freshFolder();
    const args = ['--command', 'echo {uuid}', '--results', '../r/./{v}', '-j', '1', '--keep-order'];
    mkdirSync(join(cwd, 'in'));
    const ran = await exec(args, tasks({ v: 'a' }, { v: 'a' }, { v: 'a.err' }), { cwd: join(cwd, 'in') });
    expect(ran.of.t2?.run.error).toEqual({
      code: 'RESULTS',
      message: '--results "../r/./a" is also that of t1',
    });
    expect(ran.of.t3?.run.error?.code).toBe('RESULTS');
    expect(readFileSync(join(cwd, 'r/a'), 'utf8')).toBe('t1\n');
  });

  test.each([
    ['--command true --results /proc/x/{uuid}', 'cannot write --results'],
    ['--module w.mjs --log-dir /proc/x/y', 'cannot write to --log-dir'],
  ])('a folder that cannot be made ends the stage: %s', async (args, words) => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'w.mjs'), 'export default () => 1;');
    const ran = await exec(args.split(' '), numbered(1), { cwd });
    expect([ran.code, ran.stderr]).toEqual([74, expect.stringContaining(words)]);
  });

  test('names a missing program, and leaves no output of an earlier attempt', async () => {
    const cwd = freshFolder();
    const ran = await exec(['--command', '{p} x', '--results', 'out/{uuid}'], tasks({ p: 'no-such' }), {
      cwd,
    });
    expect(ran.of.t1?.run.error?.code).toBe('NOT_FOUND');
    const flaky = 'test -e once && exit 0; touch once; echo first; exit 75';
    await exec(
      ['--shell', '--command', flaky, '--results', 'out/{uuid}', '--backoff', '1ms..2ms'],
      numbered(1),
      {
        cwd,
      },
    );
    expect(readFileSync(join(cwd, 'out/t1'), 'utf8')).toBe('');
  });

  test('is refused beside options that need the output', async () => {
    for (const other of [['--output', 'json'], ['--live']]) {
      const ran = await exec(['--command', 'true', '--results', 'out/{uuid}', ...other], '');
      expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining('--results')]);
    }
  });
});
