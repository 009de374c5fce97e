import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { systemCode } from '../../core/base/errors.ts';
import { type LineFault, readLines } from '../../core/text/lines.ts';
import { pacedChunks } from '../program/paced-reading.ts';
import { MERCY, signalGroup } from '../program/process-group.ts';
import { startFault } from '../program/start-faults.ts';
import { AnswerReader } from './answer-reader.ts';
import { type Assignment, type Death, oldestOf, type WorkerSetup } from './assignment.ts';
import { OldestTimeout } from './oldest-timeout.ts';
import { Prefetch } from './prefetch.ts';
import { readSpeech } from './stderr-log.ts';

/** Time to read the last output of a dead worker, in milliseconds: its children may hold its pipes. */
const LAST = 1000;

/** Silence at the first task after which the user is asked whether the worker flushes, in milliseconds. */
const SILENCE = 10_000;

/** Worker process, from its start to its end. */
export class WorkerProcess {
  readonly #setup: WorkerSetup;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #prefetch: Prefetch;
  /** Tasks that it has, by uuid, the oldest first. */
  readonly #assignments = new Map<string, Assignment>();
  readonly #answers: AnswerReader;
  readonly #timeout: OldestTimeout;
  #unsent = '';
  #isBlocked = false;
  /** Time when it was last idle, or answered. */
  #lastAnswer = 0;
  #hasAnswered = false;
  /** Task whose timeout was over. */
  #late: Assignment | undefined;
  #isOver = false;
  /** True if its input is closed. */
  #isEnded = false;
  #cause: Death['cause'];
  #lastWords = '';
  /** Runs until its first answer. */
  #silence: NodeJS.Timeout | undefined;
  /** Runs after it was asked to end. */
  #mercy: NodeJS.Timeout | undefined;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;

  constructor(setup: WorkerSetup) {
    this.#setup = setup;
    this.#prefetch = new Prefetch(setup.perWorker, setup.batch);
    this.#answers = new AnswerReader(setup, this.#assignments);
    this.#timeout = new OldestTimeout(
      setup.timeout,
      () => this.load === 0,
      () => this.#endLate(),
    );
    const [argv0 = '', ...args] = setup.call.words;
    const number = String(setup.number);
    const env = { ...setup.env, TASK_WORKER_NUMBER: number, TASK_SLOT: number };
    const { cwd } = setup;
    this.#child = spawn(setup.call.file, args, { argv0, cwd, env, detached: true, stdio: 'pipe' });
    this.ended = hasPipes(this.#child) ? this.#watch() : this.#fail();
  }

  /** Leader of its process group. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Number of tasks that it has. */
  get load(): number {
    return this.#assignments.size;
  }

  /** Number of tasks that it may have. */
  get size(): number {
    return this.#prefetch.size;
  }

  /**
   * Returns whether it can take this task now. Answers carry only a uuid, so it never has two tasks of one
   * uuid.
   */
  takes({ task }: Assignment): boolean {
    const isFree = this.load < this.#prefetch.size && !this.#isBlocked && !this.#isOver && !this.#isEnded;
    return isFree && !this.#assignments.has(task.uuid);
  }

  send(assignment: Assignment): void {
    if (this.#assignments.size === 0) {
      this.#lastAnswer = performance.now();
      this.#timeout.begin(this.#lastAnswer);
      if (!this.#hasAnswered) this.#silence ??= setTimeout(() => this.#setup.silent(), SILENCE);
    }
    this.#assignments.set(assignment.task.uuid, assignment);
    if (this.#unsent === '') queueMicrotask(() => this.#flush()); // tasks of the same turn join it
    this.#unsent += `${assignment.task.line}\n`;
    this.#prefetch.sent(assignment.task.line.length);
  }

  /** Closes its input: there are no more tasks. */
  end(): void {
    if (this.#isEnded) return;
    this.#flush();
    this.#isEnded = true;
    if (hasPipes(this.#child)) this.#child.stdin.end();
  }

  /** Asks its process group to end, and kills what is left of it later. */
  stop(): void {
    this.#isOver = true;
    signalGroup(this.#child.pid, 'SIGTERM');
    this.#mercy ??= setTimeout(() => this.kill(), MERCY);
  }

  /** Ends it if it works on this task, as at its timeout. */
  cancel(assignment: Assignment): void {
    if (oldestOf(this.#assignments) === assignment) this.#endLate();
  }

  /** Ends it because its oldest task takes too long. */
  #endLate(): void {
    this.#cause = 'timeout';
    this.#late = oldestOf(this.#assignments);
    this.stop();
  }

  kill(): void {
    this.#isOver = true;
    signalGroup(this.#child.pid, 'SIGKILL');
  }

  #flush(): void {
    const text = this.#unsent;
    if (text === '') return;
    this.#unsent = '';
    if (hasPipes(this.#child) && !this.#child.stdin.destroyed)
      this.#isBlocked = !this.#child.stdin.write(text);
  }

  /** Ends it if there were no descriptors for its pipes. */
  async #fail(): Promise<void> {
    const error = await new Promise<Error>((resolve) => this.#child.once('error', resolve));
    this.#notStarted(error);
    this.#end({ exit: null, signal: null });
  }

  #notStarted(error: Error): void {
    this.#cause = 'start';
    this.#lastWords = startFault(systemCode(error) ?? error.message);
  }

  async #watch(): Promise<void> {
    const { stdin, stderr } = this.#child;
    stdin.on('error', () => {}); // its end is noticed elsewhere
    stdin.on('drain', () => {
      this.#isBlocked = false;
      this.#setup.freed();
    });
    readSpeech(stderr, (line) => {
      this.#lastWords = line;
      this.#setup.said(line);
    });
    this.#child.on('error', (error) => {
      if (this.#child.pid === undefined) this.#notStarted(error);
    });
    this.#child.on('exit', () => {
      this.#isOver = true;
      setTimeout(() => this.#cutOff(), LAST).unref();
    });
    const closed = new Promise<Pick<Death, 'exit' | 'signal'>>((resolve) => {
      this.#child.on('close', (exit, signal) => resolve({ exit, signal }));
    });
    await this.#listen();
    this.#end(await closed);
  }

  #end(how: Pick<Death, 'exit' | 'signal'>): void {
    this.#timeout.clear();
    for (const timer of [this.#silence, this.#mercy]) clearTimeout(timer);
    if (this.#mercy !== undefined) this.kill(); // its children had time to end, too
    this.#isOver = true;
    const left = [...this.#assignments.values()];
    this.#assignments.clear();
    const [cause, hasAnswered, lastWords] = [this.#cause, this.#hasAnswered, this.#lastWords];
    const hasRetired = how.exit === 0 && hasAnswered && cause === undefined;
    const suspect = cause === 'timeout' ? this.#late : left[0];
    const isEarly = this.#isEnded && how.exit === 0 && cause === undefined && left.length > 0;
    const culprit = hasRetired || isEarly ? undefined : left.find((assignment) => assignment === suspect);
    this.#setup.died({ ...how, cause, hasAnswered, isEarly, lastWords, left, culprit });
  }

  /** Kills the children of a dead worker that hold its pipes. */
  #cutOff(): void {
    const { stdout, stderr } = this.#child;
    if (stdout.closed && stderr.closed) return;
    this.kill();
    stdout.destroy();
    stderr.destroy();
  }

  async #listen(): Promise<void> {
    const maxLine = this.#setup.maxOutput;
    try {
      const chunks = pacedChunks(this.#child.stdout);
      const lines = readLines(chunks, { source: 'worker', reject: () => this.#burst(), maxLine });
      for await (const { texts, faults } of lines) this.#hear(texts, faults);
    } catch {
      // The pipe was destroyed because nothing closed it after the end.
    }
  }

  /** Kills it: a line is too long. */
  #burst(): void {
    this.#cause ??= 'output';
    this.kill();
  }

  #hear(lines: readonly string[], faults: ReadonlyMap<number, LineFault> | undefined): void {
    const oldest = oldestOf(this.#assignments);
    let answers = 0;
    for (const [i, line] of lines.entries()) {
      const fault = faults?.get(i);
      if (fault?.code === 'LONG') this.#burst();
      else if (this.#answers.take(line, fault)) answers++;
    }
    if (answers === 0) return;
    const now = performance.now();
    this.#hasAnswered = true;
    clearTimeout(this.#silence);
    this.#prefetch.learn(answers, now - this.#lastAnswer);
    this.#lastAnswer = now;
    if (oldestOf(this.#assignments) !== oldest) this.#timeout.next(now);
  }
}

/** Returns whether a process has pipes: Node makes none if there are no descriptors left. */
function hasPipes(child: Partial<ChildProcess>): boolean {
  return child.stdin !== undefined && child.stdin !== null;
}
