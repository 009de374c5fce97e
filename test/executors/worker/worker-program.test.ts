/* `task-exec --worker` on the command line. */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshFolder, has, start } from '../../support/run.ts';
import { until } from '../../support/until.ts';
import { exec, isAlive, numbered, pidsIn, type Ran, tasks } from '../programs.ts';

const quick = ['--backoff', '1ms..2ms'];

/** Writes a JavaScript worker that runs `body` for each task; `count` is the number of tasks so far. */
function worker(body: string, { cwd = freshFolder(), last = '' } = {}): { cwd: string; args: string[] } {
  const lines = `
    import { createInterface } from 'node:readline';
    import { appendFileSync, existsSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
    const print = (value) => writeSync(1, typeof value === 'string' ? value : JSON.stringify(value) + '\\n');
    const number = process.env.TASK_WORKER_NUMBER;
    appendFileSync('pids', process.pid + '\\n');
    let count = 0;
    const held = [];
    for await (const line of createInterface({ input: process.stdin })) {
      const task = JSON.parse(line);
      const { uuid, n } = task;
      count++;
      ${body}
    }
    ${last}`;
  writeFileSync(join(cwd, 'w.mjs'), lines);
  return { cwd, args: ['--worker', `${process.execPath} w.mjs`, ...quick] };
}

async function run(
  body: string,
  input: string,
  { args = [], last = '' }: { args?: string[]; last?: string } = {},
): Promise<Ran & { cwd: string }> {
  const made = worker(body, { last });
  return { ...(await exec([...made.args, ...args], input, { cwd: made.cwd })), cwd: made.cwd };
}

const codes = ({ records }: Ran): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { run } of records) {
    const code = run.error?.code ?? run.state;
    counts[code] = (counts[code] ?? 0) + 1;
  }
  return counts;
};

describe('answers', () => {
  test('can hold a result, new attributes, an error, or nothing', async () => {
    const answers = [
      '{"uuid":"t1","result":{"big":12345678901234567890, "x":1.10}}',
      '{"uuid":"t2","n":2,"title":"T","size":1e999}',
      '{"uuid":"t3","error":{"code":"GONE","message":"no such page"}}',
      '{"uuid":"t4","error":"just words","result":"partly"}',
      '{"uuid":"t5","n":5}',
      '{"result":null,"uuid":"t6"}',
    ];
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'answers'), `${answers.join('\n')}\n`);
    const input = tasks(...answers.map((_, i) => ({ n: i + 1 })));
    const ran = await exec(
      [
        '--shell',
        '--worker',
        'cat answers; cat > /dev/null',
        '-j',
        '1',
        '--per-worker',
        '10',
        '--keep-order',
      ],
      input,
      { cwd },
    );
    const lines = ran.stdout.split('\n');
    expect(lines[0]).toContain('"n":1,"result":{"big":12345678901234567890, "x":1.10},"run"');
    expect(lines[1]).toContain('"n":2,"result":{"title":"T","size":1e999},"run"');
    expect(ran.of.t3?.run.error).toEqual({ code: 'GONE', message: 'no such page' });
    expect(ran.of.t4).toMatchObject({
      result: 'partly',
      run: { error: { code: 'ERROR', message: 'just words' } },
    });
    expect(ran.of.t5).not.toHaveProperty('result');
    expect(ran.of.t6?.result).toBe(null);
    expect(ran.records.map(({ run }) => run.state[0]).join('')).toBe('SSFFSS');
  });

  test('can echo the record with a result added, and change nothing else', async () => {
    const ran = await run(
      `print(line.replace(/}$/, ',"result":' + n * 2 + '}'))
      print('\\n')`,
      '{"uuid":"a","n":1.10,"error":"an attribute"}\n',
    );
    expect(ran.stdout).toMatch(
      /^\{"uuid":"a","n":1.10,"error":"an attribute","result":2.2,"run":\{"state":"SUCCESS"/,
    );
    expect(ran.stderr).toBe('task-exec: 1 done\n');
  });

  test('can come from jq', async (context) => {
    if (!(await has('jq'))) context.skip('jq is not installed');
    const filter = '{uuid, result: (.n|tonumber*2)}';
    const ran = await exec(['--worker', `jq -c --unbuffered '${filter}'`, '-j', '2'], numbered(50));
    expect(ran.records.every(({ uuid, result }) => result === 2 * (Number(uuid.slice(1)) - 1))).toBe(true);
    expect(ran.records).toHaveLength(50);
  });

  test('can come in any order, and --keep-order restores the order of the input', async () => {
    const ran = await run(
      `held.push({ uuid, result: n });
      if (held.length === 5) for (const one of held.splice(0).reverse()) print(one);`,
      numbered(20),
      { args: ['-j', '1', '--per-worker', '5', '--keep-order'] },
    );
    expect(ran.records.map(({ result }) => result)).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });

  test('are matched to tasks with the same uuid, one to each', async () => {
    const input = tasks(...Array.from({ length: 9 }, (_, n) => ({ uuid: 'same', n })));
    const ran = await run('print({ uuid, result: n })', input, { args: ['-j', '2'] });
    expect(ran.records.map(({ result }) => result).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('with retry in the error make the task run again', async () => {
    const ran = await run(
      `print(count < 3 ? { uuid, error: { code: 'BUSY', message: 'later', retry: true } } : { uuid, result: count })`,
      numbered(1),
    );
    expect(ran.of.t1).toMatchObject({ result: 3, run: { state: 'SUCCESS', attempts: 3 } });
  });
});

describe('invalid worker output', () => {
  test('such as garbage, unknown uuids and second answers is reported and ignored', async () => {
    const ran = await run(
      `if (n === 1) print('debugging\\n');
      if (n === 2) print({ uuid: 'stranger' });
      if (n === 3) print(Buffer.from([0xff, 10]).toString('latin1'));
      print({ uuid, result: n });
      if (n === 4) print({ uuid, result: 'again' });`,
      numbered(6),
      { args: ['-j', '1', '--keep-order'] },
    );
    expect(ran.records.map(({ result }) => result)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(ran.stderr.split('\n').filter((line) => line.startsWith('worker 1: '))).toEqual([
      'worker 1: printed a line that is not an answer: debugging',
      'worker 1: answered for a task that it does not have, or twice: "stranger"',
      expect.stringMatching(/^worker 1: printed /),
      'worker 1: answered for a task that it does not have, or twice: "t5"',
    ]);
    expect(ran.code).toBe(0);
  });

  test('that is not UTF-8 fails its task', async () => {
    const ran = await run(
      `if (count === 1) writeSync(1, Buffer.from('{"uuid":"t1","result":"\\xff"}\\n', 'latin1'));
      else print({ uuid, result: 'good' });`,
      numbered(1),
      { args: ['--timeout', '20s', '-j', '1'] },
    );
    expect(ran.of.t1?.run).toMatchObject({ state: 'FAILURE', attempts: 1, error: { code: 'ANSWER' } });
  });

  test('without a newline is cut off by --max-output, and its worker is killed', async () => {
    const ran = await run(
      `if (n === 1) for (;;) print('x'.repeat(1000)); else print({ uuid, result: n })`,
      numbered(5),
      { args: ['--max-output', '100KB', '-j', '1'] },
    );
    expect(codes(ran)).toEqual({ SUCCESS: 4, OUTPUT_TOO_LARGE: 1 });
    expect(ran.of.t2?.run.error?.message).toMatch(/wrote a line of more than 102400 bytes \(--max-output\)$/);
  });

  test('on stderr is shown with the worker number, escaped, and limited in length', async () => {
    const ran = await run(
      `console.error('\\x1b[31mred'); for (let i = 0; i < 5000; i++) console.error(i); print({ uuid })`,
      numbered(1),
    );
    const lines = ran.stderr.split('\n');
    expect(lines[0]).toBe('worker 1: \\x1b[31mred');
    expect(lines.length).toBeLessThan(1000);
    expect(ran.stderr).toMatch(/^workers: \d+ more lines were left out$/m);
  });
});

describe('a worker death', () => {
  test('retries the current task, then fails it, and affects no other task', async () => {
    const ran = await run(
      `if (n === 7) { console.error('cannot bear 7'); process.exit(3); } print({ uuid, result: n })`,
      numbered(100),
      { args: ['-j', '2'] },
    );
    expect(codes(ran)).toEqual({ SUCCESS: 99, WORKER_DIED: 1 });
    expect(ran.of.t8?.run).toMatchObject({ attempts: 4 });
    expect(ran.of.t8?.run.error?.message).toMatch(
      /^worker \d \(.*node\) ended with exit code 3 while it had this task: cannot bear 7$/,
    );
    expect(ran.records.every(({ uuid, run }) => uuid === 't8' || run.attempts === 1)).toBe(true);
  });

  test('with --retries 0 fails only the current task, not those that waited in the pipe', async () => {
    const ran = await run(
      `if (n % 20 === 19) process.kill(process.pid, 'SIGKILL'); print({ uuid, result: n })`,
      numbered(100),
      { args: ['-j', '1', '--retries', '0', '--per-worker', '8'] },
    );
    expect(codes(ran)).toEqual({ SUCCESS: 95, WORKER_DIED: 5 });
    expect(ran.of.t20?.run.error?.message).toMatch(/was killed by SIGKILL/);
  });

  test('discards an incomplete answer', async () => {
    const ran = await run(
      `if (existsSync('half')) print({ uuid, result: 'whole' });
      else { writeFileSync('half', ''); print('{"uuid":"t1","result":12'); process.exit(1); }`,
      numbered(1),
    );
    expect(ran.of.t1).toMatchObject({ result: 'whole', run: { attempts: 2 } });
  });

  test('right after an answer fails no task, and a new worker follows', async () => {
    const ran = await run('print({ uuid, result: n }); if (count === 10) process.exit(0);', numbered(100), {
      args: ['-j', '2', '--retries', '0', '--per-worker', '4'],
    });
    expect(codes(ran)).toEqual({ SUCCESS: 100 });
    expect(pidsIn(join(ran.cwd, 'pids')).length).toBeGreaterThanOrEqual(10);
  });

  test('at each of several bad tasks at the end fails them after their retries, and does not end the stage', async () => {
    for (const batch of [[], ['--batch', '20']]) {
      const ran = await run(
        `const all = task.batch ?? [task];
        if (all.some(({ n }) => n >= 37)) process.exit(3);
        const answers = all.map(({ uuid, n }) => ({ uuid, result: n }));
        print(task.batch === undefined ? answers[0] : { batch: answers });`,
        numbered(40),
        { args: ['-j', '1', ...batch] },
      );
      expect([ran.code, codes(ran)]).toEqual([1, { SUCCESS: 37, WORKER_DIED: 3 }]);
      for (const uuid of ['t38', 't39', 't40']) expect(ran.of[uuid]?.run.attempts).toBe(4);
    }
  });

  test('at every start ends the stage with the last words of the worker', async () => {
    for (const args of [
      ['-j', '1'],
      ['-j', '4', '--retries', '0'],
    ]) {
      const ran = await exec(
        ['--shell', '--worker', 'echo no licence >&2; exit 9', ...quick, ...args],
        numbered(50),
      );
      expect([ran.code, ran.stderr]).toEqual([
        74,
        expect.stringMatching(
          /--worker sh: \d+ workers in a row ended without an answer, the last one with exit code 9: no licence\n$/,
        ),
      ]);
    }
  });
});

describe('a worker start', () => {
  test('that fails ends the stage', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'w'), '#!/no/such/interpreter\n', { mode: 0o755 });
    const ran = await exec(['--worker', './w', ...quick], numbered(50), { cwd });
    expect([ran.code, ran.stderr]).toEqual([
      74,
      expect.stringMatching(/the last one before it began: no such program /),
    ]);
  });

  test('sets the worker number and only the variables of --env', async () => {
    const cwd = freshFolder();
    const ran = await exec(
      [
        '--shell',
        '--worker',
        'read -r line; echo "{\\"uuid\\":\\"t1\\",\\"result\\":\\"$TASK_WORKER_NUMBER $A $B\\"}"',
        '--env',
        'A',
      ],
      numbered(1),
      { cwd, env: { A: 'a', B: 'b' } },
    );
    expect(ran.of.t1?.result).toBe('1 a ');
  });
});

describe('timing', () => {
  test('a worker that is silent for --timeout is killed, and only its current task fails', async () => {
    const ran = await run(
      `if (n === 3) await new Promise(() => setInterval(() => {}, 1000)); print({ uuid, result: n })`,
      numbered(10),
      { args: ['-j', '1', '--per-worker', '10', '--timeout', '3s'] },
    );
    expect(codes(ran)).toEqual({ SUCCESS: 9, TIMEOUT: 1 });
    expect(ran.of.t4?.run.error?.message).toMatch(/did not answer within 3 s \(--timeout\)$/);
  });

  test('the timeout of a task does not run while it waits behind others', async () => {
    const ran = await run(
      `await new Promise((resolve) => setTimeout(resolve, 300)); print({ uuid, result: n })`,
      numbered(12),
      { args: ['-j', '1', '--per-worker', '12', '--timeout', '3s', '--retries', '0'] },
    );
    expect(codes(ran)).toEqual({ SUCCESS: 12 }); // 3.6 s in total
  });

  test('a worker that never reads is killed at its timeout, although its pipe is full', async () => {
    const big = tasks({ v: 'x'.repeat(300_000) }, { v: 'x'.repeat(300_000) });
    const ran = await exec(
      ['--shell', '--worker', 'exec sleep 300', '--timeout', '300ms', '-j', '1', '--per-worker', '5'],
      big,
    );
    expect(codes(ran)).toEqual({ TIMEOUT: 2 });
  });

  test('slow tasks are distributed: none waits behind another while a worker is idle', async () => {
    // A task ends when the two others of its round have begun and 50 ms have passed.
    const ran = await run(
      `appendFileSync('log', 'x');
      const wait = () => new Promise((resolve) => setTimeout(resolve, 50));
      do await wait(); while (readFileSync('log').length < 3 * Math.floor(n / 3) + 3);
      print({ uuid, result: number });`,
      numbered(12),
      { args: ['-j', '3', '--timeout', '20s', '--retries', '0'] },
    );
    expect(codes(ran)).toEqual({ SUCCESS: 12 });
    expect(new Set(ran.records.map(({ result }) => result))).toEqual(new Set(['1', '2', '3']));
  });
});

describe('large tasks', () => {
  test('larger than a pipe pass through, several at once', async () => {
    const input = tasks(...Array.from({ length: 40 }, (_, n) => ({ n, v: 'x'.repeat(300_000) })));
    const ran = await run('print({ uuid, result: n + task.v.length })', input, {
      args: ['-j', '2', '--per-worker', '5', '--timeout', '20s', '--retries', '0'],
    });
    expect(codes(ran)).toEqual({ SUCCESS: 40 });
    expect(ran.of.t40?.result).toBe(300_039);
  });
});

describe('task-exec --worker', () => {
  test('closes the input of workers at end of input and waits for them', async () => {
    const { cwd } = await run('print({ uuid })', numbered(3), {
      args: ['-j', '1'],
      last: `writeFileSync('bye', '')`,
    });
    expect(readFileSync(join(cwd, 'bye'), 'utf8')).toBe('');
  });

  test('stops a worker that does not exit within --grace', async () => {
    const ran = await run('print({ uuid })', numbered(3), {
      args: ['-j', '1', '--grace', '200ms'],
      last: 'setInterval(() => {}, 1000);',
    });
    expect([ran.code, pidsIn(join(ran.cwd, 'pids')).some(isAlive)]).toEqual([0, false]);
  });

  for (const [how, signals] of [
    ['the second signal', ['SIGINT', 'SIGTERM']],
    ['kill -9 of task-exec', ['SIGKILL']],
  ] as const) {
    test(`leaves no worker after ${how}`, async () => {
      const made = worker(`appendFileSync('tasks', n + '\\n');`); // never answers, but exits at end of input
      const child = start(`exec task-exec -j 2 --grace 1h --worker "${process.execPath} w.mjs"`, {
        cwd: made.cwd,
      });
      child.stdin?.write(numbered(4));
      const end = once(child, 'close');
      await until(() => pidsIn(join(made.cwd, 'tasks')).length === 2);
      for (const signal of signals) child.kill(signal);
      await end;
      await until(() => !pidsIn(join(made.cwd, 'pids')).some(isAlive));
      expect(pidsIn(join(made.cwd, 'pids'))).toHaveLength(2);
    });
  }

  test('lets current tasks finish at the first signal, and the rest comes out as PENDING', async () => {
    const made = worker(
      `appendFileSync('tasks', n + '\\n'); while (!existsSync('go')) await new Promise((r) => setTimeout(r, 20)); print({ uuid });`,
    );
    const child = start(`exec task-exec -j 1 --worker "${process.execPath} w.mjs"`, { cwd: made.cwd });
    let out = '';
    child.stdout?.on('data', (text) => {
      out += text;
    });
    child.stdin?.end(numbered(3));
    const end = once(child, 'close');
    await until(() => pidsIn(join(made.cwd, 'tasks')).length === 1);
    child.kill('SIGINT');
    await until(() => out.split('"PENDING"').length === 3); // the stage has received the signal
    writeFileSync(join(made.cwd, 'go'), '');
    const [code] = await end;
    const seen = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).run.state);
    expect([seen.sort(), code]).toEqual([['PENDING', 'PENDING', 'SUCCESS'], 130]);
  });

  test('returns each of ten thousand tasks once from one echoing worker', async () => {
    const ran = await exec(['--worker', 'cat', '-j', '1', '--quiet'], numbered(10_000));
    expect([new Set(ran.records.map(({ uuid }) => uuid)).size, ran.records.length]).toEqual([10_000, 10_000]);
    expect(codes(ran)).toEqual({ SUCCESS: 10_000 });
  });
});
