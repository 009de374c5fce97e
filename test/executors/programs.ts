import { existsSync, readFileSync } from 'node:fs';
import { type Ended, sh } from '../support/run.ts';

/** Record that task-exec emitted. */
export interface Out {
  readonly uuid: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it
  readonly result?: any;
  readonly run: {
    readonly state: string;
    readonly attempts: number;
    readonly error?: { readonly code: string; readonly message: string };
  };
}

export interface Ran extends Ended {
  readonly records: readonly Out[];
  /** Records by uuid. */
  readonly of: Readonly<Record<string, Out>>;
}

/** Returns tasks as text, one per line: these attributes, with a uuid if they have none. */
export function tasks(...records: readonly object[]): string {
  return records.map((record, i) => `${JSON.stringify({ uuid: `t${i + 1}`, ...record })}\n`).join('');
}

export function numbered(count: number): string {
  return tasks(...Array.from({ length: count }, (_, n) => ({ n })));
}

/** Runs task-exec with arguments that are quoted for the shell. */
export async function exec(
  args: readonly string[],
  input: string,
  more: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Ran> {
  const quoted = args.map((arg) => `'${arg.replaceAll("'", `'"'"'`)}'`).join(' ');
  const ended = await sh(`exec task-exec ${quoted}`, { input, ...more });
  const records = ended.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Out);
  return { ...ended, records, of: Object.fromEntries(records.map((record) => [record.uuid, record])) };
}

/** Returns the pids in a file that has one per line. */
export function pidsIn(file: string): number[] {
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').map(Number) : [];
}

/** Returns whether a process is running, and not only waiting to be reaped. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
