/* A load with a limit ends at once, however long its input is. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshFolder, sh } from '../support/run.ts';

const SECONDS = 'timeout 30';

test.each([
  ['seq 1000000000 | task-load --limit 5', 5],
  ['seq 1000000000 | task-load --limit 5 --offset 10000', 5],
  ['seq 1000000000 | gzip -1 | task-load --limit 5', 5],
  ['seq 1000000000 | task-load --format csv --no-header --limit 5', 5],
  ['yes x | task-load --limit 5', 1],
  ['yes x | task-load --limit 5 --offset 100', 1],
  ['yes x | task-load --limit 5 --duplicates keep', 5],
  ['yes x | task-load --limit 0', 0],
  ['mkfifo f; (exec seq 1000000000 > f) & task-load f --limit 5', 5],
  ['mkfifo f; (seq 1000000000 | gzip -1 > f) & task-load f --limit 5', 5],
])('--limit ends an endless input: %s', async (command, count) => {
  const { stdout, code } = await sh(`${SECONDS} bash -c '${command} --quiet'`);
  expect([stdout.split('\n').length - 1, code]).toEqual([count, 0]);
});

test.each(['cat', 'gzip'])('--limit ends a load from a silent pipe: %s', async (pack) => {
  const command = `mkfifo f; (seq 3 | ${pack}; exec sleep 40) > f & ${SECONDS} task-load f --format lines --limit 2 --quiet; echo $?; kill $!`;
  expect((await sh(command)).stdout.split('\n').slice(2)).toEqual(['0', '']);
});

test('--limit reports that it ended because all recent records were duplicates', async () => {
  const { stderr } = await sh(`${SECONDS} bash -c 'yes x | task-load --limit 5'`);
  expect(stderr).toContain('the last 10,000 records were duplicates: no more are read (--limit)');
});

test('duplicates do not count against --limit', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'a.txt'), 'a\na\na\nb\nb\nc\nd\n');
  const { stdout } = await sh('task-load a.txt --limit 3 --quiet', { cwd });
  expect(stdout.match(/"line":"."/g)).toEqual(['"line":"a"', '"line":"b"', '"line":"c"']);
});
