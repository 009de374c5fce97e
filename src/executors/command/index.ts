/*
 * The executor of --command: runs a program for each task. Owns what the exit code and the outputs of a program mean.
 * Must not know how programs are started: that is for shell-pool/.
 */
import type { Executor } from '../contract.ts';
import { MAX_OUTPUT, TIMEOUT } from '../program/options.ts';
import { RETRY_ON, toRetryOn } from '../program/retry-on.ts';
import { isFailure, programOf } from '../program/start-program.ts';
import { type JudgedExit, judge } from './command-outcome.ts';
import type { CommandOptions } from './options.ts';
import { openShellPool } from './shell-pool/index.ts';

export { type CommandOptions, commandOptions, fromValues } from './options.ts';

/**
 * Returns the executor of `--command`: one process for each task, with the record on standard input and its
 * uuid in `TASK_UUID`.
 * @param typed command with attributes in braces, such as `convert {file} out/{uuid}.png`; it does not reach a
 *   shell
 * @throws {TaskpipeError} `USAGE` if it cannot be split into words, or there is no such program
 */
export async function command(typed: string, options: CommandOptions = {}): Promise<Executor> {
  const { maxOutput = MAX_OUTPUT, timeout = TIMEOUT } = options;
  const { output = 'text', retryOn = toRetryOn(RETRY_ON) } = options;
  const program = programOf('command', typed, options);
  const shells = openShellPool({ env: program.env, cwd: program.cwd, maxOutput });
  const judged: JudgedExit = { name: program.name, output, retryOn, timeout, maxOutput };
  return {
    async attempt(task) {
      const call = program.callFor(task);
      if (isFailure(call)) return { error: call };
      const report = await shells.run({ ...call, input: `${task.line}\n`, timeout });
      return judge(report, judged);
    },
    describe(task) {
      const call = program.callFor(task);
      return isFailure(call) ? `nothing: ${call.message}` : program.show(call);
    },
    close: () => shells.close(),
  };
}
