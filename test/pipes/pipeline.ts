import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Ended, ended, environment, freshFolder, root } from '../support/run.ts';

/** Shell pipeline in its own process group, as a terminal starts it. */
export interface Pipeline {
  readonly child: ChildProcess;
  /** End of the pipeline. The last line of its stdout has the exit codes of its stages. */
  readonly end: Promise<Ended>;
  /** Exit codes of its stages, once it has ended. */
  readonly codes: Promise<string>;
  /** Signals every process of it, as Ctrl-C does. */
  signal(name: NodeJS.Signals): void;
  /** Returns the process id of a stage, by a name such as `task-exec`. */
  pid(stage: string): number;
  /** Resolves when the text on stdout or stderr matches. */
  said(stream: 'stdout' | 'stderr', words: RegExp): Promise<void>;
}

export interface PipelineOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a pipeline. Its standard input stays open. At the end of the test, all its processes are killed. */
export function startPipeline(command: string, options: PipelineOptions = {}): Pipeline {
  // The traps keep the shell alive, so that it prints the codes. Its children have the default handlers.
  const script = `trap : INT TERM\n${command}\necho "\${PIPESTATUS[*]}"`;
  const child = spawn('bash', ['-c', script], {
    cwd: options.cwd ?? freshFolder(),
    env: environment(options.env),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  child.stdin?.on('error', () => {}); // it may end without reading its input
  const group = child.pid as number;
  const end = ended(child);
  onTestFinished(() => {
    if (processesOf(group).length > 0) process.kill(-group, 'SIGKILL');
  });
  return {
    child,
    end,
    codes: end.then(({ stdout }) => stdout.trimEnd().split('\n').at(-1) as string),
    signal: (name) => process.kill(-group, name),
    pid(stage) {
      const found = processesOf(group).find(({ command }) => command.includes(`/bin/${stage}`));
      if (found === undefined) throw new Error(`no ${stage} is running`);
      return found.pid;
    },
    said: (stream, words) => said(child, stream, words),
  };
}

/** Runs a pipeline to its end, with an empty standard input. */
export async function runPipeline(
  command: string,
  options: PipelineOptions = {},
): Promise<Ended & { codes: string }> {
  const { child, end, codes } = startPipeline(command, options);
  child.stdin?.end();
  return { ...(await end), codes: await codes };
}

function said(child: ChildProcess, stream: 'stdout' | 'stderr', words: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    child[stream]?.on('data', (more) => {
      text += more;
      if (words.test(text)) resolve();
    });
    child.on('close', () => reject(new Error(`ended without saying ${words}: ${text}`)));
  });
}

/** Returns the living processes of a group. */
export function processesOf(group: number): { pid: number; command: string }[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      // Fields after the name, which may contain anything: state, parent, group (proc_pid_stat(5)).
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8').replace(/^.*\) /s, '');
      const [state, , itsGroup] = stat.split(' ');
      if (Number(itsGroup) !== group || state === 'Z') return [];
      return [{ pid: Number(name), command: readFileSync(`/proc/${name}/cmdline`, 'utf8') }];
    } catch {
      return []; // it has ended meanwhile
    }
  });
}

/** Counter of events. Tests can wait for a count. */
export interface Counter {
  readonly count: number;
  add(): void;
  reached(count: number): Promise<void>;
}

export function counter(): Counter {
  let count = 0;
  const waiting: { at: number; resolve: () => void }[] = [];
  return {
    get count() {
      return count;
    },
    add() {
      count++;
      for (const { at, resolve } of waiting) if (count >= at) resolve();
    },
    reached: (at) => new Promise((resolve) => (count >= at ? resolve() : waiting.push({ at, resolve }))),
  };
}

/** Starts the local web server scripts/serve.mjs as a process that ends with the test. */
export async function startServer(
  ...args: string[]
): Promise<{ url: string; port: string; stop: () => Promise<void> }> {
  const child = spawn(process.execPath, [join(root, 'scripts/serve.mjs'), '--port', '0', ...args], {
    env: environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const stop = (): Promise<void> => {
    child.kill();
    return closed;
  };
  onTestFinished(stop);
  const url = await new Promise<string>((resolve) =>
    child.stdout.once('data', (text) => resolve(String(text).trim())),
  );
  return { url, port: new URL(url).port, stop };
}

/** Writes a CSV of this many rows with the columns `n`, from 1, and `url`. */
export function writeRows(folder: string, name: string, count: number, urlOf: (n: number) => string): void {
  let text = 'n,url\n';
  for (let n = 1; n <= count; n++) text += `${n},${urlOf(n)}\n`;
  writeFileSync(join(folder, name), text);
}

export function linesOf(folder: string, name: string): string[] {
  const text = readFileSync(join(folder, name), 'utf8');
  return text.split('\n').filter((line) => line !== '');
}

/** Resolves when a file exists and has this many lines. */
export async function hasLines(folder: string, name: string, count: number): Promise<void> {
  while (!existsSync(join(folder, name)) || linesOf(folder, name).length < count) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Parses the lines of NDJSON. */
export function parsed(text: string): Row[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}

/** Record, with the members that these tests use. */
export interface Row {
  readonly uuid: string;
  readonly n: string;
  readonly run: {
    readonly state: string;
    readonly attempts: number;
    readonly error?: { readonly code: string };
  };
  readonly result: {
    readonly status: number;
    readonly text?: string;
    readonly json?: Readonly<Record<string, unknown>>;
  };
  readonly [name: string]: unknown;
}

/** Returns the uuids in the first column of a CSV without line breaks in cells. */
export function uuidsOf(folder: string, name: string): string[] {
  return linesOf(folder, name)
    .slice(1)
    .map((line) => line.slice(0, line.indexOf(',')));
}

/**
 * Returns the uuids of a ledger, with repetitions. Lines without a uuid record how far an output is saved.
 */
export function finishedOf(folder: string, name: string): string[] {
  return linesOf(folder, name).flatMap((line) => (JSON.parse(line) as { uuid?: string }).uuid ?? []);
}
