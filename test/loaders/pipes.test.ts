/* Named pipes, as mkfifo or a shell's >(…) makes them. */
import { expect, test } from 'vitest';
import { sh } from '../support/run.ts';

/** Shell code that ends task-load by SIGINT once it has written something. */
const INTERRUPTED = `
until [ -s out ]; do sleep 0.1; done
kill -INT $load; wait $load; code=$?
jq -c .n out; exit $code`;

test('the first signal ends a load from a named pipe without a writer', async () => {
  const { stdout, code } = await sh(
    `mkfifo pipe; echo '{"n":1}' > a.ndjson; task-load a.ndjson pipe --format ndjson > out & load=$!${INTERRUPTED}`,
  );
  expect([stdout, code]).toEqual(['1\n', 130]);
});

test('the first signal ends a load from a silent named pipe, and keeps its tasks', async () => {
  const { stdout, code } = await sh(
    `mkfifo pipe; task-load pipe --format ndjson > out & load=$!
    exec 9> pipe; echo '{"n":1}' >&9${INTERRUPTED}`,
  );
  expect([stdout, code]).toEqual(['1\n', 130]);
});

test('a line of two bytes becomes a task before the next one arrives', async () => {
  const { stdout, code } = await sh(
    `mkfifo pipe; task-load pipe --format lines --field n > out & load=$!
    exec 9> pipe; echo 1 >&9${INTERRUPTED}`,
  );
  expect([stdout, code]).toEqual(['"1"\n', 130]);
});
