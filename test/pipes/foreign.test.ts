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

describe('a spool', () => {
  const code = 'export default (t, c) => { if (t.uuid === "u") c.add({ uuid: "child" }); return 1; };';

  test.each([
    [
      'a ledger',
      '{"uuid":"d1","at":"2026-01-01T00:00:00.000Z"}\n{"uuid":"d2","at":"2026-01-01T00:00:00.000Z"}\n',
    ],
    ['a ledger after a crash', '\n{"uuid":"d1","at":"2026-01-01T00:00:00.000Z"}\n'],
    ['saved records', '{"uuid":"d1","name":"a","run":{"state":"SUCCESS"}}\n'],
    ['tasks', '{"uuid":"d1","name":"a"}\n'],
    ['events', '{"at":"2026-01-01T00:00:00.000Z","type":"start","uuid":"d1"}\n'],
    ['a flow log', '{"taskpipe":"flow log","version":1}\n{"uuid":"d1"}\n'],
    ['one line of data', '{"name":"my data"}'],
    ['data without uuids', '{"name":"my data"}\n{"name":"more"}\n'],
    ['a log with a line of JSON', 'plain notes of mine\n{"level":"info"}\n'],
  ])('is not made of %s, which stays as it is', async (_, text) => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'work.mjs'), code);
    writeFileSync(join(cwd, 'file'), text);
    const ran = await sh('task-exec --module work.mjs --spool file', { cwd, input: '{"uuid":"u"}\n' });
    expect(ran.stderr).toMatch(/file is not a spool.*name another file, or a new one/);
    expect([ran.code, ran.stdout, readFileSync(join(cwd, 'file'), 'utf8')]).toEqual([65, '', text]);
  });

  test('says its kind, is continued, and is refused as a ledger', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'work.mjs'), code);
    const command = 'task-exec --module work.mjs --spool file --quiet';
    for (const run of [1, 2]) {
      const { stdout, stderr } = await sh(command, { cwd, input: '{"uuid":"u"}\n' });
      expect([stderr, stdout.match(/"uuid":"child"/g)], `run ${run}`).toEqual(['', ['"uuid":"child"']]);
    }
    expect(readFileSync(join(cwd, 'file'), 'utf8')).toBe(
      '{"taskpipe":"spool","version":1}\n\n{"uuid":"child"}\n',
    );
    const ledger = await sh('task-done list file', { cwd });
    expect(ledger.stderr).toContain('file is not a ledger: it is a spool');
  });
});
