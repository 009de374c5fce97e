/* User code that ends the process or disturbs other tasks does not lose records. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parsed } from '../../pipes/pipeline.ts';
import { type Ended, freshFolder, sh } from '../../support/run.ts';

const TASKS = Array.from({ length: 5 }, (_, n) => `{"uuid":"u${n}","n":${n}}\n`).join('');

async function run(code: string, options = ''): Promise<Ended> {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'work.mjs'), code);
  return sh(`task-exec --module work.mjs ${options}`, { cwd, input: TASKS });
}

test.each(['exit', 'reallyExit'])('process.%s in a task loses no record', async (name) => {
  const { stdout, stderr, code } = await run(
    `export default (t) => { if (t.n === 2) process.${name}(0); return 1; };`,
  );
  expect({ rows: parsed(stdout).length, code }, stderr).toEqual({ rows: 5, code: 70 });
  expect(stderr).toContain('3 unfinished tasks are PENDING');
});

test('an uncaught error after the last record exits with 70', async () => {
  const { stdout, stderr, code } = await run(
    'export default () => { setTimeout(() => { throw new Error("late"); }, 100); return 1; };',
  );
  expect({ rows: parsed(stdout).length, code }, stderr).toEqual({ rows: 5, code: 70 });
});

test('an uncaught error in a thread fails only its task', async () => {
  const { stdout } = await run(
    `export default async (t) => {
      if (t.n === 2) setTimeout(() => { throw new Error("t2"); }, 20);
      await new Promise((r) => setTimeout(r, 200));
      return 1;
    };`,
    '--threads 1 -j 5 --retries 0',
  );
  const failed = parsed(stdout).filter(({ run }) => (run as { state: string }).state === 'FAILURE');
  expect(failed.map(({ uuid }) => uuid)).toEqual(['u2']);
});

test('500 threads start only when tasks wait, and a blocked child ends at --timeout', async () => {
  const { stdout, code } = await run(
    `import { execSync } from "node:child_process";
     export default (t) => { if (t.n === 2) execSync("sleep 100; true"); return 1; };`,
    '--threads 500 --timeout 1s --retries 0',
  );
  expect({ rows: parsed(stdout).length, code }).toEqual({ rows: 5, code: 1 });
});
