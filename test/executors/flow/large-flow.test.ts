/* Large flows and large logs in task-exec. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshFolder, sh } from '../../support/run.ts';

const LARGE = `import { linear, task } from 'taskpipe/flow';
const part = (number) => task('a' + number, (inputs) => inputs['v' + number] + 1,
  { requires: 'v' + number, provides: 'v' + (number + 1), revert() {} });
const end = task('end', ({ fails }) => { if (fails) throw new Error('bad'); }, { requires: 'fails' });
export default linear('large').add(...Array.from({ length: 10000 }, (_, number) => part(number)), end);
`;

test('a flow of 10,000 atoms runs and is reverted, and its record names some of the atoms only', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'flow.mjs'), LARGE);
  const input = '{"uuid":"u","v0":0,"fails":false}\n{"uuid":"v","v0":0,"fails":true}\n';
  const { stdout, code } = await sh('task-exec --flow flow.mjs --keep-order --timeout 60s', { cwd, input });
  const [good, bad] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect([good.result.v10000, bad.run.state, code]).toEqual([10_000, 'REVERTED', 1]);
  expect(bad.run.error.message).toMatch(
    /^"end" failed: bad; reverted: end, a9999, .*, a9951, and 9951 more$/,
  );
});

test('task-exec compacts a log of more than 1 MB when it opens it, and still answers from it', async () => {
  const cwd = freshFolder();
  const log = join(cwd, 'flow.log');
  writeFileSync(
    join(cwd, 'flow.mjs'),
    `import { linear, task } from 'taskpipe/flow';
export default linear('f').add(task('a', () => { console.error('it runs'); return 1; }, { provides: 'x' }));`,
  );
  const line = (uuid: string, rest: object): string => `${JSON.stringify({ uuid, flow: 'f', ...rest })}\n`;
  const reverted = (uuid: string): string =>
    ['RUNNING', 'FAILURE', 'REVERTING', 'REVERTED']
      .map((state) => line(uuid, { atom: 'a', state }))
      .join('') + line(uuid, { end: 'REVERTED' });
  const old = Array.from({ length: 5_000 }, (_, number) => reverted(`r${number}`)).join('');
  writeFileSync(log, `${old}${line('u', { end: 'SUCCESS', result: { x: 'kept' } })}`);
  const { stdout, stderr, code } = await sh('task-exec --flow flow.mjs --flow-log flow.log', {
    cwd,
    input: '{"uuid":"u"}\n{"uuid":"r1"}\n',
  });
  const results = stdout
    .trimEnd()
    .split('\n')
    .map((text) => JSON.parse(text))
    .map(({ uuid, result }) => [uuid, result.x]);
  expect([results.sort(), code]).toEqual([
    [
      ['r1', 1],
      ['u', 'kept'],
    ],
    0,
  ]);
  expect(stderr.match(/it runs/g)).toHaveLength(1);
  expect(statSync(log).size).toBeLessThan(1_000);
  expect(readFileSync(log, 'utf8')).toContain('"kept"');
});
