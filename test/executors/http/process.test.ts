/* What the options of --http do when they are typed. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Answering, serve, type TestServer } from '../../support/http-server.ts';
import { type Ended, ended, freshFolder, sh, start } from '../../support/run.ts';

/** What a run of task-exec came to. */
interface Ran extends Ended {
  readonly records: readonly {
    readonly result?: Record<string, unknown>;
    readonly run: Record<string, unknown>;
  }[];
  readonly server: TestServer;
  readonly cwd: string;
}

const ok: Answering = (response) => response.end('ok');

/** Runs `task-exec --http` with options on two tasks of a server, one after the other. */
async function exec(
  options: string,
  answer: Answering,
  { times = 1, more = {}, cwd = freshFolder() } = {},
): Promise<Ran> {
  const server = await serve(answer);
  const lines = ['a', 'b'].map((uuid) => JSON.stringify({ uuid, url: `${server.url}/${uuid}`, ...more }));
  const input = `${lines.join('\n')}\n`;
  let last: Ended | undefined;
  for (let run = 0; run < times; run++) {
    last = await sh(`task-exec --http --jobs 1 --keep-order --retries 0 ${options}`, { cwd, input });
  }
  const { stdout } = last as Ended;
  const records = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  return { ...(last as Ended), records, server, cwd };
}

test('--headers keeps the headers of the answer', async () => {
  const { records, code } = await exec('--headers', (response) =>
    response.setHeader('X-Kind', 'test').end('ok'),
  );
  expect(records.map(({ result }) => result?.headers)).toEqual([
    expect.objectContaining({ 'x-kind': 'test' }),
    expect.objectContaining({ 'x-kind': 'test' }),
  ]);
  expect(code).toBe(0);
  expect((await exec('', ok)).records[0]?.result).not.toHaveProperty('headers');
});

test('--idempotency-header sends the uuid of each task, and nothing does without it', async () => {
  const { server } = await exec('--idempotency-header', ok, { more: { method: 'post', data: 'x' } });
  expect(server.seen.map(({ headers }) => headers['idempotency-key'])).toEqual(['a', 'b']);
  const plain = await exec('', ok, { more: { method: 'post', data: 'x' } });
  expect(plain.server.seen.map(({ headers }) => headers['idempotency-key'])).toEqual([undefined, undefined]);
});

test('--timeout fails a task whose answer does not come in time, and no other', async () => {
  const { records, code } = await exec('--timeout 500ms', (response, { url }) => {
    if (url === '/b') response.end('ok');
  });
  expect(records.map(({ run }) => [run.state, run.error])).toEqual([
    ['FAILURE', { code: 'TIMEOUT', message: expect.stringMatching(/^no answer from .* within 500 ms$/) }],
    ['SUCCESS', undefined],
  ]);
  expect(code).toBe(1);
});

test('--cache asks a server once in two runs', async () => {
  const answer: Answering = (response, { url }) =>
    response
      .setHeader('cache-control', ['public', 'max-age=60'])
      .setHeader('vary', ['Accept', 'X-A'])
      .end(`of ${url}`);
  const { records, server, code } = await exec('--cache kept', answer, { times: 2 });
  expect(records.map(({ result }) => result?.text)).toEqual(['of /a', 'of /b']);
  expect(server.seen.map(({ url }) => url)).toEqual(['/a', '/b']);
  expect(code).toBe(0);
});

test('--cookies sends what its file has, and writes what it was given', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'jar.txt'), '127.0.0.1\tFALSE\t/\tFALSE\t0\told\t1\n');
  const answer: Answering = (response) => response.setHeader('set-cookie', 'new=2; Path=/').end();
  const { server } = await exec('--cookies jar.txt', answer, { cwd });
  expect(server.seen.map(({ headers }) => headers.cookie)).toEqual(['old=1', 'old=1; new=2']);
  expect(readFileSync(join(cwd, 'jar.txt'), 'utf8')).toContain('127.0.0.1\tFALSE\t/\tFALSE\t0\tnew\t2\n');
});

test('--body-dir writes each body to a file that the result names', async () => {
  const { records, cwd } = await exec('--body-dir pages', (response, { url }) => response.end(`of ${url}`));
  const files = records.map(({ result }) => result?.file as string);
  expect(files.map((file) => readFileSync(join(cwd, file), 'utf8'))).toEqual(['of /a', 'of /b']);
  expect(readdirSync(join(cwd, 'pages'))).toHaveLength(2);
});

test('--threads share the tasks, and all options hold on each of them', async () => {
  const server = await serve((response, { url }) =>
    response
      .writeHead(url === '/7' ? 404 : 200, { 'content-type': 'application/json' })
      .end(`{"at":"${url}"}`),
  );
  const lines = Array.from({ length: 20 }, (_, i) =>
    JSON.stringify({ uuid: `u${i}`, url: `${server.url}/${i}` }),
  );
  const command =
    "task-exec --http --threads 2 --header 'x-own: 1' --expect-json at --keep-order --print-curl";
  const { stdout, stderr, code } = await sh(command, { input: lines.join('\n') });
  const records = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(records.map(({ run }) => run.error?.code)).toEqual(
    lines.map((_, i) => (i === 7 ? 'HTTP_STATUS' : undefined)),
  );
  expect(records[3].result.json).toEqual({ at: '/3' });
  expect(server.seen.every(({ headers }) => headers['x-own'] === '1')).toBe(true);
  expect(stderr.match(/^curl /gm)).toHaveLength(20);
  expect(code).toBe(1);
});

/** Has each request say which thread makes it, by the channel that undici has for that. */
const NAMES_THREADS = `import { subscribe } from 'node:diagnostics_channel';
import { threadId } from 'node:worker_threads';
subscribe('undici:request:create', ({ request }) => request.addHeader('x-thread', String(threadId)));
`;

test('--threads 2 are the main thread and another one, and a stop gives up what either has under way', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'names.mjs'), NAMES_THREADS);
  const held: unknown[] = [];
  let stop = (): void => {};
  const server = await serve((response, { headers }) => {
    const thread = headers['x-thread'];
    // Until the other thread is there, the main one goes on with a little for each.
    if (held.length === 0 && thread === '0') setTimeout(() => response.end('ok'), 5);
    else if (held.push(thread) === 8) stop();
  });
  const lines = Array.from({ length: 20_000 }, (_, i) => `{"uuid":"u${i}","url":"${server.url}/${i}"}\n`);
  const child = start('exec task-exec --http -j 8 --threads 2 --grace 1ms', {
    cwd,
    env: { NODE_OPTIONS: '--import=./names.mjs' },
  });
  stop = () => child.kill('SIGTERM');
  child.stdin?.on('error', () => {}); // it is not read to its end
  child.stdin?.end(lines.join(''));
  const { stdout, stderr, code } = await ended(child);
  expect(code, stderr).toBe(143);
  expect(new Set(held).size).toBe(2);
  const states = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).run);
  expect(new Set(states.map(({ state }) => state))).toEqual(new Set(['SUCCESS', 'PENDING']));
  expect(states.filter(({ state, attempts }) => state === 'PENDING' && attempts === 1)).toHaveLength(8);
});

test.each(['--cookies jar.txt', '--host-errors 3'])(
  '--threads refuse %s, which they would share',
  async (option) => {
    const { stderr, code } = await sh(`task-exec --http --threads 2 ${option}`);
    expect(stderr).toContain(`${option.split(' ')[0]} is for one thread; leave out --threads`);
    expect(code).toBe(2);
  },
);
