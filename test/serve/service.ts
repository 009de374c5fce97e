import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { environment } from '../support/run.ts';

/** A `task-serve` that runs. */
export interface Serving {
  readonly url: string;
  readonly process: ChildProcess;
  /** What it said so far. */
  said(): string;
  /** Ends it. Returns its exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

/** What an answer holds. */
export interface Answer {
  readonly code: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a test looks at
  readonly body: any;
}

/** Starts a service, and waits until it listens. It ends with the test. */
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

/** Asks the service. */
export async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init);
  const text = await response.text();
  const isJson = (response.headers.get('content-type') ?? '').includes('json');
  return {
    code: response.status,
    headers: response.headers,
    text,
    body: isJson ? JSON.parse(text) : undefined,
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

/** Asks until an answer is as it is waited for. */
export async function until(
  url: string,
  is: (answer: Answer) => boolean,
  init?: RequestInit,
): Promise<Answer> {
  for (;;) {
    const answer = await ask(url, init);
    if (is(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
