/*
 * The executor of --command: runs a program for each task. Owns what the exit code and the outputs of a program mean.
 * Must not know how programs are started: that is for shell-pool/.
 */
import type { Executor } from '../contract.ts';
import { MAX_OUTPUT, TIMEOUT } from '../program/options.ts';
import { Lanes } from '../program/placeholders.ts';
import { RETRY_ON, toRetryOn } from '../program/retry-on.ts';
import { isFailure, programOf } from '../program/start-program.ts';
import { isStopped } from '../program/stopped-by-signal.ts';
import { type JudgedExit, judge } from './command-outcome.ts';
import { MedianTimeout } from './median-timeout.ts';
import { type CommandOptions, LINGER } from './options.ts';
import { openSlots } from './shell-pool/index.ts';

export { type CommandOptions, commandOptions, fromValues } from './options.ts';

/** End of a command whose shell was killed, which may be by the signal that stops the stage. */
const KILLED = { exit: null, signal: 'SIGTERM' };

/**
 * Returns the executor of `--command`: one process for each task, with the record on standard input and its
 * uuid in `TASK_UUID`.
 * @param typed command with attributes in braces, such as `convert {file} out/{uuid}.png`; it does not reach a
 *   shell
 * @throws {TaskpipeError} `USAGE` if it cannot be split into words, or there is no such program
 */
export async function command(typed: string, options: CommandOptions = {}): Promise<Executor> {
  const { maxOutput = MAX_OUTPUT, timeout = TIMEOUT, linger = LINGER, stopping, note } = options;
  const { output = 'text', retryOn = toRetryOn(RETRY_ON) } = options;
  const program = programOf('command', typed, options);
  const slots = openSlots({ env: program.env, cwd: program.cwd, maxOutput, linger });
  const judged: Omit<JudgedExit, 'name' | 'timeout'> = { output, retryOn, maxOutput };
  const { timeoutPercent } = options;
  const median = timeoutPercent === undefined ? undefined : new MedianTimeout(timeoutPercent, timeout);
  const limit = median === undefined ? timeout : () => median.current;
  const lanes = new Lanes();
  let isWarned = false;
  const warn = (name: string): void => {
    if (!isWarned) note?.(leftBehind(name, linger));
    isWarned = true;
  };
  return {
    async attempt(task, { ordinal = 0 }) {
      const since = performance.now();
      const slot = lanes.take();
      const call = program.callFor(task, { number: ordinal + 1, slot });
      const run = isFailure(call)
        ? undefined
        : slots.run({ ...call, input: `${task.line}\n`, timeout: limit });
      const report = await Promise.resolve(run).finally(() => lanes.give(slot));
      if (isFailure(call)) return { error: call };
      const [name = program.name] = call.words;
      if (report?.isHeld) warn(name);
      if (report?.killed === undefined && (await isStopped(report ?? KILLED, stopping)))
        return { state: 'PENDING' };
      const outcome = judge(report, { ...judged, name, timeout: median?.current ?? timeout });
      if (outcome.error === undefined) median?.succeeded(performance.now() - since);
      return outcome;
    },
    describe(task, ordinal = 0) {
      const call = program.callFor(task, { number: ordinal + 1, slot: 1 });
      return isFailure(call) ? `nothing: ${call.message}` : program.show(call);
    },
    close: () => slots.close(),
  };
}

function leftBehind(name: string, linger: number): string {
  return `${name} ended, but a process that it left behind holds its output: what that writes later than ${linger} ms is lost (--linger; redirect its output to a file)`;
}
