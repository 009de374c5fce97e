import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

/** The project's folder. */
export const root: string = fileURLToPath(new URL('../..', import.meta.url));

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A fresh folder, which goes away after the tests of a file. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'taskpipe-'));
  folders.push(folder);
  return folder;
}

export interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunOptions {
  /** Default: a fresh folder. */
  readonly cwd?: string;
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
}

/** The environment of what tests run: the executables on the path, and nothing that belongs to whoever runs them. */
export function environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { PATH: `${root}bin:${process.env.PATH}`, HOME: tmpdir(), LANG: 'C.UTF-8', ...more };
}

/** Starts a shell command with the executables on its path. */
export function start(command: string, options: RunOptions = {}): ChildProcess {
  return spawn('bash', ['-c', command], {
    cwd: options.cwd ?? freshFolder(),
    env: environment(options.env),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/** Runs a shell command to its end. */
export function sh(command: string, options: RunOptions = {}): Promise<Ended> {
  const child = start(command, options);
  child.stdin?.on('error', () => {}); // it need not read its input
  child.stdin?.end(options.input ?? '');
  return ended(child);
}

/** Waits for the end of a process. */
export function ended(child: ChildProcess): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  return new Promise((resolve) => {
    child.on('close', (code, signal) => resolve({ stdout, stderr, code, signal }));
  });
}

/** Whether a program is installed. A test that needs one that is not says so, and is skipped. */
export async function has(program: string): Promise<boolean> {
  return (await sh(`command -v ${program}`)).code === 0;
}
