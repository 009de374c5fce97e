/*
 * The executor of --command: runs a program for each task. Owns the meaning of the exit code and the outputs of a
 * program. Must not know how programs are started: that is for shell-pool/.
 */
import { TaskpipeError } from '../../core/base/errors.ts';
import { limitText } from '../../core/base/format.ts';
import type { Failure, Task } from '../../core/record/task.ts';
import { compileTemplate, type Template } from '../../core/record/template.ts';
import type { Attempt, BatchOutcome, Executor, Outcome } from '../contract.ts';
import { MAX_OUTPUT, TIMEOUT } from '../program/options.ts';
import { Lanes, placeholderText, type Turn } from '../program/placeholders.ts';
import { RETRY_ON, toRetryOn } from '../program/retry-on.ts';
import { type Call, isFailure, type Program, programOf } from '../program/start-program.ts';
import { isStopped } from '../program/stopped-by-signal.ts';
import { judgeBatch } from './batch-output.ts';
import { type JudgedExit, judge } from './command-outcome.ts';
import { type LiveOutput, liveOutput } from './live-output.ts';
import { MedianTimeout } from './median-timeout.ts';
import { type CommandOptions, LINGER } from './options.ts';
import { type ResultFiles, resultFiles } from './result-files.ts';
import { openShellPool, type Slots } from './shell-pool/index.ts';
import type { ShellJob } from './shell-pool/job.ts';

export { type CommandOptions, commandOptions, fromValues } from './options.ts';

/** End of a command whose shell was killed, possibly by the signal that stops the stage. */
const KILLED = { exit: null, signal: 'SIGTERM' };

/**
 * Returns the executor of `--command`: one process for each task, with the record on standard input and its
 * uuid in `TASK_UUID`.
 * @param typed command with attributes in braces, such as `convert {file} out/{uuid}.png`; it does not reach a
 *   shell
 * @throws {TaskpipeError} `USAGE` if it cannot be split into words, or there is no such program
 */
export async function command(typed: string, options: CommandOptions = {}): Promise<Executor> {
  return new CommandExecutor(typed, options);
}

class CommandExecutor implements Executor {
  readonly #options: CommandOptions;
  readonly #program: Program;
  readonly #slots: Slots;
  readonly #judged: Pick<JudgedExit, 'output' | 'retryOn' | 'maxOutput'>;
  readonly #timeout: number;
  readonly #median: MedianTimeout | undefined;
  readonly #limit: ShellJob['timeout'];
  readonly #linger: number;
  readonly #results: ResultFiles | undefined;
  readonly #tag: Template | undefined;
  readonly #lanes = new Lanes();
  #isWarned = false;
  readonly attemptAll?: NonNullable<Executor['attemptAll']>;
  readonly batchKey?: NonNullable<Executor['batchKey']>;

  constructor(typed: string, options: CommandOptions) {
    const { maxOutput = MAX_OUTPUT, timeout = TIMEOUT, timeoutPercent, linger = LINGER } = options;
    const { output = 'text', retryOn = toRetryOn(RETRY_ON), results, live, tag } = options;
    refuseUnused(options);
    this.#options = options;
    this.#program = programOf('command', typed, options);
    const { env, cwd } = this.#program;
    this.#slots = openShellPool({ env, cwd, maxOutput, linger });
    this.#judged = { output, retryOn, maxOutput };
    this.#timeout = timeout;
    const median = timeoutPercent === undefined ? undefined : new MedianTimeout(timeoutPercent, timeout);
    this.#median = median;
    this.#limit = median === undefined ? timeout : () => median.current;
    this.#linger = linger;
    this.#results = results === undefined ? undefined : resultFiles(results);
    this.#tag = live || tag !== undefined ? compileTemplate(tag ?? '{uuid}') : undefined;
    if (options.batch === undefined) return;
    this.attemptAll = (tasks, attempt) => this.#runAll(tasks, attempt);
    this.batchKey = (task) => {
      const call = this.#callForAll([task]); // it may lack an attribute
      return isFailure(call) ? call : '';
    };
  }

  async attempt(task: Task, attempt: Pick<Attempt, 'ordinal' | 'cancelled'>): Promise<Outcome> {
    const { ordinal = 0, cancelled } = attempt;
    const slot = this.#lanes.take();
    try {
      return await this.#run(task, { number: ordinal + 1, slot }, cancelled);
    } finally {
      this.#lanes.give(slot);
    }
  }

  async #run(task: Task, turn: Turn, cancelled: AbortSignal | undefined): Promise<Outcome> {
    const call = this.#program.callFor(task, turn);
    if (isFailure(call)) return { error: call };
    const files = await this.#results?.filesFor(task, turn);
    if (files !== undefined && 'code' in files) return { error: files };
    const live = this.#liveFor(task, turn);
    const since = performance.now();
    const input = `${task.line}\n`;
    const limits = { timeout: this.#limit, cancelled };
    const report = await this.#slots.run({ ...call, ...limits, input, files, hear: live?.hear });
    live?.end();
    const name = (call.words[0] ?? this.#program.name).toWellFormed();
    if (report?.isHeld) this.#warn(name);
    if (report?.killed === undefined && (await isStopped(report ?? KILLED, this.#options.stopping)))
      return { state: 'PENDING' };
    if (files !== undefined) await this.#results?.keep(files);
    const timeout = this.#median?.current ?? this.#timeout;
    const outcome = judge(report, { ...this.#judged, name, timeout, files });
    if (outcome.error === undefined) this.#median?.succeeded(performance.now() - since);
    return outcome;
  }

  /** Runs the program once for several tasks, whose records are the lines of its input. */
  async #runAll(tasks: readonly Task[], { ordinal = 0, cancelled }: Attempt): Promise<BatchOutcome> {
    const slot = this.#lanes.take();
    try {
      const call = this.#callForAll(tasks, { number: ordinal + 1, slot });
      if (isFailure(call)) return { whole: { error: call }, halves: 'now' };
      const since = performance.now();
      const input = tasks.map(({ line }) => `${line}\n`).join('');
      const report = await this.#slots.run({ ...call, timeout: this.#limit, cancelled, input });
      const name = (call.words[0] ?? this.#program.name).toWellFormed();
      if (report?.isHeld) this.#warn(name);
      if (report?.killed === undefined && (await isStopped(report ?? KILLED, this.#options.stopping)))
        return { whole: { state: 'PENDING' }, halves: 'never' };
      const timeout = this.#median?.current ?? this.#timeout;
      const made = judgeBatch(report, { ...this.#judged, name, timeout }, tasks);
      if (Array.isArray(made)) this.#median?.succeeded(performance.now() - since);
      return made;
    } finally {
      this.#lanes.give(slot);
    }
  }

  #callForAll(tasks: readonly Task[], turn?: Turn): Call | Failure {
    return (this.#program.callForAll as NonNullable<Program['callForAll']>)(tasks, turn);
  }

  #liveFor(task: Task, turn: Turn): LiveOutput | undefined {
    const { print } = this.#options;
    if (this.#tag === undefined || print === undefined) return undefined;
    const tag = this.#tag.expand(task, undefined, (of, name) => placeholderText(of, name, turn));
    return liveOutput(typeof tag === 'string' ? tag : task.uuid, print);
  }

  #warn(name: string): void {
    if (this.#isWarned) return;
    this.#isWarned = true;
    this.#options.info?.(
      `${name} ended, but a process that it left behind holds its output: what that writes after ${limitText(this.#linger)} is lost (--linger; redirect its output to a file)`,
    );
  }

  describe(task: Task, ordinal = 0): string {
    const call = this.#program.callFor(task, { number: ordinal + 1, slot: 1 });
    return isFailure(call) ? `nothing: ${call.message}` : this.#program.show(call);
  }

  close(): Promise<void> {
    return this.#slots.close();
  }
}

/** Refuses options that have no effect beside --results. @throws {TaskpipeError} `USAGE` */
function refuseUnused({ results, output, live, tag }: CommandOptions): void {
  if (results === undefined) return;
  if (output === 'json')
    throw new TaskpipeError('USAGE', '--output json needs the output in the record; leave out --results');
  if (live || tag !== undefined)
    throw new TaskpipeError(
      'USAGE',
      '--live and --tag do not see output in files; use tail -f, or leave out --results',
    );
}
