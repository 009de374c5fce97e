import { TaskpipeError } from '../../core/base/errors.ts';
import { limitText } from '../../core/base/format.ts';
import type { Outcome } from '../contract.ts';
import { type OrphanKiller, openOrphanKiller } from '../program/orphan-killer.ts';
import { isRetried, type RetryOn } from '../program/retry-on.ts';
import { isStopped } from '../program/stopped-by-signal.ts';
import type { Assignment, BatchAnswer, Death, WorkerSetup } from './assignment.ts';
import { outcomesOf } from './batch-form.ts';
import { FruitlessDeaths } from './fruitless-deaths.ts';
import { StderrLog, shortened } from './stderr-log.ts';
import { outcomeOf } from './worker-answer.ts';
import { WorkerProcess } from './worker-program.ts';

/** Silence before workers see the end of their input, in milliseconds: a task may be retried meanwhile. */
const QUIET = 1000;

/** Time at which an unanswered batch is halved. */
const HALVES = { timeout: 'later', output: 'now', start: 'never', none: 'now' } as const;

export interface CrewOptions
  extends Omit<
    WorkerSetup,
    'number' | 'answered' | 'answeredBatch' | 'refused' | 'freed' | 'silent' | 'said' | 'died'
  > {
  /** Name of a worker in messages. */
  readonly name: string;
  /** Number of workers. */
  readonly size: number;
  readonly retryOn: RetryOn;
  /** Shows what workers write to stderr. */
  readonly print: (line: string) => void;
  /** Time to wait for workers to end when there are no more tasks, in milliseconds. */
  readonly grace: number;
  readonly info: (message: string) => void;
  /** Aborted when the stage is asked to stop. */
  readonly stopping: AbortSignal | undefined;
}

/** Place for one worker at a time. */
interface Place {
  readonly number: number;
  worker: WorkerProcess | undefined;
  /** Earliest start of the next worker, by `performance.now()`. */
  notBefore: number;
}

/** Pool of workers. They are started when there is work, and restarted when they die. */
export class WorkerPool {
  readonly #options: CrewOptions;
  readonly #stderrLog: StderrLog;
  readonly #places: readonly Place[];
  /** Tasks that wait for a free worker. */
  #queue: Assignment[] = [];
  readonly #deaths = new FruitlessDeaths();
  #timer: NodeJS.Timeout | undefined;
  /** Timer that runs from the last answer on while no task waits. */
  #quiet: NodeJS.Timeout | undefined;
  #isClosed = false;
  /**
   * True if a worker left tasks unanswered at the end of its input: then the input of the others ends only after
   * their answers.
   */
  #endsEarly = false;
  #isSilenceNoted = false;
  /** Kills workers that outlive a killed stage. */
  #orphanKiller: OrphanKiller | undefined;

  constructor(options: CrewOptions) {
    this.#options = options;
    this.#stderrLog = new StderrLog(options.print);
    this.#places = Array.from({ length: options.size }, (_, i) => ({
      number: i + 1,
      worker: undefined,
      notBefore: 0,
    }));
  }

  /** Number of tasks that all workers can have together. */
  get capacity(): number {
    let sum = 0; // a loop, because this is read for each task
    for (const { worker } of this.#places) sum += worker?.size ?? 1;
    return sum;
  }

  do(assignment: Assignment): void {
    clearTimeout(this.#quiet);
    this.#quiet = undefined;
    if (this.#queue.length > 0 || !this.#give(assignment)) this.#queue.push(assignment);
  }

  /** Gives up a task: the worker that works on it is ended, and replaced. */
  cancel(assignment: Assignment): void {
    const place = this.#queue.indexOf(assignment);
    if (place < 0) for (const { worker } of this.#places) worker?.cancel(assignment);
    else {
      this.#queue.splice(place, 1);
      assignment.settle({ error: { code: 'CANCELLED', message: 'the task was cancelled' } });
    }
  }

  /**
   * Closes the input of the workers once all tasks are given to them, so that they work on the tasks that they
   * gathered.
   */
  drained(): void {
    this.#quiet ??= setTimeout(() => this.#endInputs(), QUIET);
  }

  #endInputs(): void {
    this.#quiet?.refresh();
    if (this.#endsEarly || this.#queue.length > 0) return;
    for (const { worker } of this.#places) if (worker !== undefined && worker.load > 0) worker.end();
  }

  /** Assigns a task to the worker with the fewest. A new worker is started before any gets a second task. */
  #give(assignment: Assignment): boolean {
    let best: Place | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const place of this.#places) {
      const { worker } = place;
      const load = worker === undefined ? 0.5 : worker.load; // an idle worker comes first
      if (load >= least || !(worker?.takes(assignment) ?? this.#mayStart(place))) continue;
      best = place;
      least = load;
      if (load === 0) break;
    }
    if (best === undefined) return false;
    best.worker ??= this.#start(best);
    best.worker.send(assignment);
    return true;
  }

  #mayStart({ notBefore }: Place): boolean {
    const wait = notBefore === 0 ? 0 : notBefore - performance.now();
    if (wait <= 0) return true;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#giveQueued();
    }, Math.ceil(wait));
    return false;
  }

  #giveQueued(): void {
    if (this.#isClosed) return; // it would start workers that are never ended
    while (this.#queue.length > 0 && this.#give(this.#queue[0] as Assignment)) this.#queue.shift();
  }

  #start(place: Place): WorkerProcess {
    const { number } = place;
    const worker = new WorkerProcess({
      ...this.#options,
      number,
      answered: (assignment, answer) =>
        this.#answered(assignment, outcomeOf(answer, assignment.task, this.#options.retryOn)),
      refused: (assignment, why) => {
        const message = `worker ${number} (${this.#options.name}) wrote an invalid answer: ${why}`;
        const error = { code: 'ANSWER', message };
        const isAgain = isRetried(this.#options.retryOn, 'error');
        this.#answered(assignment, isAgain ? { error, retry: {} } : { error });
      },
      answeredBatch: (assignment, answer) => this.#answeredBatch(number, assignment, answer),
      freed: () => this.#giveQueued(),
      silent: () => this.#noteSilence(number),
      said: (words) => this.#stderrLog.say(number, words),
      died: (death) => this.#died(place, death),
    });
    queueMicrotask(() => this.#watchOrphans());
    return worker;
  }

  #watchOrphans(): void {
    if (this.#isClosed) return;
    this.#orphanKiller ??= openOrphanKiller({ grace: this.#options.grace });
    this.#orphanKiller.watch(this.#places.flatMap(({ worker }) => worker?.pid ?? []));
  }

  #noteSilence(number: number): void {
    if (this.#isSilenceNoted) return;
    this.#isSilenceNoted = true;
    const { name, info, perWorker } = this.#options;
    const who = `worker ${number} (${name}) has not answered its first task for 10 s`;
    const areFull = this.#places.every(({ worker }) => worker !== undefined && worker.load >= worker.size);
    // While the stage has more tasks, or waits for them, it does not call drained().
    if (perWorker !== undefined && perWorker > 1 && areFull && this.#quiet === undefined)
      info(
        `${who}: all workers have the ${perWorker} tasks that --per-worker allows, and the input has more or has not ended. If they read all of their input first, they wait forever: raise --per-worker or -j until -j times --per-worker is at least the number of tasks, or let them answer as they go`,
      );
    else
      info(
        `${who}: does it flush its output? jq needs --unbuffered, python flush=True; a worker that reads several tasks first needs --per-worker`,
      );
  }

  #answered(assignment: Assignment, outcome: Outcome): void {
    this.#deaths.clear();
    this.#quiet?.refresh();
    assignment.settle(outcome);
    if (this.#queue.length > 0) queueMicrotask(() => this.#giveQueued());
  }

  #answeredBatch(number: number, assignment: Assignment, answer: BatchAnswer): void {
    const { batch = [] } = assignment;
    const { name, retryOn } = this.#options;
    const outcomes = outcomesOf(batch, answer, retryOn, `worker ${number} (${name})`);
    const settle = (): void =>
      Array.isArray(outcomes) ? assignment.settleAll?.(outcomes) : assignment.settle(outcomes, 'now');
    this.#answered({ ...assignment, settle }, {});
  }

  /**
   * Handles the death of a worker. Tasks that waited in its pipe go to another worker, which does not count as an
   * attempt. The task it worked on has failed.
   */
  #died(place: Place, death: Death): void {
    place.worker = undefined;
    if (this.#isClosed) return;
    this.#watchOrphans();
    if (death.cause !== undefined || death.left.length === 0) this.#replace(place, death);
    else void this.#judge(place, death);
  }

  /** Returns the tasks of a worker that died because of a stop: they are unfinished, not failed. */
  async #judge(place: Place, death: Death): Promise<void> {
    const { stopping } = this.#options;
    if ((await isStopped(death, stopping)) || stopping?.aborted)
      for (const assignment of death.left.concat(this.#queue.splice(0)))
        assignment.settle({ state: 'PENDING' });
    else this.#replace(place, death);
  }

  #replace(place: Place, death: Death): void {
    const { culprit, left, hasAnswered, cause } = death;
    this.#endsEarly ||= death.isEarly;
    const isOne = (culprit?.batch?.length ?? 1) === 1; // a batch is halved, to find the task that ends workers
    const isFruitless = !hasAnswered && !death.isEarly && cause !== 'timeout' && isOne;
    place.notBefore = isFruitless ? performance.now() + this.#deaths.add(death) : 0;
    this.#queue.unshift(...left.filter((assignment) => assignment !== culprit));
    if (this.#deaths.isHopeless && (culprit !== undefined || this.#queue.length > 0)) {
      const error = this.#hopeless(death);
      for (const assignment of left.concat(this.#queue.splice(0))) assignment.fail(error);
      return;
    }
    culprit?.settle(this.#failure(place, death), HALVES[cause ?? 'none']);
    this.#giveQueued();
  }

  #failure({ number }: Place, { cause, exit, signal, lastWords }: Death): ReturnType<typeof outcomeOf> {
    const { name, timeout, maxOutput, retryOn } = this.#options;
    const who = `worker ${number} (${name})`;
    const how = exit === null ? `was killed by ${signal}` : `ended with exit code ${exit}`;
    const words = lastWords === '' ? '' : `: ${shortened(lastWords)}`;
    const [kind, code, message] = (
      {
        timeout: ['timeout', 'TIMEOUT', `${who} did not answer within ${limitText(timeout)} (--timeout)`],
        output: [
          '',
          'OUTPUT_TOO_LARGE',
          `${who} wrote a line of more than ${maxOutput} bytes (--max-output)`,
        ],
        start: ['died', 'SPAWN', `cannot start ${who}${words}`],
        none: ['died', 'WORKER_DIED', `${who} ${how} while it had this task${words}`],
      } as const
    )[cause ?? 'none'];
    const error = { code, message };
    return isRetried(retryOn, kind) ? { error, retry: {} } : { error };
  }

  #hopeless({ cause, exit, signal, lastWords }: Death): TaskpipeError {
    const code = exit === null ? `by ${signal}` : `with exit code ${exit}`;
    const how = cause === 'start' ? 'before it began' : code;
    const words = lastWords === '' ? 'stderr was empty' : shortened(lastWords);
    return new TaskpipeError(
      'IO',
      `--worker ${this.#options.name}: ${this.#deaths.deaths} workers in a row ended without an answer, the last one ${how}: ${words}`,
    );
  }

  /** Ends the workers; at once if they still have tasks, because their answers are no longer wanted. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#quiet);
    const workers = this.#places.flatMap(({ worker }) => worker ?? []);
    const isLeaving = workers.some(({ load }) => load > 0);
    for (const worker of workers) {
      if (isLeaving) worker.kill();
      else worker.end();
    }
    const timer = setTimeout(() => workers.map((worker) => worker.stop()), this.#options.grace);
    await Promise.all(workers.map(({ ended }) => ended));
    clearTimeout(timer);
    await this.#orphanKiller?.close();
    this.#stderrLog.end();
  }
}
