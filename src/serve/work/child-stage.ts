import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { ioError, messageOf } from '../../core/base/errors.ts';
import { textOf } from '../../core/base/format.ts';
import type { Event, Notify } from '../../core/record/event.ts';
import { readJsonRecords, readTasks } from '../../core/record/ndjson.ts';
import type { Task } from '../../core/record/task.ts';
import { signalGroup } from '../../executors/program/process-group.ts';
import type { ExecCall } from './exec-call.ts';
import { type Stage, StageDeath, type StageHooks } from './stage.ts';

export interface ChildOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborted to send SIGTERM, so that running tasks finish; `aborting` then kills the program. */
  readonly stopping: AbortSignal;
  readonly aborting: AbortSignal;
  readonly warn: (message: string) => void;
}

/** Time beyond its grace after which a program that was asked to end is killed, in milliseconds. */
const SLACK = 2000;

/**
 * Makes a stage that is a program, such as `task-exec --module work.mjs`: it reads tasks from its standard input and
 * writes records to its standard output.
 */
export function childStage(call: ExecCall, options: ChildOptions): Stage {
  return (tasks, hooks) => run(call, tasks, options, hooks);
}

async function* run(
  call: ExecCall,
  tasks: AsyncIterable<readonly Task[]>,
  { stopping, aborting, warn, environment }: ChildOptions,
  hooks: StageHooks | undefined,
): AsyncGenerator<readonly Task[]> {
  if (stopping.aborted) return;
  const { name } = call;
  const child = start(call, environment);
  const ended = once(child, 'close').catch((error) => {
    throw ioError('cannot start', name, error);
  });
  ended.catch(() => {}); // awaited below
  let killer: NodeJS.Timeout | undefined;
  const leave = (): void => void signalGroup(child.pid, 'SIGKILL');
  const stop = (): void => {
    child.kill('SIGTERM');
    killer ??= setTimeout(leave, call.grace + SLACK);
  };
  stopping.addEventListener('abort', stop);
  aborting.addEventListener('abort', leave);
  let isReplaced = false;
  const replace = (): void => {
    isReplaced = true;
    stop();
  };
  const pulse = pulseOf(child, call.isTaskExec);
  if (call.hasEvents)
    hooks?.control({
      cancel: (uuid) => tell(child, { cancel: uuid }),
      replace,
      blockedSince: pulse.blockedSince,
    });
  const input = child.stdin as Writable;
  input.on('error', () => {}); // `ended` reports the end of the program
  const fed = feed(tasks, input, call.isTaskExec ? Promise.race([pulse.ready, ended]) : undefined);
  const watched = watch(child.stdio[3] as Readable, hooks?.notify);
  try {
    yield* readTasks(child.stdout as AsyncIterable<Buffer>, {
      source: name,
      reject: ({ line, message }) => warn(`${name}, output line ${line}: ${message}`),
    });
    const [code, signal] = (await ended) as [number | null, string | null];
    await watched;
    if (!stopping.aborted && !isReplaced)
      throw new StageDeath(`${name} ended, ${signal ?? `with ${code}`}`, code, pulse.isReady());
  } finally {
    clearTimeout(killer);
    pulse.stop();
    stopping.removeEventListener('abort', stop);
    aborting.removeEventListener('abort', leave);
    leave(); // also after an error, because nothing else ends the program
    input.destroy();
    void fed;
  }
}

/** Variables that are removed from the environment of programs: TASK_EXEC or TASK_TOKEN would be read there. */
const OURS = /^TASK_/;

function start({ file, args, isTaskExec }: ExecCall, environment: ChildOptions['environment']): ChildProcess {
  const env = Object.entries(environment).filter(([key]) => !OURS.test(key));
  const stdio: StdioOptions = ['pipe', 'pipe', 'inherit', 'pipe', ...(isTaskExec ? (['ipc'] as const) : [])];
  return spawn(file, args, {
    stdio,
    detached: true, // Ctrl-C reaches the service only, which lets the program finish
    env: Object.fromEntries(env),
  });
}

function tell(child: ChildProcess, message: { readonly cancel: string } | { readonly ping: number }): void {
  if (child.connected) child.send(message, () => {}); // an error means that the program ends
}

/**
 * Interval of the heartbeat requests to a task-exec, and the silence after which it counts as dead, in milliseconds.
 */
const PULSE = 500;
const SILENCE = 2000;

/**
 * Time that a task-exec has to become ready, in milliseconds. After that, it gets tasks anyway, because its channel
 * may be lost.
 */
const READY = 5000;

/** Signs of life of a task-exec. */
interface Pulse {
  /** Resolves when it is ready for tasks, or after some time. */
  readonly ready: Promise<void>;
  /** Returns whether it was ready for tasks; undefined if that is not known. */
  isReady(): boolean | undefined;
  blockedSince(): number | undefined;
  stop(): void;
}

/** Sends heartbeat requests to a task-exec, which does not answer while work blocks its main thread. */
function pulseOf(child: ChildProcess, isTaskExec: boolean): Pulse {
  let last: number | undefined;
  let isKnown = isTaskExec;
  let late: NodeJS.Timeout | undefined;
  const ready = new Promise<void>((resolve) => {
    child.once('message', () => resolve()); // a task-exec sends one unasked once it is ready
    late = setTimeout(() => {
      isKnown = false;
      resolve();
    }, READY);
  });
  child.on('message', () => {
    last = performance.now();
  });
  const timer = setInterval(() => tell(child, { ping: 1 }), PULSE);
  return {
    ready,
    isReady: () => (last !== undefined ? true : isKnown ? false : undefined),
    blockedSince: () => (last === undefined || performance.now() - last < SILENCE ? undefined : last),
    stop() {
      clearInterval(timer);
      clearTimeout(late);
    },
  };
}

/** Writes tasks to a program. @param ready awaited before the first one */
async function feed(
  tasks: AsyncIterable<readonly Task[]>,
  input: Writable,
  ready: Promise<unknown> | undefined,
): Promise<void> {
  try {
    await ready;
    if (input.destroyed) return; // the program has ended already
    for await (const batch of tasks) {
      if (input.destroyed) return;
      if (!input.write(textOf(batch))) await drained(input);
    }
    input.end();
  } catch (error) {
    input.destroy(error instanceof Error ? error : new Error(messageOf(error)));
  }
}

/** Resolves when more may be written, or when the pipe is closed. */
async function drained(input: Writable): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  await Promise.race([once(input, 'drain', { signal }), once(input, 'close', { signal })]).finally(() =>
    over.abort(),
  );
}

/** Reads the events of a `task-exec`. */
async function watch(events: Readable, notify: Notify | undefined): Promise<void> {
  try {
    for await (const records of readJsonRecords(events, { source: 'events', reject: () => {} })) {
      for (const { fields } of records)
        if (typeof fields.uuid === 'string') notify?.(fields as unknown as Event);
    }
  } catch {
    // the program has ended; its output reports that
  }
}
