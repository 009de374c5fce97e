/* The examples of every help text are typed here, as they stand. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { commands } from '../../src/commands/index.ts';
import { freshFolder, has, sh } from '../support/run.ts';
import { serve } from '../support/serve.ts';

const address = await serve();

const FLOW = `import { linear, task } from 'taskpipe/flow';
export default linear('signup').add(task('greet', ({ id }) => 'hello ' + id, { requires: ['id'], provides: 'said' }));
`;

/** A folder with what the examples name. */
function folder(): string {
  const cwd = freshFolder();
  const write = (name: string, content: string | Buffer): void => writeFileSync(join(cwd, name), content);
  const rows = [1, 2, 3].map((n) => `${n},http://${address}/item/${n},CA,${n}.txt,${n}`);
  const csv = `id,url,state,file,n\n${rows.join('\n')}\n`;
  write('a.csv', csv);
  write('big.csv.gz', gzipSync(csv));
  write('urls.txt', `http://${address}/a\nhttp://${address}/b\n`);
  write('out.csv.rest.ndjson', `{"uuid":"a17","url":"http://${address}/a17","run":{"state":"FAILURE"}}\n`);
  write('tasks.ndjson', '{"uuid":"a17"}\n');
  write('done.jsonl', '{"uuid":"a17","at":"2026-01-31T00:00:00.000Z"}\n');
  write('token.txt', 'Authorization: Bearer of-the-test\n');
  write(
    'work.mjs',
    'export default (task, { logger }) => (logger.info("did it"), { length: task.url.length });\n',
  );
  write('signup.js', FLOW);
  write('my-program', '#!/bin/sh\nexec cat\n');
  chmodSync(join(cwd, 'my-program'), 0o755);
  for (const n of [1, 2, 3]) write(`${n}.txt`, 'text\n');
  return cwd;
}

const examples = await Promise.all(
  Object.values(commands).map(async (get) => {
    const { name, examples } = await get();
    return examples.map(([line, words]) => ({ name, line, words }));
  }),
);

test.for(examples.flat())('$name: $line', async ({ line }, context) => {
  if (line.includes('redis://')) context.skip('it needs a Redis, which the tests of task-queue have');
  for (const program of ['jq', 'curl'])
    if (line.includes(program) && !(await has(program))) context.skip(`${program} is not installed`);
  const cwd = folder();
  const { stdout: input } = await sh('task-load a.csv', { cwd });
  const typed = line.replaceAll('https://api.example.com', `http://${address}`);
  const { code, stderr, stdout } = await sh(`set -o pipefail; ${typed}`, { cwd, input });
  expect([code, stderr, stdout]).toEqual([0, stderr, stdout]);
  expect(stderr).not.toMatch(/failed|rejected|did you mean|a defect/);
});
