/* Third-party servers, on free ports and without root rights: nginx, nghttpd, dnsmasq. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { onTestFinished, type TestContext } from 'vitest';
import { freePort } from './port.ts';
import { freshFolder, sh } from './run.ts';

/** PATH with the folder where Debian has servers; it is not in that of users. */
const PATH = `${process.env.PATH}:/usr/sbin`;

/** Longest time until a server listens, in milliseconds. */
const START = 20_000;

/** Skips a test if a server is not installed. */
export async function needsServer(
  context: TestContext,
  program: 'nginx' | 'nghttpd' | 'dnsmasq',
): Promise<void> {
  const { code } = await sh(`PATH=$PATH:/usr/sbin; command -v ${program}`);
  if (code !== 0) context.skip(`${program} is not installed`);
}

/** nginx that ends with the test. */
export interface Nginx {
  /** Url such as `http://127.0.0.1:41234`. */
  readonly url: string;
  readonly port: number;
  /** Folder of its files, `root` of the server. */
  readonly root: string;
  /** Answered requests: `METHOD PATH STATUS BYTES CONNECTION RANGE`, the bytes those of the body. */
  requests(): readonly string[];
}

/**
 * Starts nginx.
 * @param server lines for its `server` block
 * @param http lines for its `http` block
 */
export async function startNginx(server: string, http = ''): Promise<Nginx> {
  const [port, folder] = [await freePort(), freshFolder()];
  const root = join(folder, 'root');
  mkdirSync(root);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const file = join(folder, 'nginx.conf');
  const log = join(folder, 'requests');
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${folder}/pid;
events { worker_connections 256; }
http {
  log_format short '$request_method $request_uri $status $body_bytes_sent $connection $http_range';
  access_log ${log} short; default_type application/octet-stream;
${temporary.map((name) => `  ${name}_temp_path ${folder}/${name};`).join('\n')}
  ${http}
  server { listen 127.0.0.1:${port}; root ${root}; ${server} }
}
`,
  );
  await launch('nginx', ['-p', folder, '-c', file, '-e', join(folder, 'errors')], port);
  const requests = (): readonly string[] => readFileSync(log, 'utf8').trim().split('\n').filter(Boolean);
  return { url: `http://127.0.0.1:${port}`, port, root, requests };
}

/** Starts nghttpd, which speaks HTTP/2 and nothing else. @param tls its key and certificate; none for plain text */
export async function startNghttpd(tls?: { readonly key: string; readonly cert: string }): Promise<string> {
  const [port, folder] = [await freePort(), freshFolder()];
  const own = tls === undefined ? ['--no-tls'] : [];
  const pair = tls === undefined ? [] : [join(folder, 'key'), join(folder, 'cert')];
  if (tls !== undefined) {
    writeFileSync(join(folder, 'key'), tls.key);
    writeFileSync(join(folder, 'cert'), tls.cert);
  }
  writeFileSync(join(folder, 'index.html'), 'by HTTP/2');
  await launch('nghttpd', ['-a', '127.0.0.1', ...own, '-d', folder, String(port), ...pair], port);
  return `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
}

/**
 * Starts dnsmasq, which knows no other names than these.
 * @param hosts lines of a hosts file, such as `127.0.0.1 one.test`
 * @param more arguments, such as `--server=/slow.test/127.0.0.1#5353`
 * @returns its address as for `--resolver`
 */
export async function startDnsmasq(hosts: readonly string[], ...more: readonly string[]): Promise<string> {
  const [port, folder] = [await freePort(), freshFolder()];
  const file = join(folder, 'hosts');
  writeFileSync(file, `${hosts.join('\n')}\n`);
  const alone = ['--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--pid-file='];
  const place = ['--listen-address=127.0.0.1', '--bind-interfaces', `--user=${userInfo().username}`];
  const names = ['--local=/test/', `--addn-hosts=${file}`, '--log-facility=-', ...more];
  await launch('dnsmasq', [...alone, ...place, `--port=${port}`, ...names], port);
  return `127.0.0.1:${port}`;
}

/** Starts a server, and waits until it accepts connections. */
async function launch(program: string, args: readonly string[], port: number): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PATH } });
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      log += chunk;
    });
  onTestFinished(() => ended(child));
  const end = performance.now() + START;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || performance.now() > end)
      throw new Error(`${program} does not listen on ${port}:\n${log}`);
    await wait(20);
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const done = (isOpen: boolean): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once('connect', () => done(true)).once('error', () => done(false));
  });
}
