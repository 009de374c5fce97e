import { spawn } from 'node:child_process';
import { messageOf } from '../../core/base/errors.ts';
import type { Call } from '../../executors/program/start-program.ts';
import { NOBODY, programOf } from '../../executors/program/start-program.ts';
import type { AppOptions } from '../options.ts';
import type { Finished } from '../store/task-store.ts';

/** Maximum number of --on-done commands that run at once. */
const CALLS = 4;

/**
 * Returns a function that runs a command for each task that has ended.
 * @throws {TaskpipeError} `USAGE` if the program does not exist
 */
export function doneCaller(options: AppOptions): ((end: Finished) => void) | undefined {
  const { onDone, environment = {}, warn = () => {} } = options;
  if (onDone === undefined) return undefined;
  const { file, words } = programOf('onDone', onDone, { environment }).callFor(NOBODY) as Call;
  const waiting: Finished[] = [];
  let running = 0;
  const next = (): void => {
    const end = running < CALLS ? waiting.shift() : undefined;
    if (end === undefined) return;
    running++;
    const { task, state } = end;
    const env = { ...environment, TASK_UUID: task.uuid, TASK_STATE: state } as NodeJS.ProcessEnv;
    const child = spawn(file, words.slice(1), { stdio: ['pipe', 'ignore', 'inherit'], env });
    const fail = (why: string): void => warn(`--on-done for ${task.uuid}: ${why}`);
    child.on('error', (error) => fail(messageOf(error)));
    child.stdin.on('error', () => {}); // the command need not read its input
    child.stdin.end(`${task.line}\n`);
    child.on('close', (code, signal) => {
      running--;
      if (code !== 0) fail(`the command ended with ${signal ?? code}`);
      next();
    });
  };
  return (end) => {
    waiting.push(end);
    next();
  };
}
