/* Programs that write more than the stage can display. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ended, freshFolder, sh, start } from '../../support/run.ts';

const INPUT = '{"uuid":"a"}\n';
/** Time after which a stage that does not end is killed, as in `timeout`. */
const LIMIT = 'timeout -s KILL 20';

describe('a worker that floods', () => {
  test.each([
    ['stdout with text', 'yes'],
    ['stdout with objects', "yes '{}'"],
    ['stderr', "sh -c 'yes >&2'"],
  ])('%s fails by --timeout, and its lines are counted', async (_, worker) => {
    const command = `${LIMIT} task-exec --worker "${worker}" -j 1 --timeout 500ms --retries 0`;
    const { code, stdout, stderr } = await sh(command, { input: INPUT });
    expect(stdout).toContain('"code":"TIMEOUT"');
    expect(code).toBe(1);
    expect(stderr).toMatch(/workers: \d+ more lines were left out/);
    expect(stderr.split('\n').length).toBeLessThan(1000);
  });
});

test.each([
  'task-exec --worker yes -j 1',
  'task-exec --worker "sh -c \'yes >&2\'" -j 1',
  'task-exec --live --command yes --max-output 10GB -j 2',
])('two signals end a stage whose program floods: %s', async (command) => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'in'), `${INPUT}{"uuid":"b"}\n`);
  const child = start(`exec ${command} --grace 1h < in`, { cwd });
  const end = ended(child);
  await once(child.stderr as NodeJS.ReadableStream, 'data');
  child.kill('SIGINT');
  await says(child, 'ends at once'); // two signals at once may arrive as one
  child.kill('SIGINT');
  const { code, signal } = await end;
  expect(code ?? signal).toBe(code === null ? 'SIGINT' : 130); // by the signal, if it needs longer than 0.8 s
});

/** Waits for words on stderr. */
function says(child: ChildProcess, words: string): Promise<void> {
  return new Promise((resolve) => {
    let tail = '';
    child.stderr?.on('data', (text) => {
      tail = (tail + text).slice(-100_000);
      if (tail.includes(words)) resolve();
    });
  });
}

test('a process that a command left behind cannot keep its end from being noticed', async () => {
  const command = `${LIMIT} task-exec --command "sh -c 'yes & exit 3'" --linger 200ms --max-output 10MB`;
  const { code, stdout } = await sh(command, { input: INPUT });
  expect(stdout).toMatch(/"code":"(EXIT|OUTPUT_TOO_LARGE)"/);
  expect(code).toBe(1);
});
