/* Faults of modules: each is reported, fails only the right task, and has bounded effects. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parsed } from '../../pipes/pipeline.ts';
import { freshFolder, sh } from '../../support/run.ts';

const lines = (count: number): string =>
  Array.from({ length: count }, (_, n) => `{"uuid":"u${n}","n":${n}}\n`).join('');

test('a ctx.add after the end of the function is reported as an error', async () => {
  const cwd = freshFolder();
  const code = 'export default (task, ctx) => void setTimeout(() => ctx.add({ uuid: "child" }), 5);';
  writeFileSync(join(cwd, 'work.mjs'), code);
  const { stderr, code: exit } = await sh(
    '(echo \'{"uuid":"root"}\'; sleep 1) | task-exec --module work.mjs',
    { cwd },
  );
  expect(stderr).toContain('ctx.add was called after the function had ended for root');
  expect(exit).toBe(70);
});

test.each([
  ['sync', 'export default (t) => { if (t.n === 3) for (;;); return 1; };'],
  ['async', 'export default async (t) => { if (t.n === 3) for (;;); return 1; };'],
])('only the task whose %s function blocks its thread fails', async (_, code) => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'work.mjs'), code);
  const { stdout } = await sh('task-exec --module work.mjs --threads 2 --timeout 1s --retries 0', {
    cwd,
    input: lines(9),
  });
  const failed = parsed(stdout).filter(({ run }) => run.state !== 'SUCCESS');
  expect(failed.map(({ uuid, run }) => [uuid, run.error?.code])).toEqual([['u3', 'TIMEOUT']]);
  expect(parsed(stdout)).toHaveLength(9);
});

test('only the task whose function exits its thread fails', async () => {
  const cwd = freshFolder();
  writeFileSync(
    join(cwd, 'work.mjs'),
    'export default (t) => { if (t.n === 3) process.exit(5); return 1; };',
  );
  const { stdout } = await sh('task-exec --module work.mjs --threads 2 --retries 0', {
    cwd,
    input: lines(9),
  });
  const failed = parsed(stdout).filter(({ run }) => run.state !== 'SUCCESS');
  expect(failed.map(({ uuid, run }) => [uuid, run.error?.code])).toEqual([['u3', 'THREAD']]);
  expect(parsed(stdout)).toHaveLength(9);
});

test.each([
  ['a.cts', 'module.exports = async (t: any) => 1;'],
  ['b.cts', 'exports.default = async (t: any) => 1;'],
  [
    'c.cjs',
    'Object.defineProperty(exports, "__esModule", { value: true });\nexports.default = async () => 1;',
  ],
  ['d.cjs', 'module.exports = async () => 1;'],
  ['e.cjs', 'module.exports = { default: async () => 1, __esModule: true };'],
  ['f.cts', 'export default async (t: any) => 1;'],
])('loads the CommonJS module %s', async (file, code) => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, file), code);
  for (const threads of ['', '--threads 1']) {
    const { stdout, stderr } = await sh(`task-exec --module ${file} ${threads}`, { cwd, input: lines(1) });
    expect(parsed(stdout)[0]?.result, stderr).toBe(1);
  }
});

test('files of a run stay where they are if the module changes the working folder', async () => {
  const cwd = freshFolder();
  mkdirSync(join(cwd, 'elsewhere'));
  const code = `process.chdir('elsewhere');
    export default (task, ctx) => { ctx.logger.info('hello'); if (task.uuid === 'u0') { ctx.add({ uuid: 'known' }); ctx.add({ uuid: 'child' }); } return 1; };`;
  writeFileSync(join(cwd, 'work.mjs'), code);
  writeFileSync(join(cwd, 'done.jsonl'), '{"uuid":"known"}\n');
  writeFileSync(join(cwd, 'spool'), '\n{"uuid":"spooled"}\n');
  const options = '--log-dir logs --spool spool --ledger done.jsonl --events events --report run.json';
  const {
    stdout,
    stderr,
    code: exit,
  } = await sh(`task-exec --module work.mjs ${options}`, { cwd, input: lines(2) });
  expect(exit, stderr).toBe(0);
  expect(
    parsed(stdout)
      .map(({ uuid }) => uuid)
      .sort(),
  ).toEqual(['child', 'spooled', 'u0', 'u1']);
  for (const file of ['logs/u0.log', 'events', 'run.json'])
    expect(readFileSync(join(cwd, file), 'utf8')).not.toBe('');
  expect((await sh('ls elsewhere', { cwd })).stdout).toBe('');
});

test('a flow log stays where it is if the flow file changes the working folder', async () => {
  const cwd = freshFolder();
  mkdirSync(join(cwd, 'elsewhere'));
  const code = `import { linear } from 'taskpipe/flow'; process.chdir('elsewhere');
    export default linear('f').add({ name: 'a', provides: 'x', execute: () => 1 });`;
  writeFileSync(join(cwd, 'flow.mjs'), code);
  const { stderr, code: exit } = await sh('task-exec --flow flow.mjs --flow-log log', {
    cwd,
    input: lines(1),
  });
  expect(exit, stderr).toBe(0);
  expect((await sh('ls log; ls elsewhere', { cwd })).stdout).toBe('log\n');
});

test('--keep-order holds back 16 MB at most, and starts no more until the first task ends', async () => {
  const cwd = freshFolder();
  const code = `let high = 0; let release; const first = new Promise((resolve) => { release = resolve; });
    export default async (t) => {
      if (t.n === 0) { setTimeout(release, 1500); await first; return high; }
      high = t.n; return 'x'.repeat(200_000);
    };`;
  writeFileSync(join(cwd, 'work.mjs'), code);
  const { stdout } = await sh('task-exec -j 8 --keep-order --module work.mjs | cut -c1-100', {
    cwd,
    input: lines(400),
  });
  const rows = stdout.trim().split('\n');
  expect(rows).toHaveLength(400);
  expect(rows.map((row) => /"n":(\d+)/.exec(row)?.[1])).toEqual(rows.map((_, n) => String(n)));
  expect(Number(/"result":(\d+)/.exec(rows[0] ?? '')?.[1])).toBeLessThan(110);
});
