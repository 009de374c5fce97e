import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { has } from '../../support/run.ts';

/*
 * Faults at system calls, by strace's injection. It counts calls by thread, so that `when` means one call only where
 * it is of one kind, on one file, and Node's pool has one thread.
 */

/** What a program has to be run with, so that its calls are system calls, and come in the same order each time. */
export const TRACEABLE: Readonly<Record<string, string>> = { UV_USE_IO_URING: '0', UV_THREADPOOL_SIZE: '1' };

export const canTrace: boolean = await has('strace');

/** A kind of call on one file. */
export interface Point {
  readonly call: string;
  /** The file's name, without its folder; `.` for the folder itself. */
  readonly file: string;
}

export interface Injection extends Point {
  /** Which of them, from 1; or strace's words for several. */
  readonly when: number | string;
  /** The process is killed instead of the call, or the call fails. */
  readonly how: 'signal=KILL' | `error=${string}`;
}

const CALLS = 'openat,write,pwrite64,fdatasync,fsync,ftruncate,rename,unlink';

/** What stands before a command so that its calls on files are written to `trace`, and one of them goes wrong. */
export function tracing(folder: string, trace: string, injection?: Injection): string {
  const words = `strace -f -y -qq -s 0 -e signal=none -o ${trace} -e trace=${CALLS}`;
  if (injection === undefined) return words;
  const { call, file, when, how } = injection;
  const paths = file === '.' ? ['.', folder] : namesOf(file).flatMap((name) => [name, join(folder, name)]);
  // Only the calls that are looked at stop the process; but there no signal can be injected.
  const speed = how === 'signal=KILL' ? '' : '--seccomp-bpf';
  return `${words} ${speed} ${paths.map((path) => `-P ${path}`).join(' ')} -e inject=${call}:${how}:when=${when}`;
}

/** A file that is named by the second it is made in has another name each time. */
function namesOf(file: string): readonly string[] {
  const [before, time] = file.split('.torn-');
  if (time === undefined) return [file];
  const now = Date.now();
  return Array.from({ length: 60 }, (_, i) => {
    const second = new Date(now + i * 1000).toISOString().replace(/[-:]|\.\d+/g, '');
    return `${before}.torn-${second}`;
  });
}

/**
 * The kinds of calls that change files of a folder, in the order of their first, and how many of each a trace has: in
 * one thread, where several make them.
 */
export function pointsIn(folder: string, trace: string): readonly (Point & { readonly count: number })[] {
  const counts = new Map<string, Map<string, number>>();
  for (const line of linesOf(trace)) {
    const [, thread = '', call = '', opened, named] =
      /^(\d+) +(\w+)\((?:\d+<([^>]*)>|(?:AT_FDCWD<[^>]*>, )?"([^"]*)")/.exec(line) ?? [];
    const place = opened ?? named ?? '';
    const file = place === folder ? '.' : place.replace(`${folder}/`, '');
    if (file === '' || file.includes('/') || file.includes(':[') || line.includes('O_RDONLY')) continue;
    const point = `${call} ${file}`;
    const threads = counts.get(point) ?? new Map<string, number>();
    counts.set(point, threads.set(thread, (threads.get(thread) ?? 0) + 1));
  }
  return [...counts].map(([point, threads]) => {
    const [call = '', file = ''] = point.split(' ');
    return { call, file, count: Math.max(...threads.values()) };
  });
}

/** The calls that a trace has after the one that was made to fail; undefined where none was. */
export function callsAfterFailure(trace: string): readonly string[] | undefined {
  const lines = linesOf(trace);
  const at = lines.findIndex((line) => line.includes('(INJECTED)'));
  return at < 0
    ? undefined
    : lines.slice(at + 1).map((line) => /^\d+ +(?:<\.\.\. )?(\w+)/.exec(line)?.[1] ?? '');
}

function linesOf(trace: string): readonly string[] {
  return existsSync(trace) ? readFileSync(trace, 'utf8').split('\n') : [];
}
