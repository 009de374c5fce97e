/* Real proxies for tests: microsocks, danted and tinyproxy, each on a free port. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { freePort } from './port.ts';
import { freshFolder } from './run.ts';

/** Proxy that ends with the test. */
export interface RunningProxy {
  /** `127.0.0.1:port`. */
  readonly host: string;
  readonly port: number;
  /** Kills the proxy with all its connections. */
  kill(): Promise<void>;
}

/** Starts microsocks. @param login user and password that it asks for */
export async function microsocks(login?: readonly [user: string, password: string]): Promise<RunningProxy> {
  const port = await freePort();
  const asked = login === undefined ? [] : ['-u', login[0], '-P', login[1]];
  return started(port, 'microsocks', ['-i', '127.0.0.1', '-p', String(port), ...asked]);
}

/** Starts danted. */
export async function danted(): Promise<RunningProxy> {
  const port = await freePort();
  const folder = freshFolder();
  const file = join(folder, 'danted.conf');
  const rules = [
    ...['logoutput: stderr', `internal: 127.0.0.1 port = ${port}`, 'external: 127.0.0.1'],
    ...['socksmethod: none', 'clientmethod: none'],
    'client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }',
    'socks pass { from: 0.0.0.0/0 to: 127.0.0.1/32 }',
    'socks block { from: 0.0.0.0/0 to: 0.0.0.0/0 }',
  ];
  writeFileSync(file, `${rules.join('\n')}\n`);
  return started(port, 'danted', ['-f', file, '-p', join(folder, 'pid')]);
}

/** Starts tinyproxy. @param login user and password that it asks for */
export async function tinyproxy(login?: readonly [user: string, password: string]): Promise<RunningProxy> {
  const port = await freePort();
  const folder = freshFolder();
  const file = join(folder, 'tinyproxy.conf');
  const rules = [`Port ${port}`, 'Listen 127.0.0.1', 'MaxClients 200', 'Timeout 30', 'LogLevel Error'];
  if (login !== undefined) rules.push(`BasicAuth ${login.join(' ')}`);
  writeFileSync(file, `${rules.join('\n')}\n`);
  return started(port, 'tinyproxy', ['-d', '-c', file]);
}

async function started(port: number, program: string, words: readonly string[]): Promise<RunningProxy> {
  // A group of its own, so that its children end with it.
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
