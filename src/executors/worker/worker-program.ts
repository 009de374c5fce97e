import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { systemCode } from '../../core/base/errors.ts';
import type { RecordReject } from '../../core/record/ndjson.ts';
import { missedTime } from '../../core/schedule/missed-time.ts';
import { type LineFault, readLines } from '../../core/text/lines.ts';
import { pacedChunks } from '../program/paced-reading.ts';
import { MERCY, signalGroup } from '../program/process-group.ts';
import { startFault } from '../program/start-faults.ts';
import type { Assignment, Death, WorkerSetup } from './assignment.ts';
import { BatchReader, batchOf, ECHO } from './batch-form.ts';
import { Prefetch } from './prefetch.ts';
import { readSpeech } from './stderr-log.ts';
import { ownerOf, parseAnswer } from './worker-answer.ts';

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
  /** Reader of answers for batches. */
  readonly #batches: BatchReader | undefined;
  #unsent = '';
  #isBlocked = false;
  /** Time since which the oldest task is the oldest: one that waits behind another is not being worked on. */
  #oldestSince = 0;
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
  #timer: NodeJS.Timeout | undefined;
  #due = 0; // time for which the timer is set
  /** Runs until its first answer. */
  #silence: NodeJS.Timeout | undefined;
  /** Runs after it was asked to end. */
  #mercy: NodeJS.Timeout | undefined;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;

  constructor(setup: WorkerSetup) {
    this.#setup = setup;
    this.#prefetch = new Prefetch(setup.perWorker, setup.batch);
    this.#batches = setup.batchForm === undefined ? undefined : new BatchReader(setup.batchForm);
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
      this.#oldestSince = performance.now();
      this.#lastAnswer = this.#oldestSince;
      if (this.#timer === undefined) this.#checkAfter(this.#oldestSince, this.#setup.timeout);
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
    if (firstOf(this.#assignments) !== assignment) return;
    this.#cause = 'timeout';
    this.#late = assignment;
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
    const death = { exit: null as number | null, signal: null as string | null };
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
    const closed = new Promise<void>((resolve) => {
      this.#child.on('close', (exit, signal) => {
        Object.assign(death, { exit, signal });
        resolve();
      });
    });
    await this.#listen();
    await closed;
    this.#end(death);
  }

  #end(how: Pick<Death, 'exit' | 'signal'>): void {
    for (const timer of [this.#timer, this.#silence, this.#mercy]) clearTimeout(timer);
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
    const oldest = firstOf(this.#assignments);
    let answers = 0;
    for (const [i, line] of lines.entries()) {
      const fault = faults?.get(i);
      if (fault?.code === 'LONG') this.#burst();
      else if (this.#batches !== undefined) answers += this.#hearBatch(fault?.text ?? line) ? 1 : 0;
      else if (fault !== undefined) answers += this.#refuse(fault.text, fault) ? 1 : 0;
      else if (line !== '' && this.#hearLine(line)) answers++;
    }
    if (answers === 0) return;
    const now = performance.now();
    this.#hasAnswered = true;
    clearTimeout(this.#silence);
    this.#prefetch.learn(answers, now - this.#lastAnswer);
    this.#lastAnswer = now;
    if (firstOf(this.#assignments) !== oldest) this.#oldestSince = now;
  }

  /** Returns whether a line is an answer. */
  #hearLine(line: string): boolean {
    const answer = parseAnswer(line);
    if (answer === undefined || 'code' in answer) return this.#refuse(line, answer);
    const assignment = this.#assignments.get(answer.uuid);
    if (assignment === undefined) {
      this.#setup.said(`answered for a task that it does not have, or twice: ${JSON.stringify(answer.uuid)}`);
      return false;
    }
    this.#assignments.delete(answer.uuid);
    this.#setup.answered(assignment, answer);
    return true;
  }

  /** Returns whether a line ends the answer for a batch. */
  #hearBatch(line: string): boolean {
    const oldest = firstOf(this.#assignments);
    const isEcho = oldest?.task.line === line; // needs no parsing
    const answer = isEcho ? ECHO : this.#batches?.take(line);
    if (answer === undefined) return false;
    if (typeof answer === 'string') return this.#refuse(answer, undefined);
    const assignment = isEcho ? oldest : batchOf(answer, this.#assignments.values());
    if (assignment === undefined) {
      this.#setup.said('answered for a batch that it does not have, or twice');
      return false;
    }
    this.#assignments.delete(assignment.task.uuid);
    this.#setup.answeredBatch(assignment, answer);
    return true;
  }

  /** Handles an invalid line. Returns whether it is the answer for a task, which fails. */
  #refuse(line: string, fault: RecordReject | undefined): boolean {
    const assignment = fault && ownerOf(line, fault, this.#assignments);
    if (fault === undefined || assignment === undefined) {
      const isText = fault === undefined || fault.code !== 'UTF8';
      this.#setup.said(
        isText ? `printed a line that is not an answer: ${line}` : `printed a line that is ${fault.message}`,
      );
      return false;
    }
    this.#assignments.delete(assignment.task.uuid);
    this.#setup.refused(assignment, fault.message);
    return true;
  }

  #checkAfter(now: number, milliseconds: number): void {
    this.#due = now + milliseconds;
    this.#timer = setTimeout(() => this.#checkTime(), milliseconds);
  }

  /** Ends it if its oldest task is over its timeout. */
  #checkTime(): void {
    this.#timer = undefined;
    if (this.#assignments.size === 0) return;
    const now = performance.now(); // once: the process may be suspended between any two lines
    const { timeout } = this.#setup;
    const missed = missedTime(this.#due, timeout, now);
    if (missed > 0) this.#oldestSince = Math.max(this.#oldestSince, now + missed - timeout);
    const rest = this.#oldestSince + timeout - now;
    if (rest > 0) {
      this.#checkAfter(now, Math.ceil(rest));
      return;
    }
    this.#cause = 'timeout';
    this.#late = firstOf(this.#assignments);
    this.stop();
  }
}

/** Returns whether a process has pipes: Node makes none if there are no descriptors left. */
function hasPipes(child: Partial<ChildProcess>): boolean {
  return child.stdin !== undefined && child.stdin !== null;
}

function firstOf(errands: ReadonlyMap<string, Assignment>): Assignment | undefined {
  return errands.values().next().value;
}
