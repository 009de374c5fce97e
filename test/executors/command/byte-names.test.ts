/* Names that are not UTF-8 reach a program as the bytes that they are. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parsed } from '../../pipes/pipeline.ts';
import { freshFolder, sh } from '../../support/run.ts';

/** Makes a folder with a file whose name is not UTF-8 and has a newline, and one with a plain name. */
async function setUp(): Promise<string> {
  const cwd = freshFolder();
  await sh("mkdir in; printf one > $'in/caf\\xe9\\n\\xff.txt'; printf two > in/plain.txt", { cwd });
  return cwd;
}

const LIST = 'find in -type f -print0 | sort -z | task-load -0 --field path --quiet';

test.each([
  ["--command 'cat {path}'", ['one', 'two']],
  ['--command \'cat "$TASK_path"\' --shell', ['one', 'two']],
  ["--command 'cat {path//}/{path/.}.txt'", ['one', 'two']],
  ["--command 'find in -name {path/} -printf %s'", ['3', '3']],
])('task-exec %s opens the files of find -print0', async (work, expected) => {
  const cwd = await setUp();
  const { code, stderr } = await sh(
    `${LIST} | task-exec --keep-order ${work} | task-save out.ndjson --quiet`,
    {
      cwd,
    },
  );
  expect(code, stderr).toBe(0);
  const { stdout } = await sh('cat out.ndjson', { cwd });
  expect(parsed(stdout).map(({ result }) => (result as unknown as { stdout: string }).stdout)).toEqual(
    expected,
  );
});

test('the name is saved, as base64, in NDJSON and in CSV, and is the same after jq', async () => {
  const cwd = await setUp();
  await sh(
    `${LIST} | jq -c . | task-exec --command 'cat {path}' | task-save out.csv --fields path,path_base64`,
    {
      cwd,
    },
  );
  const { stdout } = await sh('sort out.csv', { cwd });
  const bytes = Buffer.from('in/caf\xe9\n\xff.txt', 'latin1').toString('base64');
  expect(stdout.trim().split('\n').sort()).toEqual([`,${bytes}`, 'in/plain.txt,', 'path,path_base64'].sort());
});

test('--results makes files of such names', async () => {
  const cwd = await setUp();
  const { stdout } = await sh(
    `${LIST} | task-exec --keep-order --command 'cat {path}' --results 'out/{path/}'`,
    {
      cwd,
    },
  );
  const name = Buffer.from('out/caf\xe9\n\xff.txt', 'latin1').toString('base64');
  expect(parsed(stdout).map(({ result }) => result)).toMatchObject([
    { exit: 0, stdout_file_base64: name },
    { exit: 0, stdout_file: 'out/plain.txt', stderr_file: 'out/plain.txt.err' },
  ]);
  expect((await sh("cat $'out/caf\\xe9\\n\\xff.txt' out/plain.txt", { cwd })).stdout).toBe('onetwo');
});

test('the commands that --dry-run prints open the same files', async () => {
  const cwd = await setUp();
  const { stderr } = await sh(`${LIST} | task-exec --dry-run --quiet --command 'cat {path}' > pending`, {
    cwd,
  });
  writeFileSync(join(cwd, 'commands'), stderr);
  expect((await sh('bash commands', { cwd })).stdout).toBe('onetwo');
});

test('the surrogateescape form of Python is accepted too, and half a surrogate pair never becomes a quote', async () => {
  const cwd = await setUp();
  const names = ['in/caf\\udce9\\n\\udcff.txt', '\\ud827; touch pwned; \\udc27', '\\udc00\\udc0a'];
  const input = names.map((name, n) => `{"uuid":"t${n}","path":"${name}"}\n`).join('');
  const { stdout } = await sh("task-exec --keep-order --command 'printf %s {path}'", { cwd, input });
  expect(parsed(stdout).map(({ result }) => result)).toMatchObject([
    { stdout_base64: Buffer.from('in/caf\xe9\n\xff.txt', 'latin1').toString('base64') },
    { stdout: '\ufffd; touch pwned; \ufffd' },
    { stdout: '\ufffd\ufffd' },
  ]);
  expect((await sh('ls', { cwd })).stdout).toBe('in\n');
});
