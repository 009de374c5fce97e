/* Standard descriptors that are closed when a command starts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshFolder, sh } from '../support/run.ts';

const INPUT = '{"uuid":"a","n":1}\n{"uuid":"b","n":2}\n';

function folder(): string {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'in.csv'), 'n\n1\n');
  writeFileSync(join(cwd, 'work.mjs'), 'export default () => 1;');
  writeFileSync(join(cwd, 'done.jsonl'), '{"uuid":"a","at":"2026-01-01T00:00:00.000Z"}\n');
  return cwd;
}

describe('a command that writes records', () => {
  test.each([
    'task-load in.csv',
    "task-exec --command 'touch ran'",
    'task-exec --worker cat',
    'task-exec --module work.mjs',
    'task-save out.csv --tee',
    'task-save -',
    'task-done list done.jsonl',
    'task-done skip done.jsonl',
    'task-done mark done.jsonl',
    'task-queue pull redis://127.0.0.1:1/0 --name q',
    'task-load --help',
    'task-exec --version',
  ])('refuses a closed standard output before it reads: %s', async (command) => {
    const cwd = folder();
    const { code, stderr } = await sh(`${command} >&-; code=$?; cat >rest; ls; exit $code`, {
      cwd,
      input: INPUT,
    });
    expect(stderr).toMatch(/^task-\w+: cannot write the standard output: it is closed/);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(code).toBe(74);
    expect(readFileSync(join(cwd, 'rest'), 'utf8')).toBe(INPUT);
  });

  test.each([
    ["task-exec --command 'echo x'", 2],
    ['task-exec --worker cat', 2],
    ['task-exec --module work.mjs', 2],
    ['task-save out.csv --tee', 2],
    ['task-load in.csv <&-', 1],
  ])('works with a closed stderr: %s', async (command, records) => {
    const { code, stdout } = await sh(`${command} 2>&-`, { cwd: folder(), input: INPUT });
    expect(stdout.match(/"uuid"/g)).toHaveLength(records);
    expect(code).toBe(0);
  });
});

test.each([
  'task-save out.csv',
  'task-done mark done.jsonl b',
  'task-done has done.jsonl a',
  'task-done compact done.jsonl',
])('a command that writes no records works with a closed standard output: %s', async (command) => {
  const { code, stderr } = await sh(`${command} >&-`, { cwd: folder(), input: INPUT });
  expect(code, stderr).toBe(0);
});

test('programs do not see that a descriptor was closed', async () => {
  const { stdout } = await sh("task-exec --command 'env' --env '*' 2>&- | grep -c TASKPIPE_", {
    cwd: folder(),
    input: INPUT,
  });
  expect(stdout).toBe('0\n');
});
