import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { processesOf } from '../../pipes/pipeline.ts';
import { type Ended, ended, environment } from '../../support/run.ts';
import type { Program } from './program.ts';
import type { Breach } from './report.ts';

/* Pipelines of real processes that tests kill. The process id of every stage is known from its start. */

/** Returns a generator of numbers from 0 to 1, the same ones for each seed: mulberry32, by Tommy Ettinger. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Runs `work` in a fresh folder, in memory if possible, and removes it afterwards. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'taskpipe-live-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs `work` for all items, with this many at the same time. */
export async function inLanes<T>(
  lanes: number,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const lane = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** Report that is being filled while a fault is tried. */
export interface Notes {
  readonly figures: Record<string, number>;
  readonly breaches: Breach[];
  count(name: string): void;
  add(kind: Breach['kind'], words: string): void;
}

export function notes(): Notes {
  const figures: Record<string, number> = {};
  const breaches: Breach[] = [];
  return {
    figures,
    breaches,
    count: (name) => {
      figures[name] = (figures[name] ?? 0) + 1;
    },
    add: (kind, words) => void breaches.push({ kind, words }),
  };
}

/** Pipeline in its own process group. */
export interface Stages {
  readonly group: number;
  /** Process ids by stage, each once its process has started. */
  readonly pids: ReadonlyMap<string, Promise<number>>;
  /** End of the pipeline, with the exit codes by stage; no codes if the shell was killed too. */
  readonly end: Promise<Ended & { codes: ReadonlyMap<string, number> }>;
}

/** Maximum time in milliseconds that a stage may take to end when it has nothing to wait for. */
export const LIMIT = 30_000;

/**
 * Starts a pipeline with an empty standard input.
 * @param stages commands by name, in order
 */
export function startStages(program: Program, cwd: string, stages: ReadonlyMap<string, string>): Stages {
  const names = [...stages.keys()];
  const parts = [...stages].map(([name, command]) => `{ echo ${name} $BASHPID >&3; exec ${command} 3>&-; }`);
  const child = spawn('bash', ['-c', `${parts.join(' | ')}\necho "\${PIPESTATUS[*]}"`], {
    cwd,
    env: environment(program.env),
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const group = child.pid as number;
  const end = ended(child).then((seen) => {
    const codes = seen.stdout.trim().split(' ').map(Number);
    return {
      ...seen,
      codes: new Map(seen.stdout === '' ? [] : names.map((name, i) => [name, codes[i] ?? -1])),
    };
  });
  return { group, pids: pidsOf(child, names), end };
}

function pidsOf(child: ChildProcess, names: readonly string[]): ReadonlyMap<string, Promise<number>> {
  const lines = createInterface({ input: child.stdio[3] as Readable });
  const pids = new Map<string, Promise<number>>();
  for (const name of names) {
    const pid = new Promise<number>((resolve) => {
      lines.on('line', (line) => {
        const [who, number] = line.split(' ');
        if (who === name) resolve(Number(number));
      });
      lines.on('close', () => resolve(-1)); // it has never started
    });
    pids.set(name, pid);
  }
  return pids;
}

/** Returns whether a process exists and belongs to this group, because its number may have been reused. */
export function isOf(group: number, pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '');
    const [state, , itsGroup] = stat.split(' ');
    return Number(itsGroup) === group && state !== 'Z' && state !== 'X';
  } catch {
    return false;
  }
}

/**
 * Waits for an end. If it does not come, kills the whole group and passes the names of its processes to
 * `hangs`.
 */
export async function endOf<T>(group: number, end: Promise<T>, hangs: (who: string) => void): Promise<T> {
  const timer = setTimeout(() => {
    hangs(
      processesOf(group)
        .map(({ command }) => command.replaceAll('\0', ' '))
        .join('; '),
    );
    process.kill(-group, 'SIGKILL');
  }, LIMIT);
  try {
    return await end;
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves after some milliseconds. */
export function after(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
