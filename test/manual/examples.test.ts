/* Runs the examples of every help text as written. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { commands } from '../../src/commands/index.ts';
import { startPipeline } from '../pipes/pipeline.ts';
import { serve as serveTasks } from '../serve/service.ts';
import { needsPostgres, startPostgres } from '../support/postgres.ts';
import { needsRedis, startRedis } from '../support/redis.ts';
import { freshFolder, has, sh } from '../support/run.ts';
import { needsS3, startS3 } from '../support/s3.ts';
import { serve } from '../support/serve.ts';

const address = await serve();

const FLOW = `import { linear, task } from 'taskpipe/flow';
export default linear('signup').add(task('greet', ({ id }) => 'hello ' + id, { requires: ['id'], provides: 'said' }));
`;

/** Makes a folder with the files that the examples name. */
function folder(): string {
  const cwd = freshFolder();
  const write = (name: string, content: string | Buffer): void => writeFileSync(join(cwd, name), content);
  const rows = [1, 2, 3].map((n) => `${n},http://${address}/item/${n},CA,${n}.txt,${n}`);
  const csv = `id,url,state,file,n\n${rows.join('\n')}\n`;
  write('a.csv', csv);
  write('big.csv.gz', gzipSync(csv));
  write('urls.txt', `http://${address}/a\nhttp://${address}/b\n`);
  write('out.csv.rest.ndjson', `{"uuid":"a17","url":"http://${address}/a17","run":{"state":"FAILURE"}}\n`);
  for (const name of ['tasks.ndjson', 'urgent.ndjson']) write(name, '{"uuid":"a17"}\n');
  write('done.jsonl', '{"uuid":"a17","at":"2026-01-31T00:00:00.000Z"}\n');
  write('token.txt', 'Authorization: Bearer of-the-test\n');
  write('secret.txt', 'a-secret-of-the-test\n');
  write(
    'work.mjs',
    'export default (task, { logger }) => (logger.info("did it"), { length: task.url.length });\n',
  );
  write('signup.js', FLOW);
  for (const name of ['my-program', 'work.sh']) {
    write(name, '#!/bin/sh\nexec cat\n');
    chmodSync(join(cwd, name), 0o755);
  }
  for (const n of [1, 2, 3]) write(`${n}.txt`, 'text\n');
  return cwd;
}

const examples = await Promise.all(
  Object.values(commands).map(async (get) => {
    const { name, examples } = await get();
    return examples.map(([line, words]) => ({ name, line, words }));
  }),
);

test.for(examples.flat())('the example of $name runs: $line', async ({ line }, context) => {
  for (const program of ['jq', 'curl'])
    if (line.includes(program) && !(await has(program))) context.skip(`${program} is not installed`);
  const cwd = folder();
  if (line.includes('redis://')) await needsRedis(context);
  if (line.includes('postgres://')) await needsPostgres(context);
  if (line.includes('s3://')) await needsS3(context);
  if (line.startsWith('task-serve')) return staysUp(line, cwd);
  if (line.includes('tasks.db'))
    await sh('task-load a.csv | task-exec --command true | task-save tasks.db', { cwd });
  const { stdout: input } = await sh('task-load a.csv', { cwd });
  let typed = line.replaceAll('https://api.example.com', `http://${address}`);
  if (line.includes('127.0.0.1:8080')) {
    const { url } = await serveTasks(cwd, ['--exec', 'cat', '--port', '0']);
    typed = typed.replaceAll('127.0.0.1:8080', new URL(url).host);
  }
  if (line.includes('redis://')) typed = await withQueue(typed, cwd);
  if (line.includes('postgres://')) typed = await withTable(typed);
  if (line.includes(' watch ')) return watches(typed, cwd);
  // A pull waits for more tasks unless an option ends it.
  const env = { TASK_UNTIL_EMPTY: 'yes', ...(line.includes('s3://') && (await objectsOf(line, cwd))) };
  const { code, stderr, stdout } = await sh(`set -o pipefail; ${typed}`, { cwd, input, env });
  expect([code, stderr, stdout]).toEqual([0, stderr, stdout]);
  expect(stderr).not.toMatch(/failed|rejected|did you mean|a defect/);
});

/** Checks that a service runs until it is stopped. */
async function staysUp(line: string, cwd: string): Promise<void> {
  const pipeline = startPipeline(line, { cwd, env: { TASK_PORT: '0' } });
  await pipeline.said('stderr', /^task-serve: http:/m);
  pipeline.signal('SIGTERM');
  const { stderr } = await pipeline.end;
  expect(await pipeline.codes).toMatch(/^143( |$)/);
  expect(stderr).not.toMatch(/failed|rejected|did you mean|a defect/);
}

/** Checks that a command shows the queue until it is stopped. */
async function watches(line: string, cwd: string): Promise<void> {
  const pipeline = startPipeline(line, { cwd });
  await pipeline.said('stderr', /waiting/);
  pipeline.signal('SIGINT');
  await pipeline.end;
  expect(await pipeline.codes).toMatch(/^130( |$)/);
}

/** Returns the line with the URL of a running PostgreSQL, which has the table `items`. */
async function withTable(line: string): Promise<string> {
  const { url, sql } = await startPostgres();
  sql('create table items (id int, name text); insert into items values (1, $$a$$)');
  return line.replaceAll('postgres://db.example/shop', url);
}

/** Starts a server of S3, which has the object that the line reads. Returns its variables. */
async function objectsOf(line: string, cwd: string): Promise<Readonly<Record<string, string>>> {
  const server = await startS3();
  const [, bucket = '', key = ''] = /s3:\/\/([^/]+)\/(\S*)/.exec(line) ?? [];
  await server.bucket(bucket);
  if (!key.endsWith('/')) await server.put(`${bucket}/${key}`, readFileSync(join(cwd, 'big.csv.gz')));
  return server.env();
}

/** Returns the line with the URL of a running Redis, which has the queue and the worker that the line names. */
async function withQueue(line: string, cwd: string): Promise<string> {
  const { url } = await startRedis();
  const typed = line.replaceAll('redis://h/0', url);
  const [, name] = /--name (\w+)/.exec(line) ?? [];
  if (!line.includes(' push ')) await sh(`task-load a.csv | task-queue push ${url} --name ${name}`, { cwd });
  const [worker] = /--worker \w+/.exec(line) ?? [];
  if (worker !== undefined) {
    const pull = startPipeline(`task-queue pull ${url} --name ${name} ${worker}`, { cwd });
    await pull.said('stdout', /a/);
  }
  return typed;
}
