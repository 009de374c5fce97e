/* task-exec --http at nginx. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { freshFolder, sh } from '../../../support/run.ts';
import { needsServer, startNginx } from '../../../support/web-servers.ts';

const MB = 1_048_576;

beforeEach((context) => needsServer(context, 'nginx'));

interface Row {
  readonly uuid: string;
  readonly result?: Record<string, unknown>;
  readonly run: { readonly state: string; readonly attempts: number; readonly error?: object };
}

/** Runs task-exec with these urls. Tasks are named u0, u1, …. */
async function exec(urls: readonly string[], options: string, cwd = freshFolder()): Promise<Row[]> {
  const input = urls.map((url, i) => `${JSON.stringify({ uuid: `u${i}`, url })}\n`).join('');
  const { stdout } = await sh(`task-exec --http --quiet --backoff 1ms..10ms ${options}`, { input, cwd });
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const many = (url: string, count: number): string[] => Array(count).fill(url);
const statesOf = (rows: readonly Row[]): string[] => [...new Set(rows.map(({ run }) => run.state))];

describe('keep-alive of nginx', () => {
  test('ends after some requests, or some time, and costs no retry, of GET and POST', async () => {
    const nginx = await startNginx(`
      keepalive_requests 7;
      location /short { keepalive_timeout 1ms; return 200 ok; }
      location / { return 200 ok; }`);
    const urls = [...many(nginx.url, 150), ...many(`${nginx.url}/short`, 150)];
    for (const method of ['get', 'post']) {
      const rows = await exec(urls, `-j 8 --method ${method} --retries 0`);
      expect(rows).toHaveLength(300);
      expect(statesOf(rows)).toEqual(['SUCCESS']);
    }
    expect(nginx.requests()).toHaveLength(600);
  });

  test('is used: 100 requests need no more connections than jobs', async () => {
    const nginx = await startNginx('location / { return 200 ok; }');
    await exec(many(nginx.url, 100), '-j 4');
    const connections = nginx.requests().map((line) => line.split(' ')[4]);
    expect(new Set(connections).size).toBeLessThanOrEqual(4);
  });
});

describe('a redirect of nginx', () => {
  const server = `
    location = /rewrite { rewrite ^ /page redirect; }
    location = /moved { return 308 /page; }
    location = /loop { return 302 /loop; }
    location = /page { return 200 "page $request_method $content_length"; }`;

  test('is followed: relative, absolute, and that of a folder without its slash', async () => {
    const nginx = await startNginx(server);
    mkdirSync(join(nginx.root, 'dir'));
    writeFileSync(join(nginx.root, 'dir/index.html'), 'index');
    const rows = await exec(
      ['rewrite', 'moved', 'dir'].map((path) => `${nginx.url}/${path}`),
      '--redirects --body text -j 1',
    );
    expect(rows.map(({ result }) => [result?.url, result?.text])).toEqual([
      [`${nginx.url}/page`, 'page GET '],
      [`${nginx.url}/page`, 'page GET '],
      [`${nginx.url}/dir/`, 'index'],
    ]);
    expect(rows[2]?.result?.redirects).toEqual([{ status: 301, url: `${nginx.url}/dir` }]);
  });

  test('sends the body again at a 308, and ends after --follow', async () => {
    const nginx = await startNginx(server);
    const urls = [`${nginx.url}/moved`, `${nginx.url}/loop`];
    const rows = await exec(urls, '--data 12345 --follow 3 --body text -j 1');
    expect(rows[0]?.result?.text).toBe('page POST 5');
    expect(rows[1]?.run.error).toMatchObject({ code: 'REDIRECTS' });
    expect(nginx.requests().filter((line) => line.includes('/loop'))).toHaveLength(4);
  });
});

describe('a download from nginx', () => {
  const bytes = randomBytes(4 * MB);

  test('that is too slow for its timeout is continued, and nothing is fetched twice', async () => {
    const nginx = await startNginx('limit_rate_after 2m; limit_rate 1500k;');
    writeFileSync(join(nginx.root, 'a.bin'), bytes);
    const cwd = freshFolder();
    const [row] = await exec([`${nginx.url}/a.bin`], '--timeout 900ms --retries 1 --body-dir d', cwd);
    expect(row?.run.state).toBe('SUCCESS');
    expect(row?.result).toMatchObject({ status: 200, bytes: bytes.length, sha256: sha256(bytes) });
    expect(sha256(readFileSync(join(cwd, String(row?.result?.file))))).toBe(sha256(bytes));
    const requests = nginx.requests().map((line) => line.split(' '));
    expect(requests[0]?.[2]).toBe('200');
    expect(requests.slice(1).map(([, , status]) => status)).toContain('206');
    expect(requests.at(-1)?.[5]).toMatch(/^bytes=\d+-$/);
  });

  test('that has changed since the first run is fetched again', async () => {
    const nginx = await startNginx('limit_rate_after 2m; limit_rate 500k;');
    const cwd = freshFolder();
    const url = `${nginx.url}/a.bin`;
    writeFileSync(join(nginx.root, 'a.bin'), bytes);
    const [first] = await exec([url], '--timeout 700ms --retries 0 --body-dir d', cwd);
    expect(first?.run.error).toMatchObject({ code: 'TIMEOUT' });
    expect(readdirSync(join(cwd, 'd/.taskpipe')).some((name) => name.endsWith('.part'))).toBe(true);
    const other = randomBytes(2 * MB + 5);
    writeFileSync(join(nginx.root, 'a.bin'), other);
    const [second] = await exec([url], '--retries 0 --body-dir d', cwd);
    expect(second?.result).toMatchObject({ bytes: other.length, sha256: sha256(other) });
    const last = nginx.requests().at(-1);
    expect(last).toMatch(/ 200 .* bytes=\d+-$/); // by If-Range
  });

  test('in gzip is unpacked, and its checksum is that of the content', async () => {
    const nginx = await startNginx('', 'gzip on; gzip_types *; gzip_min_length 1;');
    const text = Buffer.from('a line of text\n'.repeat(200_000));
    writeFileSync(join(nginx.root, 'a.txt'), text);
    const cwd = freshFolder();
    const [row] = await exec([`${nginx.url}/a.txt`], '--body-dir d', cwd);
    expect(row?.result).toMatchObject({ bytes: text.length, sha256: sha256(text) });
    expect(Number(nginx.requests()[0]?.split(' ')[3])).toBeLessThan(100_000);
    expect(readFileSync(join(cwd, String(row?.result?.file))).equals(text)).toBe(true);
  });
});

describe('an upload to nginx', () => {
  test('is stored as it is: a file, an empty one, and a stream in chunks by ctx.fetch', async () => {
    const nginx = await startNginx(
      'dav_methods PUT DELETE; client_max_body_size 0; create_full_put_path on;',
    );
    const cwd = freshFolder();
    const bytes = randomBytes(3 * MB);
    writeFileSync(join(cwd, 'large'), bytes);
    writeFileSync(join(cwd, 'none'), '');
    writeFileSync(
      join(cwd, 'work.mjs'),
      `import { createReadStream } from 'node:fs';
       import { Readable } from 'node:stream';
       export default async (task, ctx) => {
         const body = Readable.toWeb(createReadStream('large'));
         return (await ctx.fetch(task.url, { method: 'PUT', body, duplex: 'half' })).status;
       };`,
    );
    const put = (path: string, options: string): Promise<Row[]> => exec([nginx.url + path], options, cwd);
    expect(statesOf(await put('/up/a', '--method put --body-file large'))).toEqual(['SUCCESS']);
    expect(statesOf(await put('/up/b', '--method put --body-file none'))).toEqual(['SUCCESS']);
    expect(readFileSync(join(nginx.root, 'up/a')).equals(bytes)).toBe(true);
    expect(readFileSync(join(nginx.root, 'up/b'))).toHaveLength(0);
    expect(statesOf(await put('/up/b', '--method delete'))).toEqual(['SUCCESS']);
    expect(existsSync(join(nginx.root, 'up/b'))).toBe(false);
    const line = JSON.stringify({ uuid: 'u0', url: `${nginx.url}/up/c` });
    const { stdout } = await sh('task-exec --module work.mjs --quiet', { cwd, input: `${line}\n` });
    expect(JSON.parse(stdout).result).toBe(201);
    expect(readFileSync(join(nginx.root, 'up/c')).equals(bytes)).toBe(true);
  });

  test('that is too large fails with 413, not with a broken connection, and is not sent whole', async () => {
    const nginx = await startNginx('client_max_body_size 1m; location / { return 200 ok; }');
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'large'), Buffer.alloc(30 * MB));
    const rows = await exec(many(nginx.url, 6), '-j 3 --body-file large', cwd);
    expect(rows.map(({ run }) => run.error)).toEqual(
      Array(6).fill({ code: 'HTTP_STATUS', message: '413 Request Entity Too Large' }),
    );
    expect(rows.every(({ run }) => run.attempts === 1)).toBe(true);
  });
});

describe('a limit of nginx', () => {
  test.each([503, 429])('that answers %i slows the host until all are done', async (status) => {
    const nginx = await startNginx(
      `location / { limit_req zone=one; limit_req_status ${status}; try_files /a =404; }`,
      'limit_req_zone $server_port zone=one:1m rate=20r/s;',
    );
    writeFileSync(join(nginx.root, 'a'), 'ok');
    const began = performance.now();
    const rows = await exec(many(nginx.url, 24), '-j 8 --retries 8 --backoff 50ms..1s');
    expect(statesOf(rows)).toEqual(['SUCCESS']);
    expect(performance.now() - began).toBeGreaterThan(1000); // 20 in a second
    const refused = nginx.requests().filter((line) => line.includes(` ${status} `));
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(60);
  });
});
