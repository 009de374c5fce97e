/* Named pipes, as mkfifo or a shell's >(…) makes them. */
import { expect, test } from 'vitest';
import { sh } from '../support/run.ts';

/** Ends task-load by SIGINT once it has written something. */
const INTERRUPTED = `
until [ -s out ]; do sleep 0.1; done
kill -INT $load; wait $load; code=$?
jq -c .n out; exit $code`;

test('a named pipe that nobody opens for writing is given up at the first signal', async () => {
  const { stdout, code } = await sh(
    `mkfifo pipe; echo '{"n":1}' > a.ndjson; task-load a.ndjson pipe --format ndjson > out & load=$!${INTERRUPTED}`,
  );
  expect([stdout, code]).toEqual(['1\n', 130]);
});

test('a named pipe whose writer is silent is given up at the first signal, with what it has given', async () => {
  const { stdout, code } = await sh(
    `mkfifo pipe; task-load pipe --format ndjson > out & load=$!
    exec 9> pipe; echo '{"n":1}' >&9${INTERRUPTED}`,
  );
  expect([stdout, code]).toEqual(['1\n', 130]);
});

test('a line of two bytes is a task before another one comes', async () => {
  const { stdout, code } = await sh(
    `mkfifo pipe; task-load pipe --format lines --field n > out & load=$!
    exec 9> pipe; echo 1 >&9${INTERRUPTED}`,
  );
  expect([stdout, code]).toEqual(['"1"\n', 130]);
});
