import { messageOf } from '../../core/base/errors.ts';
import { limitText } from '../../core/base/format.ts';
import type { Event } from '../../core/record/event.ts';
import { Task } from '../../core/record/task.ts';
import { failed, isFinal, stateOf } from '../store/stored-record.ts';
import type { Store } from '../store/task-store.ts';
import { InFlight, STUCK } from './in-flight.ts';
import { patiently } from './patience.ts';
import { type RunningTask, RunningTasks } from './running-tasks.ts';
import { type FeederOptions, type ServedStage, StageDeath, type StageHooks } from './stage.ts';
import { DEATHS, StageSuspects } from './stage-suspects.ts';
import { WaitingTasks } from './waiting-tasks.ts';

/** Delay before a stage that ended by itself is restarted, in milliseconds: the first one, and the maximum. */
const RESTART = { first: 500, most: 30_000 };
/** Maximum delay if tasks may have ended the stage, in milliseconds. */
const SUSPECT_RESTART = 4000;
/** Exit codes of a task-exec whose options, or the files and servers that they name, are not usable. */
const REFUSALS: ReadonlySet<number | null> = new Set([2, 65, 74]);

/** Functions of the service that its feeder calls. */
export interface FeederHost {
  /** Stores the results of tasks. */
  keep(tasks: readonly Task[]): Promise<void>;
  /** Called when a task starts. */
  began(uuid: string): void;
  /** Called with the stack of what the work of a failed task threw. */
  threw(uuid: string, stack: string): void;
}

/**
 * Driver of the stage: gives it waiting tasks as it has room, and passes its results on. If the stage ends, it is
 * restarted and gets the unfinished tasks again.
 */
export class Feeder {
  isStageUp = false;
  /** Reason for which the stage ended the last time. */
  trouble = '';
  readonly #store: Store;
  readonly #options: FeederOptions;
  readonly #host: FeederHost;
  readonly #inFlight: InFlight;
  readonly #suspects = new StageSuspects();
  readonly #waiting: WaitingTasks;
  /** True if a task of the current stage has a result. */
  #hasReturned = false;
  #control: ServedStage | undefined;
  #isReplacing = false;
  /** Set by `poke`: the queue must be read again. */
  #hasNews = false;
  #wake: (() => void) | undefined;
  #loop: Promise<void> | undefined;
  /** Number of the current start of the stage; -1 while there is none. */
  #generation = 0;
  #starts = 0;

  constructor(store: Store, options: FeederOptions, host: FeederHost) {
    this.#store = store;
    this.#options = options;
    this.#host = host;
    this.#waiting = new WaitingTasks(store, this.#suspects);
    this.#inFlight = new InFlight(
      new RunningTasks(options.timeout, (uuid, task) => void this.#expire(uuid, task)),
    );
  }

  get running(): RunningTasks {
    return this.#inFlight.running;
  }

  start(): void {
    this.#options.stopping.addEventListener('abort', () => this.poke());
    this.#loop = this.#run();
  }

  /** Reads the queue again: there are new tasks, or there is room. */
  poke(): void {
    this.#hasNews = true;
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Resolves when the stage has ended and its results are stored; at the latest when its grace is over. */
  async stop(): Promise<void> {
    this.poke();
    const { grace, aborting } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, grace + STUCK);
      aborting.addEventListener('abort', () => setTimeout(resolve, RESTART.first).unref());
    });
    await Promise.race([this.#loop, late]);
    clearTimeout(timer);
    this.running.clear();
  }

  /** Gives up a task that has its final state already: the stage need not go on with it. */
  abandon(uuid: string): void {
    this.#suspects.delete(uuid);
    if (this.#inFlight.has(uuid)) this.#abandon(uuid, this.running.get(uuid));
  }

  #abandon(uuid: string, task: RunningTask | undefined): void {
    this.#inFlight.abandon(uuid, task);
    this.#control?.cancel?.(uuid);
  }

  /** Finds work that blocks the stage, and replaces a stage that does not give up a task. To be called now and then. */
  checkStuck(): void {
    if (this.#isReplacing) return;
    const since = this.#control?.blockedSince?.();
    const blocker = since === undefined ? undefined : this.#inFlight.blocker();
    if (blocker !== undefined) this.#began(blocker, 1, since);
    const stuck = this.#inFlight.stuck();
    if (stuck === undefined || this.#control?.replace === undefined) return;
    this.#options.warn(`task ${stuck} was given up and does not end; the stage that runs it is replaced`);
    this.#isReplacing = true;
    this.#control.replace();
  }

  get #isStopping(): boolean {
    return this.#options.stopping.aborted;
  }

  /** Runs the stage and restarts it when it ends. */
  async #run(): Promise<void> {
    const { stage, isAdopting, warn } = this.#options;
    let wait = RESTART.first;
    if (!isAdopting)
      this.#suspects.load(await patiently(this.#options, () => this.#store.queries.suspects()));
    while (!this.#isStopping) {
      const began = performance.now();
      this.#generation = ++this.#starts;
      this.isStageUp = true;
      this.#hasReturned = false;
      let most: number = RESTART.most;
      try {
        for await (const tasks of stage(this.#tasks(this.#starts), this.#hooks)) await this.#came(tasks);
        if (!this.#isStopping && !isAdopting && !this.#isReplacing)
          warn('the stage that runs the tasks has ended; it is restarted');
      } catch (error) {
        if (!this.#isStopping && (await this.#died(error))) most = SUSPECT_RESTART;
      }
      const wasReplaced = this.#isReplacing;
      this.#clear();
      if (this.#isStopping) return;
      const isShort = !wasReplaced && !this.#hasReturned && performance.now() - began <= RESTART.most;
      wait = isShort ? Math.min(wait * 2, most) : RESTART.first;
      await this.#sleep(wait);
    }
  }

  /** Counts the death of the stage against the tasks in flight. Returns whether there were any. */
  async #died(error: unknown): Promise<boolean> {
    const { warn, onBroken, isAdopting } = this.#options;
    this.trouble = messageOf(error);
    if (!(error instanceof StageDeath) || isAdopting) {
      warn(this.trouble);
      return false;
    }
    const { exit, wasReady } = error;
    if (wasReady === false && this.#starts === 1 && onBroken !== undefined && REFUSALS.has(exit)) {
      onBroken(error);
      return false;
    }
    const { count, wanted } = this.#inFlight.atDeath();
    const blame = this.#suspects.blame(wanted, count, wasReady === true);
    this.trouble += blame.words;
    warn(`${this.trouble}; it is started again`);
    try {
      await patiently(this.#options, () => this.#store.countDeaths(blame.counts));
      if (blame.culprit !== undefined) await this.#convict(blame.culprit, messageOf(error));
    } catch (fault) {
      warn(messageOf(fault));
    }
    return wanted.length > 0;
  }

  /** Fails a task that killed the stage. */
  async #convict(uuid: string, how: string): Promise<void> {
    const task = this.running.get(uuid);
    const words = `the stage died at least ${DEATHS} times while it had this task, the last time with no other: ${how}`;
    const run = { attempts: DEATHS, ...(task === undefined ? {} : { at: task.at }) };
    await patiently(this.#options, () => this.#host.keep([failed(uuid, 'EXEC_DIED', words, run)]));
    this.#suspects.delete(uuid);
    this.#hasReturned = true; // the others need not wait
  }

  /** Forgets the ended stage. */
  #clear(): void {
    this.isStageUp = false;
    this.#generation = -1; // the generator of the ended stage takes no more tasks
    this.poke();
    this.#inFlight.clear();
    this.#control = undefined;
    this.#isReplacing = false;
    this.#waiting.rewind();
  }

  readonly #hooks: StageHooks = {
    control: (stage) => {
      this.#control = stage;
    },
    notify: (event) => this.#hear(event),
  };

  #hear({ uuid, flow, state, attempt = 1, stack }: Event): void {
    if (flow !== undefined) return;
    if (state === 'RUNNING') this.#began(uuid, attempt);
    else if (state === 'RETRYING') this.#inFlight.waits(uuid);
    else if (state === 'FAILURE' && stack !== undefined && !this.#inFlight.isAbandoned(uuid))
      this.#host.threw(uuid, stack);
  }

  #began(uuid: string, attempt: number, since: number = performance.now()): void {
    if (this.#inFlight.began(uuid, attempt, since)) this.#host.began(uuid);
  }

  /** Passes on the records that came out of the stage. */
  async #came(tasks: readonly Task[]): Promise<void> {
    const wanted = tasks.filter(({ uuid }) => !this.#inFlight.isAbandoned(uuid));
    if (wanted.length > 0) await patiently(this.#options, () => this.#host.keep(wanted));
    for (const { uuid, fields } of tasks) {
      const isEnded = isFinal(stateOf(fields));
      if (isEnded) {
        this.#hasReturned = true;
        this.#suspects.survived(uuid);
      }
      // One that was given up may have been submitted again meanwhile.
      if (this.#inFlight.returned(uuid, isEnded)) this.#waiting.rewind();
    }
    this.poke();
  }

  /** Fails a task whose time is over. */
  async #expire(uuid: string, task: RunningTask): Promise<void> {
    const { timeout, warn } = this.#options;
    const words = `the task did not end within ${limitText(timeout)} (--timeout)`;
    const run = { attempts: task.attempts, at: task.at, ms: Math.round(performance.now() - task.since) };
    this.#suspects.delete(uuid);
    this.#abandon(uuid, task);
    try {
      await patiently(this.#options, () => this.#host.keep([failed(uuid, 'TIMEOUT', words, run)]));
    } catch (error) {
      warn(messageOf(error));
    }
  }

  /** Yields waiting tasks as the stage has room for them. */
  async *#tasks(generation: number): AsyncGenerator<readonly Task[]> {
    while (!this.#isStopping && generation === this.#generation) {
      this.#hasNews = false;
      const waiting = await patiently(this.#options, () =>
        this.#waiting.next(this.#inFlight, this.#options.window),
      );
      if (generation !== this.#generation) return; // what was read is for the next stage
      if (waiting.length === 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          if (this.#isStopping || this.#hasNews) resolve();
        });
        continue;
      }
      const tasks = waiting.filter(({ uuid }) => !this.#inFlight.has(uuid));
      if (!this.#options.isAdopting) for (const { uuid } of tasks) this.#give(uuid);
      yield tasks.map(({ uuid, line }) => new Task(uuid, line));
    }
  }

  #give(uuid: string): void {
    this.#inFlight.add(uuid);
    // A stage that reports nothing has started a task when it gets it.
    if (this.#control === undefined) this.#began(uuid, 1);
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        if (!this.#isStopping) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
