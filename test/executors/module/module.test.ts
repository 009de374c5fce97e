import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parsed, type Row, startPipeline, startServer } from '../../pipes/pipeline.ts';
import { type Ended, freshFolder, sh } from '../../support/run.ts';

/** Runs a module over some tasks. */
async function run(
  code: string,
  tasks: readonly object[],
  options = '',
  {
    cwd = freshFolder(),
    file = 'work.mjs',
    env = {},
  }: { cwd?: string; file?: string; env?: Record<string, string> } = {},
): Promise<Ended & { cwd: string; rows: Row[] }> {
  writeFileSync(join(cwd, file), code);
  const input = tasks.map((task, i) => `${JSON.stringify({ uuid: `u${i + 1}`, ...task })}\n`).join('');
  const ended = await sh(`task-exec --module ${file} ${options}`, { cwd, input, env });
  return { ...ended, cwd, rows: parsed(ended.stdout) };
}

function errorsOf(rows: readonly Row[]): unknown[] {
  return rows.map(({ run: { state, error } }) => [state, error?.code]);
}

describe('--module', () => {
  test('calls the default export with the attributes of each task, and saves its return value', async () => {
    const { rows, code, stderr } = await run('export default async ({ n }) => ({ twice: n * 2 });', [
      { n: 1 },
      { n: 2 },
    ]);
    expect(rows.map(({ result }) => result)).toEqual([{ twice: 2 }, { twice: 4 }]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'task-exec: 2 done\n' });
  });

  test('accepts TypeScript', async () => {
    const code = 'type In = { n: number };\nexport default ({ n }: In): number => n satisfies number;\n';
    const { rows } = await run(code, [{ n: 7 }], '', { file: 'work.ts' });
    expect(rows[0]?.result).toBe(7);
  });

  test('calls the function export that a record names as its handler, and nothing else', async () => {
    const code =
      'export default () => 0;\nexport const one = () => 1;\nexport const revert = () => 2;\nexport const two = 2;';
    const tasks = ['one', undefined, 'revert', 'two', 'toString', '__proto__', 7].map((handler) => ({
      handler,
    }));
    const { rows, code: exit } = await run(code, tasks, '--keep-order');
    expect(rows.map(({ result }) => result)).toEqual([1, 0, ...new Array(5).fill(undefined)]);
    expect(errorsOf(rows.slice(2))).toEqual(new Array(5).fill(['FAILURE', 'HANDLER']));
    expect(rows[2]?.run.error).toMatchObject({
      message: 'the record has the handler "revert"; the module has the default export, one',
    });
    expect(exit).toBe(1);
  });

  test.each(['', '--threads 1'])(
    'fails one task for anything that it throws or returns %s',
    async (options) => {
      const code = `const refuse = () => { throw new Error('no'); };
    const all = [
      () => { throw new Proxy({}, { get: refuse, getPrototypeOf: refuse }); },
      () => { throw Object.assign(Object.create(null), { message: 'bad' }); },
      async () => { throw { code: 'NO_STOCK', message: 'sold out' }; },
      () => { throw new Error('outer', { cause: new Error('inner') }); },
      () => ({ get then() { throw new Error('no then'); } }),
      () => ({ then() { throw new Error('bad then'); } }),
      () => new Proxy({}, { ownKeys: refuse, getPrototypeOf: refuse }),
      () => ({ price: new Map() }),
      () => 1,
    ];
    export default ({ n }) => all[n]();`;
      const tasks = Array.from({ length: 9 }, (_, n) => ({ n }));
      const { rows, code: exit } = await run(code, tasks, `--keep-order --retries 0 ${options}`);
      expect(rows.map(({ run: { error } }) => error && Object.values(error).join(' '))).toEqual([
        'ERROR a value that cannot be shown',
        'ERROR bad',
        'NO_STOCK sold out',
        'ERROR outer: inner',
        'ERROR no then',
        'ERROR bad then',
        expect.stringMatching(/^ERROR no$|^RESULT /),
        expect.stringMatching(/^RESULT .*a Map at price/),
        undefined,
      ]);
      expect(exit).toBe(1);
    },
  );

  test('turns an exception into a FAILURE with its message, and writes its stack to the events', async () => {
    const code = `export default ({ n }) => {
      if (n === 1) throw new Error('no luck');
      if (n === 2) throw Object.assign(new Error('sold out'), { code: 'SOLD_OUT' });
      if (n === 3) throw 'a string';
      if (n === 4) return Promise.reject(undefined);
      return 1n;
    };`;
    const { rows, cwd } = await run(
      code,
      [1, 2, 3, 4, 5].map((n) => ({ n })),
      '--keep-order --events ev',
    );
    expect(rows.map(({ run }) => run.error)).toEqual([
      { code: 'ERROR', message: 'no luck' },
      { code: 'SOLD_OUT', message: 'sold out' },
      { code: 'ERROR', message: 'a string' },
      { code: 'ERROR', message: 'undefined' },
      { code: 'RESULT', message: expect.stringContaining('a value that is not JSON') },
    ]);
    const events = readFileSync(join(cwd, 'ev'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.find(({ uuid, state }) => uuid === 'u1' && state === 'FAILURE')).toMatchObject({
      old_state: 'RUNNING',
      attempt: 1,
      error: { code: 'ERROR', message: 'no luck' },
      stack: expect.stringMatching(/^Error: no luck\n +at .*work\.mjs:2:/),
    });
  });

  test('retries an error that has retry', async () => {
    const code = `const seen = new Map();
    export default ({ uuid }, { attempt }) => {
      if (attempt < 3) throw Object.assign(new Error('busy'), { retry: true });
      return attempt;
    };`;
    const { rows, stderr } = await run(code, [{}], '--backoff 1ms..2ms');
    expect(rows[0]?.result).toBe(3);
    expect(rows[0]?.run.attempts).toBe(3);
    expect(stderr).toBe('task-exec: 1 done, tried again 2 times\n');
  });

  test('passes the original record to each attempt, whatever an earlier attempt changed in it', async () => {
    const code = `export default (task, { attempt }) => {
      const seen = JSON.stringify(task);
      for (const item of task.items) item.n = 'changed';
      task.deep.list[0].push('changed');
      task.run.error.code = 'CHANGED';
      if (attempt < 2) throw Object.assign(new Error('busy'), { retry: true });
      return seen;
    };`;
    const task = {
      items: [{ n: 1 }, { n: 2 }],
      deep: { list: [[1]], ['__proto__']: { a: 1 } },
      run: { state: 'PENDING', as: 'result', attempts: 1, error: { code: 'BUSY', message: 'no' } },
    };
    for (const threads of ['', '--threads 1']) {
      const { rows } = await run(code, [task], `--backoff 1ms..2ms ${threads}`);
      expect(JSON.parse(String(rows[0]?.result))).toEqual({ uuid: 'u1', ...task });
      expect(rows[0]).toMatchObject({ items: task.items, run: { attempts: 2 } });
    }
  });

  test('ends a function that never settles at --timeout, and aborts its signal', async () => {
    const code = `import { writeFileSync } from 'node:fs';
    export default (_, { signal }) => new Promise(() => signal.addEventListener('abort', () => writeFileSync('aborted', '')));`;
    const { rows, cwd } = await run(code, [{}], '--timeout 200ms --retries 0');
    expect(rows[0]?.run.error).toEqual({
      code: 'TIMEOUT',
      message: 'the function did not end within 200 ms (--timeout)',
    });
    expect(existsSync(join(cwd, 'aborted'))).toBe(true);
  });

  test('ignores changes that a function makes to its task', async () => {
    const code = 'export default (task) => { delete task.run; task.n = 5; task.more = 1; };';
    const input = '{"uuid":"a","n":1.10,"run":{"state":"SUCCESS","as":"x","attempts":1,"at":"","ms":0}}\n';
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'work.mjs'), code);
    const { stdout } = await sh('task-exec --module work.mjs --quiet', { cwd, input });
    expect(stdout).toMatch(/^\{"uuid":"a","n":1\.10,"run":\{"state":"SUCCESS","as":"result",[^{}]*\}\}\n$/);
  });

  test.each([
    ['nothing.mjs', '', 'cannot read --module nothing.mjs: no such file', 74],
    ['bad.mjs', 'export default (', '--module bad.mjs cannot be loaded: ', 2],
    ['empty.mjs', 'export const taskId = () => 1;', 'empty.mjs must export a function', 2],
  ])('ends the stage before it begins if it cannot be used: %s', async (file, code, words, expected) => {
    const cwd = freshFolder();
    if (code !== '') writeFileSync(join(cwd, file), code);
    const { code: exit, stderr } = await sh(`task-exec --module ${file}`, { cwd });
    expect(stderr).toContain(words);
    expect(stderr).not.toContain('a defect');
    expect(exit).toBe(expected);
  });

  test('ctx.stop() lets current tasks finish, and the rest comes out as PENDING', async () => {
    const code = 'export default ({ n }, { stop }) => { if (n === 3) stop(); return n; };';
    const { rows, code: exit } = await run(
      code,
      [1, 2, 3, 4, 5].map((n) => ({ n })),
      '-j 1',
    );
    expect(new Map(rows.map(({ n, run }) => [Number(n), run.state]))).toEqual(
      new Map([1, 2, 3, 4, 5].map((n) => [n, n < 4 ? 'SUCCESS' : 'PENDING'])),
    );
    expect(exit).toBe(0);
  });

  test('ctx.fetch returns the response, and fails and retries like --http', async () => {
    const server = await startServer();
    const code = `export default async ({ url }, ctx) => {
      const answer = await ctx.fetch(url, { headers: { 'x-a': 'b' } });
      return { status: answer.status, ok: answer.ok, type: answer.headers.get('content-type'), body: (await answer.json()).ok };
    };`;
    const urls = [`${server.url}/1`, 'http://127.0.0.1:1/', 'nonsense'];
    const { rows } = await run(
      code,
      urls.map((url) => ({ url })),
      '--keep-order --retries 1 --backoff 1ms..2ms',
    );
    expect(rows[0]?.result).toEqual({ status: 200, ok: true, type: 'application/json', body: true });
    expect(rows.slice(1).map(({ run: { attempts, error } }) => [attempts, error?.code])).toEqual([
      [2, 'CONNECTION'],
      [1, 'URL'],
    ]);
  });
});

test.each([
  ['thrown by a timer', "setTimeout(() => { throw new Error('stray'); }, 1)"],
  ['in a promise that is not awaited', "Promise.reject(new Error('stray'))"],
])('an error that is %s stops the stage cleanly and loses no task', async (_, stray) => {
  const code = `export default async ({ n }, { signal }) => {
    if (n === 2) ${stray};
    if (n > 1) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  };`;
  const tasks = [1, 2, 3, 4].map((n) => ({ n }));
  const { rows, code: exit, stderr } = await run(code, tasks, '-j 2 --grace 50ms');
  expect(rows.map(({ n, run }) => [n, run.state]).sort()).toEqual([
    [1, 'SUCCESS'],
    [2, 'PENDING'],
    [3, 'PENDING'],
    [4, 'PENDING'],
  ]);
  expect(stderr).toContain(
    'task-exec: uncaught error, in a timer or a promise without await: Error: stray\n    at ',
  );
  expect(exit).toBe(70);
});

describe('ctx.logger', () => {
  const code =
    "export default ({ uuid }, { logger }) => { logger.info('saw %s', uuid); logger.error('ill \\u001b[31m'); };";

  test('writes the log of each task to its own file, and to stderr', async () => {
    const { cwd, stderr } = await run(code, [{}, { uuid: '../x' }], '--log-dir logs --keep-order');
    const logs = readdirSync(join(cwd, 'logs')).sort();
    expect(logs).toHaveLength(2);
    expect(readFileSync(join(cwd, 'logs/u1.log'), 'utf8')).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z INFO saw u1\n\d{4}-\d\d-\d\dT[\d:.]+Z ERROR ill \u001b\[31m\n$/,
    );
    expect(stderr).toContain('task-exec: u1 INFO saw u1\n');
    expect(stderr).toContain('task-exec: ../x ERROR ill \\x1b[31m\n');
  });

  test.each([
    ['--quiet', {}],
    ['', { DISABLE_STREAM_HANDLER: '1' }],
  ])('writes only to the files with %s %o', async (option, env) => {
    const { cwd, stderr } = await run(code, [{}], `--log-dir logs ${option}`, { env });
    expect(stderr).not.toContain('INFO');
    expect(readFileSync(join(cwd, 'logs/u1.log'), 'utf8')).toContain('INFO saw u1');
  });
});

describe('--threads', () => {
  test('runs tasks in threads, keeps logs and added tasks, and ends a thread that hangs', async () => {
    const code = `import { threadId } from 'node:worker_threads';
    export default ({ n }, { logger, add }) => {
      logger.info('n is %d', n);
      if (n === 2) for (;;);
      if (n === 1) add({ n: 3 });
      return { isMain: threadId === 0 };
    };`;
    const { rows, stderr } = await run(code, [{ n: 1 }, { n: 2 }], '--threads 2 --timeout 300ms --retries 0');
    expect(rows.map(({ n, run }) => [n, run.state]).sort()).toEqual([
      [1, 'SUCCESS'],
      [2, 'FAILURE'],
      [3, 'SUCCESS'],
    ]);
    expect(rows.find(({ n }) => (n as unknown) === 2)?.run.error?.code).toBe('TIMEOUT');
    expect(rows.find(({ n }) => (n as unknown) === 1)?.result).toEqual({ isMain: false });
    expect(stderr).toContain('INFO n is 1');
  });

  test('retries the tasks of a thread that has exited', async () => {
    const code = `import { existsSync, writeFileSync } from 'node:fs';
    export default ({ n }) => {
      if (n !== 1 || existsSync('died')) return n;
      writeFileSync('died', '');
      process.exit(3);
    };`;
    const { rows, code: exit } = await run(
      code,
      [1, 2, 3].map((n) => ({ n })),
      '--threads 1 --backoff 1ms..2ms',
    );
    expect(rows.map(({ n }) => n).sort()).toEqual([1, 2, 3]);
    expect(errorsOf(rows)).toEqual(new Array(3).fill(['SUCCESS', undefined]));
    expect(exit).toBe(0);
  });

  test('rejects a module that cannot be loaded', async () => {
    const { code, stderr } = await run('export default (', [{}], '--threads 2');
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining('--module work.mjs cannot be loaded'),
    });
  });
});

describe('--revert', () => {
  const a =
    'export default ({ n }) => ({ a: n });\nexport const revert = ({ n, a }) => { if (n === 3) throw new Error("stuck"); };';
  const b =
    'export default ({ n }) => { if (n > 1) throw new Error("b fails"); };\nexport const revert = () => {};';

  test('undoes the finished work of failed tasks, with stages in reverse order', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'a.mjs'), a);
    writeFileSync(join(cwd, 'b.mjs'), b);
    const input = '{"uuid":"u1","n":1}\n{"uuid":"u2","n":2}\n{"uuid":"u3","n":3}\n';
    const stages = [
      '--module a.mjs --as a',
      '--module b.mjs --as b',
      '--revert --module b.mjs --as b',
      '--revert --module a.mjs --as a',
    ];
    const pipe = stages.map((stage) => `task-exec --keep-order --quiet ${stage}`).join(' | ');
    const { stdout, stderr } = await sh(pipe, { cwd, input });
    expect(stderr).toBe('');
    expect(parsed(stdout).map(({ uuid, a, run }) => [uuid, a, run.state, run.error])).toEqual([
      ['u1', { a: 1 }, 'SUCCESS', undefined],
      ['u2', { a: 2 }, 'REVERTED', { code: 'ERROR', message: 'b fails' }],
      [
        'u3',
        { a: 3 },
        'REVERT_FAILURE',
        { code: 'ERROR', message: 'it could not be reverted: stuck; it had failed with ERROR: b fails' },
      ],
    ]);
  });

  test('skips tasks that failed before this work began', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'b.mjs'), 'export const revert = () => { throw new Error("called"); };');
    const input =
      '{"uuid":"u","run":{"state":"FAILURE","as":"a","attempts":1,"at":"","ms":0}}\n{"uuid":"v"}\n';
    const { stdout } = await sh('task-exec --revert --module b.mjs --as b --quiet', { cwd, input });
    expect(stdout).toBe(input);
  });
});

test('a module function that never settles ends at the second signal', async () => {
  const cwd = freshFolder();
  writeFileSync(
    join(cwd, 'work.mjs'),
    "export default () => { process.stderr.write('at work\\n'); return new Promise(() => {}); };",
  );
  const pipeline = startPipeline('task-exec --module work.mjs', { cwd });
  const begun = pipeline.said('stderr', /at work/);
  pipeline.child.stdin?.write('{"uuid":"a"}\n');
  await begun;
  pipeline.signal('SIGINT');
  pipeline.signal('SIGTERM');
  const { stdout } = await pipeline.end;
  expect(stdout).toContain('"state":"PENDING"');
  // The signals are sent at once and can arrive in either order.
  expect(await pipeline.codes).toMatch(/^(130|143)$/);
});
