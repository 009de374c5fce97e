import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, type TestContext } from 'vitest';
import { freePort } from './port.ts';
import { freshFolder, has, sh } from './run.ts';

/** Redis server of one test: on a free port, in a fresh folder, with an append-only file. */
export interface TestRedis {
  readonly port: number;
  /** `redis://127.0.0.1:PORT/0` */
  readonly url: string;
  readonly folder: string;
  /** Kills the server with SIGKILL. */
  kill(): Promise<void>;
  /** Suspends the server with SIGSTOP, so that it accepts connections and answers nothing; or resumes it. */
  freeze(isFrozen: boolean): void;
  /** Starts the server again with the data on its disk. Resolves when it answers. */
  start(): Promise<void>;
}

const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** Skips a test if redis-server is not installed. */
export async function needsRedis(context: TestContext): Promise<void> {
  if (!(await has('redis-server'))) context.skip('redis-server is not installed');
}

/** Starts a server. @param more arguments that come last, so that they override the others */
export function startRedis(...more: readonly string[]): Promise<TestRedis> {
  return startServer('redis-server', more);
}

/** Starts a server. @param program `redis-server`, or `valkey-server`, which has the same options */
export async function startServer(program: string, more: readonly string[] = []): Promise<TestRedis> {
  const port = await freePort();
  const folder = freshFolder();
  // Redis writes before it answers. With `everysec`, it may first wait two seconds for the disk, and a kill loses that.
  const durable = [
    ...['--appendonly', 'yes', '--appendfsync', 'no', '--save', ''],
    ...['--dir', folder, '--bind', '127.0.0.1'],
  ];
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    child = await launch(
      program,
      ['--port', String(port), ...durable, ...more],
      /eady to accept connections/,
    );
  };
  await start();
  return {
    port,
    folder,
    url: `redis://127.0.0.1:${port}/0`,
    start,
    freeze(isFrozen) {
      child?.kill(isFrozen ? 'SIGSTOP' : 'SIGCONT');
    },
    async kill() {
      if (child === undefined) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
      running.delete(child);
    },
  };
}

/** Starts a server, and waits for a line of its log. */
async function launch(program: string, args: readonly string[], sign: RegExp): Promise<ChildProcess> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  running.add(child);
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  let log = '';
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      log += `${line}\n`;
      if (sign.test(line)) resolve();
    });
    child.once('exit', () => reject(new Error(`${program} ended:\n${log}`)));
  });
  return child;
}

/**
 * Starts a sentinel that decides alone, and within a second or two. It calls the primary `main`.
 * @param lines more lines for its configuration
 * @returns its port
 */
export async function startSentinel(primary: number, ...lines: readonly string[]): Promise<number> {
  const port = await freePort();
  const folder = freshFolder();
  const file = join(folder, 'sentinel.conf');
  writeFileSync(
    file,
    [
      ...[`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, `sentinel monitor main 127.0.0.1 ${primary} 1`],
      ...['sentinel down-after-milliseconds main 1000', 'sentinel failover-timeout main 4000', ...lines, ''],
    ].join('\n'),
  );
  await launch('redis-server', [file, '--sentinel'], /\+monitor master main/);
  return port;
}

/** Sends a command by `redis-cli` to a port. Returns the answer. */
export async function ask(port: number, command: string): Promise<string> {
  return (await sh(`redis-cli -p ${port} ${command}`, { cwd: tmpdir() })).stdout.trim();
}
