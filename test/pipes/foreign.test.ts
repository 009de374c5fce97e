import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshFolder, root, sh } from '../support/run.ts';

const TASK = '{"uuid":"a","email":"a@example.com"}';
const FLOW = `task-exec --flow ${join(root, 'examples/signup.js')} --flow-log`;

const USES = [
  ['spool', `task-exec --module ${join(root, 'examples/crawl.mjs')} --spool`],
  ['flow log', FLOW],
] as const;

describe.each(USES)('a file that is not a %s', (what, command) => {
  test('is left unchanged and named in the error', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'in.csv'), 'email\na@example.com\n');
    const { code, stdout, stderr } = await sh(`echo '${TASK}' | ${command} in.csv`, { cwd });
    expect(stderr).toContain(
      `in.csv is not a ${what}, as it begins with "email\\na@example.com\\n"; name another file`,
    );
    expect([code, stdout]).toEqual([65, '']);
    expect(readFileSync(join(cwd, 'in.csv'), 'utf8')).toBe('email\na@example.com\n');
  });
});

test.each(USES)('a device is rejected as a %s', async (_, command) => {
  const { code, stderr } = await sh(`echo '${TASK}' | ${command} /dev/zero`, { cwd: freshFolder() });
  expect(stderr).toContain('/dev/zero is not a file; name one');
  expect(code).toBe(2);
});
