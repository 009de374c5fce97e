import { existsSync, readFileSync } from 'node:fs';
import { type Ended, sh } from '../support/run.ts';

/** A record as task-exec let it out. */
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
  /** The same, by uuid. */
  readonly of: Readonly<Record<string, Out>>;
}

/** Tasks as text, a line each: of attributes, with a uuid where they have none. */
export function tasks(...records: readonly object[]): string {
  return records.map((record, i) => `${JSON.stringify({ uuid: `t${i + 1}`, ...record })}\n`).join('');
}

export function numbered(count: number): string {
  return tasks(...Array.from({ length: count }, (_, n) => ({ n })));
}

/** Runs task-exec with arguments, which no shell sees. */
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

/** Waits until something holds. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** The numbers of processes that were written to a file, one a line. */
export function pidsIn(file: string): number[] {
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').map(Number) : [];
}

/** Whether a process is there, and is not only waiting to be reaped. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
