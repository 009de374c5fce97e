import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { environment } from '../support/run.ts';
import { until as holds } from '../support/until.ts';

/** Running `task-serve`. */
export interface Serving {
  readonly url: string;
  readonly process: ChildProcess;
  /** Returns its stderr so far. */
  said(): string;
  /** Stops it. Returns its exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Response of the service. */
export interface Answer {
  readonly code: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it
  readonly body: any;
}

/** Starts a service, waits until it listens, and stops it at the end of the test. */
export async function serve(
  cwd: string,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Serving> {
  const child = spawn('task-serve', ['/api', ...words], {
    cwd,
    env: environment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`task-serve ended with ${code}: ${said}`)));
    createInterface({ input: child.stderr }).on('line', (line) => {
      said += `${line}\n`;
      const [found] = /http:\S+/.exec(line) ?? [];
      if (found !== undefined) resolve(found);
    });
  });
  const end = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exit = once(child, 'exit');
    child.kill(signal);
    const [code] = await exit;
    return code;
  };
  onTestFinished(async () => void (await end('SIGKILL')));
  return { url, process: child, said: () => said, end };
}

/** Sends a request to the service. */
export async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init);
  const text = await response.text();
  const isJson = (response.headers.get('content-type') ?? '').includes('json');
  return {
    code: response.status,
    headers: response.headers,
    text,
    body: isJson && text !== '' ? JSON.parse(text) : undefined,
  };
}

/** Submits a task. */
export function submit(
  url: string,
  data: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return ask(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof data === 'string' ? data : JSON.stringify({ data }),
  });
}

/** Repeats a request until its response satisfies a condition. */
export async function until(
  url: string,
  is: (answer: Answer) => boolean,
  init?: RequestInit,
): Promise<Answer> {
  let answer: Answer | undefined;
  await holds(async () => {
    answer = await ask(url, init);
    return is(answer);
  });
  return answer as unknown as Answer;
}
