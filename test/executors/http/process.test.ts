/* The options of --http on the command line. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Answering, serve, type TestServer } from '../../support/http-server.ts';
import { type Ended, freshFolder, sh } from '../../support/run.ts';

/** Result of a run of task-exec. */
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

test('--headers adds the headers of the response to the result', async () => {
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

test('--idempotency-header sends the uuid of each task, and without it no such header is sent', async () => {
  const { server } = await exec('--idempotency-header', ok, { more: { method: 'post', data: 'x' } });
  expect(server.seen.map(({ headers }) => headers['idempotency-key'])).toEqual(['a', 'b']);
  const plain = await exec('', ok, { more: { method: 'post', data: 'x' } });
  expect(plain.server.seen.map(({ headers }) => headers['idempotency-key'])).toEqual([undefined, undefined]);
});

test('--timeout fails only the task whose response is late', async () => {
  const { records, code } = await exec('--timeout 500ms', (response, { url }) => {
    if (url === '/b') response.end('ok');
  });
  expect(records.map(({ run }) => [run.state, run.error])).toEqual([
    ['FAILURE', { code: 'TIMEOUT', message: expect.stringMatching(/^no answer from .* within 500 ms$/) }],
    ['SUCCESS', undefined],
  ]);
  expect(code).toBe(1);
});

test('--cache sends each request once in two runs', async () => {
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

test('--cookies sends the cookies of its file and saves new ones', async () => {
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

/** Returns the names of the modules of the program that a run has loaded, without their hashes. */
async function partsLoaded(options: string, env: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const coverage = freshFolder();
  const { code } = await sh(`task-exec --http ${options} < /dev/null`, {
    env: { ...env, NODE_V8_COVERAGE: coverage },
  });
  expect(code).toBe(0);
  const [report = ''] = readdirSync(coverage);
  const { result } = JSON.parse(readFileSync(join(coverage, report), 'utf8'));
  const urls = (result as { url: string }[]).map(({ url }) => url);
  return urls.flatMap(
    (url) => /\/(?:dist\/([a-z-]+)-\w+|node_modules\/([\w.]+)\/.*)\.js$/.exec(url)?.slice(1, 3) ?? [],
  );
}

test('code for proxies, cookies, the cache, curl and addresses is loaded only by runs that need it', async () => {
  const lazy = ['proxy', 'cookies', 'http-cache', 'print-curl', 'ipaddr.js', 'mime'];
  const none = await partsLoaded('', { no_proxy: 'h', http_proxy: '' });
  expect(none).toContain('undici');
  expect(none.filter((part) => lazy.includes(part))).toEqual([]);
  expect(await partsLoaded('', { HTTPS_PROXY: 'http://h:1' })).toContain('proxy');
  expect(await partsLoaded('--cookies jar --cache cache --print-curl')).toEqual(
    expect.arrayContaining(['cookies', 'http-cache', 'print-curl']),
  );
  expect(await partsLoaded('--deny-private')).toContain('ipaddr.js');
});

test.each(['', '--body-dir bodies'])(
  'a shortage of open files makes tasks wait, and none fails: %s',
  async (options) => {
    const server = await serve((response) => void setTimeout(() => response.end('ok'), 100));
    const input = Array.from({ length: 200 }, (_, i) => `{"uuid":"${i}","url":"${server.url}/${i}"}\n`).join(
      '',
    );
    const { stdout, code } = await sh(`ulimit -n 128; task-exec --http --retries 0 -j 180 ${options}`, {
      input,
    });
    expect(code).toBe(0);
    expect(stdout.match(/"state":"SUCCESS"/g)).toHaveLength(200);
  },
);
