/* User code that ignores a signal: the records are emitted, and the stage ends. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parsed } from '../../pipes/pipeline.ts';
import { ended, freshFolder, start } from '../../support/run.ts';

const TASKS = Array.from({ length: 5 }, (_, n) => `{"uuid":"u${n}","n":${n}}\n`).join('');

test.each([
  [
    'waits for a child of a shell',
    'import { execSync } from "node:child_process"; const work = () => { console.error("here"); execSync("sleep 100; true"); };',
  ],
  [
    'loops in a listener of ctx.signal',
    'const work = (c) => { c.signal.onabort = () => { for (;;); }; console.error("here"); return new Promise(() => {}); };',
  ],
  [
    'removes the listeners of signals',
    'const work = () => { process.removeAllListeners("SIGINT"); console.error("here"); return new Promise(() => {}); };',
  ],
])('one signal ends a stage whose module %s, with all records', async (_, code) => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'work.mjs'), `${code}\nexport default (t, c) => work(c);`);
  const child = start('exec task-exec --module work.mjs --grace 1s', { cwd });
  const end = ended(child);
  child.stderr?.once('data', () => child.kill('SIGINT'));
  child.stdin?.end(TASKS);
  const { stdout, stderr } = await end;
  expect(parsed(stdout).length, stderr).toBe(5);
});
