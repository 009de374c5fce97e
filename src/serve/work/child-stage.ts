import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { ioError, messageOf, TaskpipeError } from '../../core/base/errors.ts';
import { textOf } from '../../core/base/format.ts';
import { readJsonRecords, readTasks } from '../../core/record/ndjson.ts';
import type { Task } from '../../core/record/task.ts';
import { splitWords } from '../../executors/program/command-words.ts';
import { signalGroup } from '../../executors/program/process-group.ts';
import { type Call, NOBODY, programOf } from '../../executors/program/start-program.ts';
import type { Stage } from './stage.ts';

export interface ChildOptions {
  /** True to run the command with `sh -c`. */
  readonly shell?: boolean | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Options added to a `task-exec` command that does not have them. */
  readonly also: Readonly<Record<string, string | undefined>>;
  /** Called when a task starts. */
  readonly began: (uuid: string) => void;
  /** Aborted to send SIGTERM, so that running tasks finish; `aborting` then kills the program. */
  readonly stopping: AbortSignal;
  readonly aborting: AbortSignal;
  readonly warn: (message: string) => void;
}

/**
 * Makes a stage that is a program, such as `task-exec --module work.mjs`: it reads tasks from its standard input and
 * writes records to its standard output.
 */
export function childStage(command: string, options: ChildOptions): Stage {
  const words = callOf(command, options);
  return (tasks) => run(words, command, tasks, options);
}

/** Tells whether a command is a `task-exec`, which accepts more options. */
export function isTaskExec(command: string, shell: boolean | undefined): boolean {
  return !shell && splitWords(command, false).some((word) => /(^|\/)task-exec$/.test(word));
}

/** Returns the words of the command. @throws {TaskpipeError} `USAGE` if the program does not exist */
function callOf(command: string, { shell, also, environment }: ChildOptions): readonly string[] {
  const { file, words } = programOf('exec', command, { shell, environment }).callFor(NOBODY) as Call;
  const args = words.slice(1);
  if (!isTaskExec(command, shell)) return [file, ...args];
  for (const [option, value] of Object.entries({ events: '/dev/fd/3', ...also })) {
    const isThere = args.some((word) => word === `--${option}` || word.startsWith(`--${option}=`));
    if (value !== undefined && !isThere) args.push(`--${option}=${value}`);
  }
  return [file, ...args];
}

async function* run(
  [file = '', ...args]: readonly string[],
  name: string,
  tasks: AsyncIterable<readonly Task[]>,
  options: ChildOptions,
): AsyncGenerator<readonly Task[]> {
  const { stopping, aborting, warn, environment } = options;
  if (stopping.aborted) return;
  const env = Object.entries(environment).filter(([key]) => !OURS.test(key));
  const child = spawn(file, args, {
    stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
    detached: true, // Ctrl-C reaches the service only, which lets the program finish
    env: Object.fromEntries(env),
  });
  const ended = once(child, 'close').catch((error) => {
    throw ioError('cannot start', name, error);
  });
  ended.catch(() => {}); // awaited below
  const stop = (): void => void child.kill('SIGTERM');
  const leave = (): void => void signalGroup(child.pid, 'SIGKILL');
  stopping.addEventListener('abort', stop);
  aborting.addEventListener('abort', leave);
  const input = child.stdin as Writable;
  input.on('error', () => {}); // `ended` reports the end of the program
  const fed = feed(tasks, input);
  const watched = watch(child.stdio[3] as Readable, options.began);
  try {
    yield* readTasks(child.stdout as AsyncIterable<Buffer>, {
      source: name,
      reject: ({ line, message }) => warn(`${name}, output line ${line}: ${message}`),
    });
    const [code, signal] = (await ended) as [number | null, string | null];
    await watched;
    if (!stopping.aborted)
      throw new TaskpipeError('IO', `${name} ended, ${signal ?? `with ${code}`}; it is started again`);
  } finally {
    stopping.removeEventListener('abort', stop);
    aborting.removeEventListener('abort', leave);
    leave(); // also after an error: nothing else ends the program
    input.destroy();
    void fed;
  }
}

/** Variables that are removed from the environment of programs: TASK_EXEC or TASK_TOKEN would be read there. */
const OURS = /^TASK_/;

async function feed(tasks: AsyncIterable<readonly Task[]>, input: Writable): Promise<void> {
  try {
    for await (const batch of tasks) {
      if (input.destroyed) return;
      if (!input.write(textOf(batch))) await Promise.race([once(input, 'drain'), once(input, 'close')]);
    }
    input.end();
  } catch (error) {
    input.destroy(error instanceof Error ? error : new Error(messageOf(error)));
  }
}

/** Reads the events of a `task-exec`. */
async function watch(events: Readable, began: (uuid: string) => void): Promise<void> {
  try {
    for await (const records of readJsonRecords(events, { source: 'events', reject: () => {} })) {
      for (const { fields } of records)
        if (fields.state === 'RUNNING' && fields.flow === undefined && typeof fields.uuid === 'string')
          began(fields.uuid);
    }
  } catch {
    // the program has ended; its output reports that
  }
}
