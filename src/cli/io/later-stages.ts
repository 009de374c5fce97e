import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { descriptors } from '../../core/base/descriptors.ts';
import { STDIO_VARIABLE } from '../guest/guest-streams.ts';

/** Standard input and output of a process, as links such as `pipe:[4026]`. */
interface Ends {
  readonly input: string | undefined;
  readonly output: string | undefined;
}

/** Process that reads a pipe. */
interface Reader {
  readonly pid: string;
  readonly output: string | undefined;
}

/**
 * Returns the command lines of the later stages of this pipe, as words, the next one first. The list is empty
 * on systems other than Linux, and for processes of other users.
 */
export function laterStages(): readonly (readonly string[])[] {
  const readers = readersOfPipes();
  const stages: (readonly string[])[] = [];
  const pipes = [linkOf('self', descriptors.output)];
  for (const pipe of pipes) {
    for (const { pid, output } of readers.get(pipe ?? '') ?? []) {
      stages.push(wordsOf(pid));
      pipes.push(output);
    }
    readers.delete(pipe ?? ''); // each stage once, even in a loop
  }
  return stages;
}

/** Returns the processes that read each pipe, by the link to the pipe. */
function readersOfPipes(): Map<string, readonly Reader[]> {
  const readers = new Map<string, readonly Reader[]>();
  for (const pid of processes()) {
    const { input, output } = endsOf(pid);
    if (input?.startsWith('pipe:')) readers.set(input, [...(readers.get(input) ?? []), { pid, output }]);
  }
  return readers;
}

function processes(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return []; // not Linux
  }
}

/** Returns the ends of a process. The launcher of task-exec moves them, and names them in a variable. */
function endsOf(pid: string): Ends {
  const environment = wordsOf(pid).some((word) => word.endsWith('task-exec')) ? textOf(pid, 'environ') : '';
  const moved = new RegExp(`(?:^|\0)${STDIO_VARIABLE}=(\\d+),(\\d+)`).exec(environment);
  const [, input = 0, output = 1] = moved ?? [];
  return { input: linkOf(pid, input), output: linkOf(pid, output) };
}

function linkOf(pid: string, descriptor: number | string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/fd/${descriptor}`);
  } catch {
    return undefined; // it has ended, or belongs to another user
  }
}

function wordsOf(pid: string): readonly string[] {
  return textOf(pid, 'cmdline').split('\0').slice(0, -1);
}

function textOf(pid: string, file: 'environ' | 'cmdline'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
