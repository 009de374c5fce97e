import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterAll, type TestContext } from 'vitest';
import { freePort } from './port.ts';
import { freshFolder, has } from './run.ts';

/** NATS server of a test: with JetStream, on a free port, with its store in a fresh folder. */
export interface TestNats {
  readonly port: number;
  /** `nats://127.0.0.1:PORT` */
  readonly url: string;
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

/** Skips a test if nats-server is not installed. */
export async function needsNats(context: TestContext): Promise<void> {
  if (!(await has('nats-server'))) context.skip('nats-server is not installed');
}

/** Starts a server. @param more arguments; `-js` is one of the defaults */
export async function startNats(more: readonly string[] = ['-js']): Promise<TestNats> {
  const port = await freePort();
  const folder = freshFolder();
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    child = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(port), '-sd', folder, ...more], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    running.add(child);
    await ready(child);
  };
  await start();
  return {
    ...{ port, start, url: `nats://127.0.0.1:${port}` },
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

/** Waits until a server accepts clients. */
async function ready(child: ChildProcess): Promise<void> {
  const lines = createInterface({ input: child.stderr as NodeJS.ReadableStream });
  let log = '';
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      if (log.length < 10_000) log += `${line}\n`;
      if (line.includes('Server is ready')) resolve();
    });
    child.once('exit', () => reject(new Error(`nats-server ended:\n${log}`)));
  });
}
