import { type ChildProcess, spawn } from 'node:child_process';
import { messageOf } from '../../core/base/errors.ts';
import type { Call } from '../../executors/program/start-program.ts';
import { NO_TASK, programOf } from '../../executors/program/start-program.ts';
import type { AppOptions } from '../options.ts';
import type { Finished } from '../store/contract.ts';

/** Maximum number of --on-done commands that run at once. */
const CALLS = 4;

/** Caller of a command or a function, for each task that has ended. */
export interface DoneCaller {
  call(end: Finished): void;
  /** Resolves when all calls have ended. Calls that still run after `grace` milliseconds are killed or abandoned. */
  close(grace: number): Promise<void>;
}

/**
 * Returns a caller of the command, or the function, of `onDone`.
 * @throws {TaskpipeError} `USAGE` if the program does not exist
 */
export function doneCaller(options: AppOptions): DoneCaller | undefined {
  const { onDone, environment = {}, warn = () => {} } = options;
  if (onDone === undefined) return undefined;
  const running = new Set<ChildProcess | undefined>();
  const run = typeof onDone === 'function' ? calling(onDone) : starting(onDone, environment, running);
  const waiting: Finished[] = [];
  const idle: (() => void)[] = [];
  let count = 0;
  const next = (): void => {
    const end = count < CALLS ? waiting.shift() : undefined;
    if (end === undefined) {
      if (count === 0) for (const resolve of idle.splice(0)) resolve();
      return;
    }
    count++;
    run(end)
      .catch((error) => warn(`--on-done for ${end.task.uuid}: ${messageOf(error)}`))
      .finally(() => {
        count--;
        next();
      });
  };
  return {
    call(end) {
      waiting.push(end);
      next();
    },
    async close(grace) {
      if (count === 0) return;
      const late = setTimeout(() => {
        warn(`--on-done: ${count} calls did not end within the grace; they are given up`);
        waiting.length = 0;
        for (const child of running) child?.kill('SIGKILL');
        for (const resolve of idle.splice(0)) resolve();
      }, grace);
      await new Promise<void>((resolve) => idle.push(resolve));
      clearTimeout(late);
    },
  };
}

type Run = (end: Finished) => Promise<void>;

/** Calls a function with the record. */
function calling(onDone: (record: Readonly<Record<string, unknown>>) => unknown): Run {
  return async ({ task }) => void (await onDone(task.copy()));
}

/** Starts a command that reads the record from its standard input. */
function starting(
  onDone: string,
  environment: Readonly<Record<string, string | undefined>>,
  running: Set<ChildProcess | undefined>,
): Run {
  const { file, words } = programOf('onDone', onDone, { environment }).callFor(NO_TASK) as Call;
  return ({ task, state }) =>
    new Promise((resolve, reject) => {
      const env = { ...environment, TASK_UUID: task.uuid, TASK_STATE: state } as NodeJS.ProcessEnv;
      const child = spawn(file, words.slice(1), { stdio: ['pipe', 'ignore', 'inherit'], env });
      running.add(child);
      child.on('error', reject);
      child.stdin.on('error', () => {}); // the command need not read its input
      child.stdin.end(`${task.line}\n`);
      child.on('close', (code, signal) => {
        running.delete(child);
        if (code === 0) resolve();
        else reject(new Error(`the command ended with ${signal ?? code}`));
      });
    });
}
