/* --http2, against Node's server, nginx and nghttpd. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import {
  constants,
  createSecureServer,
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Executor } from '../../../../../src/executors/contract.ts';
import { GOOD, KEY } from '../../../../support/certificates.ts';
import { serveTls } from '../../../../support/http-server.ts';
import { freePort } from '../../../../support/port.ts';
import { isListening, microsocks } from '../../../../support/proxies.ts';
import { freshFolder, has, sh } from '../../../../support/run.ts';
import { attempt, fetchOne, open, type Tried } from '../../support.ts';

const hasMicrosocks = await has('microsocks');
const options = { http2: true, insecure: true };

interface Http2Server {
  readonly url: string;
  readonly port: number;
  readonly sessions: ServerHttp2Session[];
  connections: number;
}

/** Serves HTTP/2 over TLS, and no HTTP/1.1 unless it is allowed. */
async function serveHttp2(
  answer: (stream: ServerHttp2Stream, path: string, session: ServerHttp2Session) => void,
  more: object = {},
): Promise<Http2Server> {
  const server = createSecureServer({ key: KEY, cert: GOOD, ...more });
  const made = { url: '', port: 0, sessions: [] as ServerHttp2Session[], connections: 0 };
  server.on('session', (session) => {
    made.sessions.push(session);
    session.on('error', () => {});
  });
  server.on('secureConnection', () => void made.connections++);
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    answer(stream, String(headers[':path']), stream.session as ServerHttp2Session);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const session of made.sessions) session.destroy();
    server.close();
  });
  made.port = (server.address() as AddressInfo).port;
  made.url = `https://127.0.0.1:${made.port}`;
  return made;
}

function ok(stream: ServerHttp2Stream, text: string): void {
  if (stream.destroyed) return;
  stream.respond({ ':status': 200, 'content-type': 'text/plain' });
  stream.end(text);
}

/** Makes attempts at many urls at once. */
function all(executor: Executor, url: string, count: number, more: object = {}): Promise<Tried[]> {
  return Promise.all(
    Array.from({ length: count }, (_, i) => attempt(executor, { url: `${url}/${i}`, ...more }, `u${i}`)),
  );
}

describe('--http2', () => {
  test('sends requests of all kinds at once over one connection', async () => {
    let most = 0;
    let now = 0;
    const held: (() => void)[] = [];
    const server = await serveHttp2((stream, path) => {
      most = Math.max(most, ++now);
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => void chunks.push(chunk));
      stream.on('end', () => {
        held.push(() => ok(stream, `${path} ${Buffer.concat(chunks)}`));
        if (held.length === 80) for (const go of held) go();
      });
    });
    const executor = await open(options);
    const data = 'x'.repeat(50_000);
    const [gets, posts] = await Promise.all([
      all(executor, server.url, 40),
      all(executor, server.url, 40, { method: 'post', data }),
    ]);
    expect(gets.map(({ result }) => result?.text)).toEqual(gets.map((_, i) => `/${i} `));
    expect(posts.map(({ result }) => result?.text)).toEqual(posts.map((_, i) => `/${i} ${data}`));
    expect([server.connections, most]).toEqual([1, 80]);
  });

  test('passes headers, cookies and the status as HTTP/1.1 does', async () => {
    const server = await serveHttp2((stream) => {
      stream.additionalHeaders({ ':status': 103, link: '</a>' });
      stream.respond({ ':status': 404, 'set-cookie': ['a=1', 'b=2'] });
      stream.end(JSON.stringify(stream.sentHeaders));
    });
    const { result, error } = await fetchOne(
      { url: `${server.url}/`, headers: { Host: 'other.example', Connection: 'close', 'X-A': 'é' } },
      { ...options, headers: true, expectStatus: '404' },
    );
    expect(error).toBeUndefined();
    expect(result).toMatchObject({ status: 404, headers: { 'set-cookie': ['a=1', 'b=2'] } });
  });

  test('falls back to HTTP/1.1, and uses it for http', async () => {
    const server = await serveTls((response) => response.end('one'));
    const executor = await open(options);
    for (const { result } of await all(executor, server.url, 10))
      expect(result).toMatchObject({ text: 'one' });
  });

  test('opens another connection when the server takes no more requests on one', async () => {
    const server = await serveHttp2((stream, path) => setTimeout(() => ok(stream, path), 20), {
      settings: { maxConcurrentStreams: 5 },
    });
    const tried = await all(await open(options), server.url, 20);
    expect(tried.map(({ result }) => result?.text)).toEqual(tried.map((_, i) => `/${i}`));
    expect(server.connections).toBeGreaterThan(1);
    expect(server.connections).toBeLessThanOrEqual(4);
  });

  test('loses no request to a GOAWAY, and repeats none that the server has processed', async () => {
    const seen: string[] = [];
    const counts = new Map<ServerHttp2Session, number>();
    const server = await serveHttp2((stream, path, session) => {
      const count = (counts.get(session) ?? 0) + 1;
      counts.set(session, count);
      if (count > 20) return; // beyond the last stream that GOAWAY names
      seen.push(path);
      if (count === 20) session.goaway(constants.NGHTTP2_NO_ERROR, stream.id);
      setTimeout(() => ok(stream, path), 10);
    });
    const tried = await all(await open(options), server.url, 100, { method: 'post', data: 'x' });
    expect(tried.map(({ error }) => error).filter((error) => error !== undefined)).toEqual([]);
    expect(tried.map(({ result }) => result?.text)).toEqual(tried.map((_, i) => `/${i}`));
    expect(new Set(seen).size).toBe(100);
    expect(seen).toHaveLength(100);
    expect(server.connections).toBeGreaterThanOrEqual(5);
  });

  test('sends a refused stream again, and reports one that the server broke off', async () => {
    let refusals = 0;
    const server = await serveHttp2((stream, path) => {
      if (path === '/refused' && refusals++ < 2) stream.close(constants.NGHTTP2_REFUSED_STREAM);
      else if (path === '/broken') stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      else if (path === '/half') {
        stream.respond({ ':status': 200, 'content-length': 10 });
        stream.write('half', () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
      } else ok(stream, path);
    });
    const executor = await open(options);
    expect((await attempt(executor, { url: `${server.url}/refused` })).result).toMatchObject({
      text: '/refused',
    });
    expect((await attempt(executor, { url: `${server.url}/broken` })).error?.message).toBe(
      `the connection to 127.0.0.1:${server.port} broke before it answered: it closed the stream with INTERNAL_ERROR`,
    );
    expect((await attempt(executor, { url: `${server.url}/half` })).error?.message).toBe(
      `the body from 127.0.0.1:${server.port} ended after 4 of 10 bytes`,
    );
    expect((await attempt(executor, { url: `${server.url}/after` })).result).toMatchObject({
      text: '/after',
    });
    expect(server.connections).toBe(1);
  });

  test('a request that times out leaves the others alone', async () => {
    const server = await serveHttp2((stream, path) => {
      if (path !== '/slow') setTimeout(() => ok(stream, path), 600);
    });
    const executor = await open(options);
    const [slow, quick] = await Promise.all([
      attempt(executor, { url: `${server.url}/slow`, timeout: '300ms' }),
      attempt(executor, { url: `${server.url}/quick` }),
    ]);
    expect(slow.error?.message).toBe(`no answer from 127.0.0.1:${server.port} within 300 ms`);
    expect(quick.result).toMatchObject({ text: '/quick' });
    expect(server.connections).toBe(1);
  });

  test('large bodies arrive whole, also in files', async () => {
    const body = Buffer.alloc(3_000_000, 'abcdefghij');
    const server = await serveHttp2(
      (stream) => {
        stream.respond({ ':status': 200, 'content-type': 'application/octet-stream' });
        stream.end(body);
      },
      { maxSessionMemory: 200 },
    );
    const bodyDir = freshFolder();
    for (const { result, error } of await all(await open({ ...options, bodyDir }), server.url, 8))
      expect(error ?? result).toMatchObject({ bytes: body.length });
  });

  test('a body over --max-body closes its stream only', async () => {
    const server = await serveHttp2((stream) => ok(stream, 'x'.repeat(5000)));
    const executor = await open({ ...options, maxBody: 1000 });
    for (const { error } of await all(executor, server.url, 3)) expect(error?.code).toBe('BODY_TOO_LARGE');
    expect(server.connections).toBe(1);
  });

  test.skipIf(!hasMicrosocks)('goes through a SOCKS5 proxy, on one connection', async () => {
    const proxy = await microsocks();
    const server = await serveHttp2((stream, path) => ok(stream, path));
    const tried = await all(await open({ ...options, proxy: `socks5h://${proxy.host}` }), server.url, 20);
    expect(tried.map(({ result }) => result?.text)).toEqual(tried.map((_, i) => `/${i}`));
    expect(server.connections).toBe(1);
  });
});

describe('without --http2, a server of HTTP/2 only', () => {
  test('is named, over TLS and without', async () => {
    const server = await serveHttp2((stream) => ok(stream, ''));
    expect((await fetchOne({ url: server.url }, { insecure: true })).error?.message).toBe(
      `127.0.0.1:${server.port} does not speak HTTP/1.1 (--http2 uses HTTP/2)`,
    );
    const plain = createServer((_: Http2ServerRequest, response: Http2ServerResponse) => response.end());
    plain.listen(0, '127.0.0.1');
    await once(plain, 'listening');
    onTestFinished(() => void plain.close());
    const { port } = plain.address() as AddressInfo;
    expect((await fetchOne({ url: `http://127.0.0.1:${port}/` })).error?.message).toBe(
      `127.0.0.1:${port} speaks only HTTP/2 (--http2 uses it for https urls)`,
    );
  });
});

/** Runs a pipeline of 300 tasks against a server that is started with the certificate in its folder. */
async function run(port: number, path: string): Promise<number> {
  const lines = Array.from(
    { length: 300 },
    (_, i) => `{"uuid":"${i}","url":"https://127.0.0.1:${port}${path}?${i}"}\n`,
  );
  const { stdout } = await sh('task-exec --http --http2 --insecure -j 50 | grep -c \'"state":"SUCCESS"\'', {
    input: lines.join(''),
  });
  return Number(stdout);
}

async function startServer(program: string, words: readonly string[], port: number): Promise<void> {
  const child = spawn(program, words, { stdio: 'ignore' });
  onTestFinished(() => void child.kill());
  await isListening(port, child);
}

function certificateFolder(): string {
  const folder = freshFolder();
  writeFileSync(join(folder, 'key.pem'), KEY);
  writeFileSync(join(folder, 'cert.pem'), GOOD);
  writeFileSync(join(folder, 'a.txt'), 'hello\n');
  chmodSync(folder, 0o755); // nginx reads it as another user
  return folder;
}

test.skipIf(!(await has('nghttpd')))('nghttpd answers 300 tasks', async () => {
  const [folder, port] = [certificateFolder(), await freePort()];
  await startServer(
    'nghttpd',
    [`--htdocs=${folder}`, String(port), join(folder, 'key.pem'), join(folder, 'cert.pem')],
    port,
  );
  expect(await run(port, '/a.txt')).toBe(300);
});

test.skipIf(!(await has('nginx')))(
  'nginx, which ends a connection after 20 requests, answers 300 tasks',
  async () => {
    const [folder, port] = [certificateFolder(), await freePort()];
    const log = join(folder, 'access.log');
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
     events {}
     http {
       log_format c '$connection $server_protocol'; access_log ${log} c;
       client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f;
       uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
       server {
         listen 127.0.0.1:${port} ssl http2; root ${folder}; keepalive_requests 20;
         ssl_certificate ${folder}/cert.pem; ssl_certificate_key ${folder}/key.pem;
       }
     }`,
    );
    await startServer(
      'nginx',
      ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', `${folder}/error.log`],
      port,
    );
    expect(await run(port, '/a.txt')).toBe(300);
    const { stdout } = await sh(`sort -u '${log}' | grep -c HTTP/2.0; grep -c HTTP/2.0 '${log}'`);
    const [connections = 0, requests] = stdout.trim().split('\n').map(Number);
    expect(requests).toBe(300);
    expect(connections).toBeGreaterThanOrEqual(15);
  },
);
