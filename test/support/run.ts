import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

/** Folder of the project. */
export const root: string = fileURLToPath(new URL('../..', import.meta.url));

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}, 120_000); // an installed package has many files, and the machine may be busy

/** Returns a fresh folder, which is removed after the tests of a file. */
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
  /** Working folder. Default: a fresh one. */
  readonly cwd?: string;
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Returns the environment of test processes: the executables are in PATH, and variables of the user are
 * removed.
 */
export function environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { PATH: `${root}bin:${process.env.PATH}`, HOME: tmpdir(), LANG: 'C.UTF-8', ...more };
}

/** Starts a shell command with the executables in PATH. */
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
  child.stdin?.on('error', () => {}); // it may end without reading its input
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

/** Returns whether a program is installed. A test that needs a missing one names it and is skipped. */
export async function has(program: string): Promise<boolean> {
  return (await sh(`command -v ${program}`)).code === 0;
}
