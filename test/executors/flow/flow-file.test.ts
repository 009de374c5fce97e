/* Exports of the file of --flow. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshFolder, sh } from '../../support/run.ts';

test('a function gets each task, with its attributes in `fields`', async () => {
  const cwd = freshFolder();
  writeFileSync(
    join(cwd, 'flow.mjs'),
    `import { linear, task } from 'taskpipe/flow';
     export default ({ uuid, fields }) => linear('f').add(task('a', () => [uuid, fields.n * 2], { provides: 'a' }));`,
  );
  const { stdout } = await sh(`task-exec --flow flow.mjs | jq -c '[.n, .result.a]'`, {
    cwd,
    input: '{"uuid":"u1","n":1}\n{"uuid":"u2","n":2}\n',
  });
  expect(stdout.split('\n').sort()).toEqual(['', '[1,["u1",2]]', '[2,["u2",4]]']);
});
