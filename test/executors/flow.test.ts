/* Results of task-exec --flow, also when it is stopped or killed. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { task } from '../../src/flow/index.ts';
import { exec, flow, linear, Task } from '../../src/index.ts';
import { serve } from '../support/http-server.ts';
import { ended, freshFolder, root, sh, start } from '../support/run.ts';

interface Outcome {
  readonly uuid: string;
  readonly result?: Record<string, unknown>;
  readonly run: {
    readonly state: string;
    readonly error?: { readonly code: string; readonly message: string };
  };
}

const recordsOf = (text: string): Outcome[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

/** Makes a folder with the file of a flow. */
function folderWith(source: string, file = 'flow.js'): string {
  const cwd = freshFolder();
  writeFileSync(join(cwd, file), source);
  return cwd;
}

async function execFlow(cwd: string, tasks: readonly object[], options = '--flow flow.js') {
  const input = tasks.map((fields) => `${JSON.stringify(fields)}\n`).join('');
  const { stdout, stderr, code } = await sh(`task-exec ${options} --keep-order`, { cwd, input });
  return { records: recordsOf(stdout), stderr, code };
}

const SUM = `import { linear, task } from 'taskpipe/flow';
const bad = (message, code) => { throw Object.assign(new Error(message), { code }); };
export default linear('sum').add(
  task('double', ({ n }) => n * 2, { requires: ['n'], provides: 'double',
    revert: (inputs, { result }) => { if (result === 8) bad('it stays', 'STAYS'); } }),
  task('more', ({ double }) => double > 6 ? bad('too much', 'MUCH') : double + 1, { requires: ['double'], provides: 'more' }),
);
`;

test('an error of an atom fails one task with its causes, and its stack is in the events', async () => {
  const cwd = folderWith(`import { linear, task } from 'taskpipe/flow';
export default linear('f').add(task('a', ({ n }) => {
  if (n === 1) throw { code: 'DENIED', message: 'card is blocked' };
  if (n === 2) throw Object.create(null);
  if (n === 3) throw new Error('outer', { cause: new Error('inner') });
}, { requires: ['n'] }));`);
  const tasks = [1, 2, 3, 4].map((n) => ({ uuid: `u${n}`, n }));
  const { records, code } = await execFlow(cwd, tasks, '--flow flow.js --events ev');
  expect(records.map(({ run: { error } }) => error && `${error.code} ${error.message}`)).toEqual([
    'DENIED "a" failed: card is blocked (DENIED); reverted: a',
    'ERROR "a" failed: a value that cannot be shown; reverted: a',
    'ERROR "a" failed: outer: inner; reverted: a',
    undefined,
  ]);
  expect(code).toBe(1);
  const events = readFileSync(join(cwd, 'ev'), 'utf8');
  expect(events).toMatch(/"atom":"a".*"state":"FAILURE".*"stack":"Error: outer.*Caused by: Error: inner/);
});

test('events take bounded memory, however fast the tasks are', async () => {
  const cwd = folderWith(`import { linear, task } from 'taskpipe/flow';
const text = 'x'.repeat(1000);
export default linear('f').add(task('a', () => text), task('b', () => text), task('c', () => text));`);
  const input = Array.from({ length: 40_000 }, (_, n) => `{"uuid":"${n}"}\n`).join('');
  const env = { NODE_OPTIONS: '--max-old-space-size=64' };
  const command = 'task-exec --flow flow.js --quiet --events /dev/null';
  const { stdout, stderr, code } = await sh(command, { cwd, input, env });
  expect({ code, stderr, rows: stdout.split('\n').length - 1 }).toEqual({
    code: 0,
    stderr: '',
    rows: 40_000,
  });
});

test('with --flow-log, records with one uuid run once, and a flow that could not be reverted stays so', async () => {
  const cwd = folderWith(`import { linear, task } from 'taskpipe/flow';
import { appendFileSync } from 'node:fs';
const note = ({ uuid }) => new Promise((resolve) => setImmediate(() => { appendFileSync('charges', uuid); resolve(); }));
const refuse = () => { throw new Error('bank is closed'); };
const charge = task('charge', note, { requires: ['uuid'], revert: refuse });
const ship = task('ship', ({ uuid }) => { if (uuid === 'b') throw new Error('no stock'); }, { requires: ['uuid'] });
export default linear('f').add(charge, ship);`);
  const tasks = [{ uuid: 'a' }, { uuid: 'a' }, { uuid: 'b' }, { uuid: 'b' }];
  for (const _ of ['first', 'second']) {
    const { records } = await execFlow(cwd, tasks, '--flow flow.js --flow-log l');
    expect(records.map(({ run }) => run.state)).toEqual([
      'SUCCESS',
      'SUCCESS',
      'REVERT_FAILURE',
      'REVERT_FAILURE',
    ]);
    expect(records[3]?.run.error?.message).toContain('bank is closed');
  }
  expect(readFileSync(join(cwd, 'charges'), 'utf8')).toMatch(/^(ab|ba)$/);
});

test('a flow log is not a ledger: task-load and task-done reject it', async () => {
  const cwd = folderWith(SUM);
  await execFlow(cwd, [{ uuid: 'a', n: 1 }], '--flow flow.js --flow-log l');
  for (const command of ['task-done count l', 'task-load --format ndjson --ledger l']) {
    const { code, stderr } = await sh(command, { cwd, input: '{"uuid":"a"}\n' });
    expect({ code, stderr }).toEqual({ code: 65, stderr: expect.stringContaining('it is a flow log') });
  }
});

test('a flow function that throws anything fails one task', async () => {
  const cwd = folderWith(`import { linear } from 'taskpipe/flow';
export default ({ fields: { n } }) => {
  if (n === 1) throw Object.create(null);
  if (n === 2) return { get kind() { throw new Error('no kind'); } };
  return linear('f');
};`);
  const { records } = await execFlow(
    cwd,
    [1, 2, 3].map((n) => ({ uuid: `u${n}`, n })),
  );
  expect(records.map(({ run: { error } }) => error?.message)).toEqual([
    'a value that cannot be shown',
    'no kind',
    undefined,
  ]);
});

describe('a record', () => {
  test('has the values that the atoms provide, or the failure and the reverted atoms', async () => {
    const tasks = [{ uuid: 'a', n: 1 }, { uuid: 'b', n: 5 }, { uuid: 'c', n: 4 }, { uuid: 'd' }];
    const { records, stderr, code } = await execFlow(folderWith(SUM), tasks);
    expect(records.map(({ uuid, result, run }) => [uuid, result, run.state, run.error])).toEqual([
      ['a', { double: 2, more: 3 }, 'SUCCESS', undefined],
      [
        'b',
        undefined,
        'REVERTED',
        { code: 'MUCH', message: '"more" failed: too much (MUCH); reverted: more, double' },
      ],
      [
        'c',
        undefined,
        'REVERT_FAILURE',
        {
          code: 'STAYS',
          message:
            '"more" failed: too much (MUCH); "double" could not be reverted: it stays (STAYS); reverted: more',
        },
      ],
      [
        'd',
        undefined,
        'FAILURE',
        { code: 'INPUT', message: expect.stringMatching(/"double" requires "n", but the store/) },
      ],
    ]);
    const [counts] = stderr.split('\n');
    expect(counts).toBe('task-exec: 1 done, 3 failed (INPUT 1, MUCH 1, STAYS 1)'); // in order of completion
    expect(code).toBe(1);
  });

  test('of a reverted task goes to the rest file, and runs again from there', async () => {
    const cwd = folderWith(SUM);
    writeFileSync(join(cwd, 'a.ndjson'), '{"uuid":"a","n":1}\n{"uuid":"b","n":5}\n');
    await sh('task-load a.ndjson | task-exec --flow flow.js | task-save out.csv', { cwd });
    expect(recordsOf(readFileSync(join(cwd, 'out.csv.rest.ndjson'), 'utf8'))).toMatchObject([
      { uuid: 'b', run: { state: 'REVERTED' } },
    ]);
    writeFileSync(join(cwd, 'flow.js'), SUM.replace('> 6', '> 99'));
    await sh('task-load out.csv.rest.ndjson | task-exec --flow flow.js | task-save out.csv', { cwd });
    expect(existsSync(join(cwd, 'out.csv.rest.ndjson'))).toBe(false);
    expect(readFileSync(join(cwd, 'out.csv'), 'utf8').split('\n')).toHaveLength(4);
  });

  test('can have a flow made for it, also in TypeScript', async () => {
    const source = `import { linear, task } from 'taskpipe/flow';
      interface Made { fields: { steps: string[] } }
      export default ({ fields }: Made) => linear('made').add(...fields.steps.map((name) => task(name, () => name, { provides: name })));`;
    const tasks = [
      { uuid: 'a', steps: ['x', 'y'] },
      { uuid: 'b', steps: ['z'] },
      { uuid: 'c', steps: ['x', 'x'] },
    ];
    const { records } = await execFlow(folderWith(source, 'flow.ts'), tasks, '--flow flow.ts');
    expect(records.map(({ result, run }) => [result, run.error?.code])).toEqual([
      [{ x: 'x', y: 'y' }, undefined],
      [{ z: 'z' }, undefined],
      [undefined, 'FLOW'],
    ]);
  });
});

test('--engine parallel runs independent atoms at the same time, and the default engine does not', async () => {
  const cwd = folderWith(`import { task, unordered } from 'taskpipe/flow';
    let meet;
    const other = new Promise((resolve) => { meet = resolve; });
    export default unordered('f').add(task('a', () => other, { provides: 'a' }), task('b', () => meet('met')));`);
  const parallel = await execFlow(cwd, [{ uuid: 'u' }], '--flow flow.js --engine parallel');
  expect(parallel.records).toMatchObject([{ result: { a: 'met' } }]);
  const serial = await execFlow(cwd, [{ uuid: 'u' }], '--flow flow.js --timeout 50ms');
  expect(serial.records).toMatchObject([{ run: { state: 'REVERTED', error: { code: 'TIMEOUT' } } }]);
});

describe('the examples', () => {
  const example = (name: string): string => `--flow ${join(root, 'examples', name)}`;

  test('two-sites reverts both requests if the second one fails', async () => {
    const { url } = await serve((response, { url: path }) => {
      response.statusCode = path === '/bad' ? 404 : 200;
      response.end();
    });
    const tasks = [
      { uuid: 'good', first: `${url}/a`, second: `${url}/b` },
      { uuid: 'bad', first: `${url}/a`, second: `${url}/bad` },
    ];
    const { records, stderr } = await execFlow(freshFolder(), tasks, `${example('two-sites.js')} -j 1`);
    expect(records).toMatchObject([
      { result: { first_status: 200, second_status: 200 }, run: { state: 'SUCCESS' } },
      {
        run: {
          state: 'REVERTED',
          error: {
            code: 'HTTP_STATUS',
            message: expect.stringContaining('reverted: fetch-second, fetch-first'),
          },
        },
      },
    ]);
    expect(stderr.split('\n').slice(0, 2)).toEqual([
      `taking back ${url}/bad: ${url}/bad answered 404`,
      `taking back ${url}/a: it had answered 200`,
    ]);
  });

  test('signup deletes the user and sends no mail after a card is refused three times', async () => {
    const asked: string[] = [];
    const { url } = await serve((response, { method, url: path, body }) => {
      asked.push(`${method} ${path}`);
      const isRefused = path === '/charges' && String(body).includes('stolen');
      response.statusCode = isRefused ? 402 : 200;
      response.end(JSON.stringify(isRefused ? { error: 'refused' } : { user: 'u1', charge: 'c1' }));
    });
    const task = { uuid: 'a', api: url, email: 'a@b.c', card: 'mine' };
    const good = await execFlow(freshFolder(), [task], example('signup.js'));
    expect(good.records).toMatchObject([{ result: { user: 'u1', charge: 'c1' } }]);
    expect(asked.splice(0)).toEqual(['POST /users', 'POST /charges', 'POST /mails']);
    const bad = await execFlow(freshFolder(), [{ ...task, card: 'stolen' }], example('signup.js'));
    expect(bad.records).toMatchObject([{ run: { state: 'REVERTED', error: { code: 'HTTP_402' } } }]);
    expect(asked).toEqual([
      'POST /users',
      'POST /charges',
      'POST /charges',
      'POST /charges',
      'DELETE /users/u1',
    ]);
  });
});

/** Flow whose atoms record their calls in a file and take a few milliseconds. */
const SLOW = `import { appendFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { linear, task } from 'taskpipe/flow';
const tell = (line) => appendFileSync('calls', line + '\\n');
const step = (name) => task(name, async (inputs, { store, isRepeated }) => {
  tell([store.uuid, name, isRepeated].join(' '));
  await setTimeout(name === 'b' ? store.wait ?? 3 : 3);
  if (store.bad === name) throw new Error('bad');
  return name;
}, { provides: name, revert: async (inputs, undoing, { store }) => { tell([store.uuid, '-' + name].join(' ')); await setTimeout(3); } });
export default linear('slow').add(step('a'), step('b'), step('c'), step('d'));
`;

const linesOf = (cwd: string, file: string): string[] =>
  existsSync(join(cwd, file))
    ? readFileSync(join(cwd, file), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
    : [];

/** Waits until a file has this many lines or a process has ended. */
async function grown(cwd: string, file: string, lines: number, isOver: () => boolean): Promise<void> {
  while (linesOf(cwd, file).length < lines && !isOver())
    await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Returns the calls of atoms that succeeded according to the log, as `uuid atom`. */
function doneIn(cwd: string): Set<string> {
  const done = new Set<string>();
  for (const line of linesOf(cwd, 'log')) {
    try {
      const { uuid, atom, state } = JSON.parse(line);
      if (state === 'SUCCESS') done.add(`${uuid} ${atom}`);
    } catch {
      // torn line
    }
  }
  return done;
}

test('a flow that is killed repeatedly resumes, and repeats no finished atom', async () => {
  const cwd = folderWith(SLOW);
  const isBad = (n: number): boolean => n % 10 === 0;
  const tasks = Array.from({ length: 40 }, (_, n) => ({ uuid: `t${n}`, ...(isBad(n) ? { bad: 'c' } : {}) }));
  writeFileSync(join(cwd, 'in'), tasks.map((fields) => `${JSON.stringify(fields)}\n`).join(''));
  const command = 'exec task-exec --flow flow.js --flow-log log -j 5 < in';
  /** Lines of calls that were read. `callsSince` skips reverted tasks, because each run repeats them. */
  let told = 0;
  const callsSince = (): string[] => {
    const lines = linesOf(cwd, 'calls').slice(told);
    told += lines.length;
    return lines.map((line) => line.split(' ').slice(0, 2).join(' ')).filter((call) => !/^t\d*0 /.test(call));
  };
  for (const some of [7, 30, 20, 45]) {
    const done = doneIn(cwd);
    const child = start(command, { cwd });
    const end = ended(child);
    await grown(cwd, 'calls', told + some, () => child.exitCode !== null);
    child.kill('SIGKILL');
    expect((await end).signal).toBe('SIGKILL');
    expect(callsSince().filter((call) => done.has(call))).toEqual([]);
  }
  const done = doneIn(cwd);
  const { stdout, stderr } = await sh(command, { cwd });
  expect(done.size).toBeGreaterThan(50);
  expect(callsSince().filter((call) => done.has(call))).toEqual([]);
  expect(stderr).toMatch(/t\d+: "[abcd]" was being (run|reverted) when the process ended; it is \1 again/);
  const states = new Map(recordsOf(stdout).map(({ uuid, run }) => [uuid, run.state]));
  expect(states).toEqual(
    new Map([...states.keys()].map((uuid) => [uuid, /0$/.test(uuid) ? 'REVERTED' : 'SUCCESS'])),
  );
  expect(states.size).toBe(40);
});

describe('SIGINT', () => {
  const TASK = '{"uuid":"u","wait":1000}\n';

  test('lets the current atom finish and emits the task as PENDING, and --flow-log resumes it', async () => {
    const cwd = folderWith(SLOW);
    const command = 'exec task-exec --flow flow.js --flow-log log';
    const child = start(command, { cwd });
    const end = ended(child);
    child.stdin?.write(TASK);
    await grown(cwd, 'calls', 2, () => child.exitCode !== null);
    child.kill('SIGINT');
    const { stdout, code } = await end;
    expect([recordsOf(stdout)[0]?.run.state, code]).toEqual(['PENDING', 130]);
    expect([...doneIn(cwd)]).toEqual(['u a', 'u b']);
    const { stdout: rest } = await sh(command, { cwd, input: stdout });
    expect(recordsOf(rest)).toMatchObject([
      { result: { a: 'a', b: 'b', c: 'c', d: 'd' }, run: { state: 'SUCCESS' } },
    ]);
    expect(linesOf(cwd, 'calls')).toEqual(['u a false', 'u b false', 'u c false', 'u d false']);
  });

  test('without --flow-log lets the flow finish', async () => {
    const cwd = folderWith(SLOW);
    const child = start('exec task-exec --flow flow.js', { cwd });
    const end = ended(child);
    child.stdin?.write(TASK);
    await grown(cwd, 'calls', 2, () => child.exitCode !== null);
    child.kill('SIGINT');
    expect(recordsOf((await end).stdout)[0]?.run.state).toBe('SUCCESS');
  });

  test('starts no other atom after --grace', async () => {
    const cwd = folderWith(SLOW);
    const child = start('exec task-exec --flow flow.js --grace 50ms', { cwd });
    const end = ended(child);
    child.stdin?.write(TASK);
    await grown(cwd, 'calls', 2, () => child.exitCode !== null);
    child.kill('SIGINT');
    expect(recordsOf((await end).stdout)[0]?.run.state).toBe('PENDING');
    expect(linesOf(cwd, 'calls')).toEqual(['u a false', 'u b false']);
  });
});

test('the library runs a flow as an executor, and rejects an invalid one', async () => {
  const double = linear('f').add(
    task('double', ({ n }) => Number(n) * 2, { requires: ['n'], provides: 'double' }),
  );
  async function* tasks() {
    yield [new Task('a', '{"uuid":"a","n":4}')];
  }
  const lines: string[] = [];
  for await (const batch of exec(await flow(double))(tasks())) lines.push(...batch.map(({ line }) => line));
  expect(recordsOf(lines.join('\n'))).toMatchObject([{ result: { double: 8 }, run: { state: 'SUCCESS' } }]);
  await expect(
    flow(
      linear('f').add(
        task('a', () => 1),
        task('a', () => 2),
      ),
    ),
  ).rejects.toThrow(/two atoms are called "a"/);
});
