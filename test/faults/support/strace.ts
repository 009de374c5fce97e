import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { has } from '../../support/run.ts';

/*
 * Faults at system calls, injected by strace. It counts calls per thread, so `when` selects one call only if
 * it names one kind of call on one file and the thread pool of Node has one thread.
 */

/** Environment in which file operations are system calls, in the same order each time. */
export const TRACEABLE: Readonly<Record<string, string>> = { UV_USE_IO_URING: '0', UV_THREADPOOL_SIZE: '1' };

export const canTrace: boolean = await has('strace');

/** Kind of call on one file. */
export interface Point {
  readonly call: string;
  /** Name of the file without its folder; `.` for the folder itself. */
  readonly file: string;
}

export interface Injection extends Point {
  /** Number of the call, from 1, or an expression of strace for several. */
  readonly when: number | string;
  /** Effect: the process is killed instead of the call, or the call fails. */
  readonly how: 'signal=KILL' | `error=${string}`;
}

const CALLS = 'openat,write,pwrite64,fdatasync,fsync,ftruncate,rename,unlink';

/** Returns the prefix of a command that writes its file calls to `trace` and makes one of them fail. */
export function tracing(folder: string, trace: string, injection?: Injection): string {
  const words = `strace -f -y -qq -s 0 -e signal=none -o ${trace} -e trace=${CALLS}`;
  if (injection === undefined) return words;
  const { call, file, when, how } = injection;
  const paths = file === '.' ? ['.', folder] : namesOf(file).flatMap((name) => [name, join(folder, name)]);
  // With this option only the selected calls stop the process, which is faster; but strace cannot inject
  // signals then.
  const speed = how === 'signal=KILL' ? '' : '--seccomp-bpf';
  return `${words} ${speed} ${paths.map((path) => `-P ${path}`).join(' ')} -e inject=${call}:${how}:when=${when}`;
}

/** Returns the names of a file, which differ if they contain the second of their creation. */
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
 * Returns the kinds of calls that change files of a folder, in the order of their first, and the number of
 * each in a trace. If several threads make them, it counts those of one thread.
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

/** Returns the calls after the injected failure; undefined if no call failed. */
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
