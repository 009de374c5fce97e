/* Real proxies for tests: microsocks, danted, tinyproxy and squid, each on a free port. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { freePort } from './port.ts';
import { freshFolder, sh } from './run.ts';

/** Proxy that ends with the test. */
export interface RunningProxy {
  /** `127.0.0.1:port`. */
  readonly host: string;
  readonly port: number;
  /** Kills the proxy with all its connections. */
  kill(): Promise<void>;
}

/** Starts microsocks. @param login user and password that it asks for */
export async function microsocks(login?: ProxyLogin): Promise<RunningProxy> {
  const port = await freePort();
  const asked = login === undefined ? [] : ['-u', login[0], '-P', login[1]];
  return started(port, 'microsocks', ['-i', '127.0.0.1', '-p', String(port), ...asked]);
}

/** User and password that a proxy asks for. */
export type ProxyLogin = readonly [user: string, password: string];

/**
 * Returns whether danted can be started with a login. It checks users of the system, so it needs root, and a mount
 * namespace in which it sees one more user: the system itself is not changed.
 */
export async function canLogInAtDanted(): Promise<boolean> {
  const { code } = await sh('command -v danted openssl && [ "$(id -u)" = 0 ] && unshare --mount true');
  return code === 0;
}

/** Starts danted. @param login user and password that it asks for; see `canLogInAtDanted` */
export async function danted(login?: ProxyLogin): Promise<RunningProxy> {
  const port = await freePort();
  const folder = freshFolder();
  const file = join(folder, 'danted.conf');
  const rules = [
    ...['logoutput: stderr', `internal: 127.0.0.1 port = ${port}`, 'external: 127.0.0.1'],
    ...[`socksmethod: ${login === undefined ? 'none' : 'username'}`, 'clientmethod: none'],
    'client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }',
    'socks pass { from: 0.0.0.0/0 to: 127.0.0.1/32 }',
    'socks block { from: 0.0.0.0/0 to: 0.0.0.0/0 }',
  ];
  writeFileSync(file, `${rules.join('\n')}\n`);
  const words = ['danted', '-f', file, '-p', join(folder, 'pid')];
  if (login === undefined) return started(port, 'danted', words.slice(1));
  await addUser(folder, login);
  const mounts = ['passwd', 'shadow'].map((name) => `mount --bind '${join(folder, name)}' /etc/${name}`);
  return started(port, 'unshare', [
    ...['--mount', 'sh', '-c', `${mounts.join(' && ')} && exec "$@"`, 'sh', ...words],
  ]);
}

/** Writes copies of the system's lists of users, with one more. */
async function addUser(folder: string, [user, password]: ProxyLogin): Promise<void> {
  const commands = [
    `{ cat /etc/passwd; echo '${user}:x:64999:64999::/nonexistent:/usr/sbin/nologin'; } > passwd`,
    `{ cat /etc/shadow; echo "${user}:$(openssl passwd -6 -stdin):19000:0:99999:7:::"; } > shadow`,
  ];
  await sh(commands.join(' && '), { cwd: folder, input: `${password}\n` });
}

/**
 * Starts squid, which keeps no copies.
 * @param login user and password that it asks for
 * @param rules lines such as `http_access deny CONNECT`, before the rule that allows the rest
 */
export async function squid(login?: ProxyLogin, ...rules: readonly string[]): Promise<RunningProxy> {
  const users = join(freshFolder(), 'users');
  if (login === undefined) return startSquid('', [...rules, 'http_access allow all']);
  const { stdout } = await sh('openssl passwd -apr1 -stdin', { input: `${login[1]}\n` });
  writeFileSync(users, `${login[0]}:${stdout}`);
  const asking = [
    `auth_param basic program ${HELPERS}/basic_ncsa_auth ${users}`,
    'auth_param basic children 1',
  ];
  return startSquid('', [...asking, ...rules, ...KNOWN], users);
}

/**
 * Starts squid in front of a server: a web server that asks for Digest, with nonces that are valid for a few
 * requests.
 * @param server port of the server
 * @param uses requests for which a nonce is valid
 */
export async function squidDigest(server: number, login: ProxyLogin, uses: number): Promise<RunningProxy> {
  const users = join(freshFolder(), 'users');
  writeFileSync(users, `${login.join(':')}\n`);
  const asking = [`program ${HELPERS}/digest_file_auth ${users}`, 'children 1', 'realm a b'];
  const rules = [...asking, `nonce_max_count ${uses}`].map((rule) => `auth_param digest ${rule}`);
  const peer = `cache_peer 127.0.0.1 parent ${server} 0 no-query originserver`;
  return startSquid(' accel defaultsite=site.test', [peer, ...rules, ...KNOWN], users);
}

/** Folder of the programs with which squid checks passwords. */
const HELPERS = '/usr/lib/squid';
const KNOWN = ['acl known proxy_auth REQUIRED', 'http_access allow known'];

/** @param mode words after the port @param users file with passwords */
async function startSquid(mode: string, rules: readonly string[], users?: string): Promise<RunningProxy> {
  const port = await freePort();
  const folder = freshFolder();
  const file = join(folder, 'squid.conf');
  // squid leaves root for another user, who reads its files.
  for (const one of [folder, ...(users === undefined ? [] : [dirname(users)])]) chmodSync(one, 0o755);
  const lines = [
    ...[`http_port 127.0.0.1:${port}${mode}`, ...rules, 'http_access deny all'],
    ...['cache deny all', 'access_log none', 'cache_log /dev/null', 'pid_filename none', 'pinger_enable off'],
    ...['max_filedescriptors 1024', `coredump_dir ${folder}`, 'visible_hostname squid.test'],
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return started(port, 'squid', ['-N', '-f', file]);
}

/** Starts tinyproxy. @param login user and password that it asks for */
export async function tinyproxy(login?: ProxyLogin): Promise<RunningProxy> {
  const port = await freePort();
  const folder = freshFolder();
  const file = join(folder, 'tinyproxy.conf');
  const rules = [`Port ${port}`, 'Listen 127.0.0.1', 'MaxClients 200', 'Timeout 30', 'LogLevel Error'];
  if (login !== undefined) rules.push(`BasicAuth ${login.join(' ')}`);
  writeFileSync(file, `${rules.join('\n')}\n`);
  return started(port, 'tinyproxy', ['-d', '-c', file]);
}

async function started(port: number, program: string, words: readonly string[]): Promise<RunningProxy> {
  // Its own process group, so that its children end with it.
  const child = spawn(program, words, { stdio: 'ignore', detached: true });
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    process.kill(-(child.pid as number), 'SIGKILL');
    await exit;
  };
  onTestFinished(kill);
  await isListening(port, child);
  return { host: `127.0.0.1:${port}`, port, kill };
}

/** Waits until a process accepts connections, for at most 15 seconds. */
export async function isListening(port: number, child: ChildProcess): Promise<void> {
  for (const end = performance.now() + 15_000; performance.now() < end; await sleep(20)) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode}`);
    const socket = connect(port, '127.0.0.1');
    const isOpen = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
  }
  throw new Error(`${child.spawnfile} does not listen`);
}
