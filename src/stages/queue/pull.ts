import { counted } from '../../core/base/format.ts';
import type { Task } from '../../core/record/task.ts';
import type { Consumer, Queue } from '../../queues/index.ts';
import { durationWords } from '../../reports/report-words.ts';
import { AckWatch, inFlight } from './ack-watch.ts';
import { FlightWatch, namesOf } from './flight-watch.ts';
import { PauseNote } from './pause-note.ts';
import { repeat } from './repeat.ts';

export interface PullOptions {
  /** Name of the worker that takes the tasks; it need not be unique. */
  readonly worker: string;
  /** Maximum number of tasks in flight: delivered and not settled. Default 1000. */
  readonly window?: number | undefined;
  /** Time that a silent worker keeps its tasks, in milliseconds. Default 30 s. */
  readonly lease?: number | undefined;
  /** Ends when no task waits, is delayed, or is in flight. Default: it waits for more. */
  readonly untilEmpty?: boolean | undefined;
  /** Signal to take no more tasks. */
  readonly stopping?: AbortSignal | undefined;
  readonly warn?: ((message: string) => void) | undefined;
  readonly info?: ((message: string) => void) | undefined;
  /**
   * Time after which a task is given back as failed if tasks that were delivered later came back, and it did not, or if
   * nothing came back and it was given back so before, in milliseconds. Default one hour.
   */
  readonly missingAfter?: number | undefined;
}

export const WINDOW = 1000;
export const LEASE = 30_000;
export const MISSING_AFTER = 3_600_000;

/** Minimum time without a task that comes back until that is reported, in milliseconds. */
const QUIET = 10_000;

/** Bounds of the number of tasks requested at once: few at first, and more while tasks come. */
const FIRST_ASKED = 16;
const MOST_ASKED = 1000;
/**
 * Waits between two requests, in milliseconds. They double while nothing comes; tasks in flight lower the
 * maximum.
 */
const SHORTEST_WAIT = 5;
const WAIT_WHILE_OUT = 50;
const LONGEST_WAIT = 250;
/** Interval of heartbeats, in milliseconds. */
const GREETING = 1000;

/**
 * Delivers tasks of some queues, at most a window of them at a time. Timers of this process renew the leases.
 * It does nothing else that takes time: the work is downstream, in other processes.
 */
export class Pull {
  /** Number of delivered tasks. */
  delivered = 0;
  /** True if delivery ended because no process is left to acknowledge the tasks in flight. */
  isAbandoned = false;
  readonly #queues: readonly Queue[];
  readonly #consumers: readonly Consumer[];
  readonly #acks: AckWatch;
  readonly #flights: FlightWatch;
  readonly #pauses: PauseNote;
  readonly #options: PullOptions;
  readonly #timers: readonly NodeJS.Timeout[];
  #failure: { error: unknown } | undefined;
  /** Tasks of the last batch until it is written: if that fails, no stage had them. */
  #unwritten: Set<string> = new Set();
  #isStopping = false;
  #wake: (() => void) | undefined;

  private constructor(queues: readonly Queue[], consumers: readonly Consumer[], options: PullOptions) {
    this.#queues = queues;
    this.#consumers = consumers;
    this.#options = options;
    const { stopping, lease = LEASE, missingAfter = MISSING_AFTER, info, warn } = options;
    this.#acks = new AckWatch(consumers, { lease, warn });
    this.#flights = new FlightWatch({ missingAfter, quiet: Math.max(QUIET, lease * 3), info });
    this.#pauses = new PauseNote(queues, info);
    stopping?.addEventListener('abort', this.stop);
    if (stopping?.aborted) this.stop();
    const failed = (error: unknown): void => {
      this.#failure ??= { error };
      this.#wake?.();
    };
    this.#timers = [
      repeat(lease / 3, () => this.#renew(), failed),
      repeat(GREETING, () => this.#greet(), failed),
    ];
  }

  static async open(queues: readonly Queue[], options: PullOptions): Promise<Pull> {
    const { worker, lease = LEASE } = options;
    const consumers = await Promise.all(queues.map((queue) => queue.consume({ worker, lease })));
    return new Pull(queues, consumers, options);
  }

  /** Number of tasks in flight. */
  get out(): number {
    return inFlight(this.#consumers);
  }

  /** Takes no more tasks. */
  readonly stop = (): void => {
    this.#isStopping = true;
    this.#wake?.();
  };

  /**
   * Yields tasks as they come, until it is stopped, all are done, or no process acknowledges them.
   * @throws {TaskpipeError} `IO`
   */
  async *tasks(): AsyncGenerator<readonly Task[]> {
    const { window = WINDOW, untilEmpty = false } = this.#options;
    let ask = FIRST_ASKED;
    let wait = SHORTEST_WAIT;
    while (!this.#isStopping) {
      await this.#collect();
      this.isAbandoned = await this.#acks.isAlone();
      if (this.isAbandoned) return;
      const asked = Math.min(window - this.out, ask);
      const tasks = asked > 0 ? await this.#take(asked) : [];
      if (tasks.length > 0) {
        ask = Math.min(MOST_ASKED, Math.max(FIRST_ASKED, tasks.length * 2));
        wait = SHORTEST_WAIT;
        this.#pauses.end();
        this.delivered += tasks.length;
        this.#flights.delivered(
          tasks.map(({ uuid }) => uuid),
          performance.now(),
        );
        if (this.out === tasks.length) this.#acks.begin();
        this.#unwritten = new Set(tasks.map(({ uuid }) => uuid));
        yield tasks;
        this.#unwritten.clear();
        continue;
      }
      if (asked > 0) {
        ask = 1;
        if (untilEmpty && this.out === 0 && (await this.#isEmpty())) return;
        if (this.out === 0) await this.#pauses.look();
      }
      await this.#pause(wait);
      wait = Math.min(this.out > 0 ? WAIT_WHILE_OUT : LONGEST_WAIT, wait * 2);
    }
  }

  /**
   * Waits for the tasks in flight, once no more are delivered; those not acknowledged return to the front.
   * @param hurry signal to put all of them back at once
   * @param isGone true if the reader of the tasks has left, so that there may be no process that acknowledges
   * @param stopped signal that a user has stopped the pipe
   * @returns the number of tasks put back
   */
  async settle(hurry?: AbortSignal, isGone = false, stopped?: AbortSignal): Promise<number> {
    hurry?.addEventListener('abort', () => this.#wake?.());
    this.#acks.begin();
    while (this.out > 0 && !hurry?.aborted && !this.isAbandoned) {
      await this.#collect();
      if (await this.#acks.isOver(isGone)) break;
      await this.#pause(SHORTEST_WAIT * 2);
    }
    let count = 0;
    // In a stopped pipe, records stay that no stage has read: no process has died of them.
    const isDeath = !hurry?.aborted && !stopped?.aborted;
    const isSuspect = (uuid: string): boolean => isDeath && !this.#unwritten.has(uuid);
    for (const consumer of this.#consumers) count += await consumer.giveBack(isSuspect);
    return count;
  }

  /** Stops the timers and closes the consumers, unless a timer failed. Call it at the end in any case. */
  async close(): Promise<void> {
    this.#options.stopping?.removeEventListener('abort', this.stop);
    for (const timer of this.#timers) clearInterval(timer);
    if (this.#failure === undefined) for (const consumer of this.#consumers) await consumer.close();
  }

  /**
   * Takes tasks from the queues in turn. A uuid that is in flight from one queue is not taken from another.
   */
  async #take(count: number): Promise<readonly Task[]> {
    const all = this.#consumers;
    if (all.length === 1) return (all[0] as Consumer).take(count);
    const tasks: Task[] = [];
    for (const consumer of all) {
      const isElsewhere = (uuid: string): boolean =>
        all.some((other) => other !== consumer && other.out.has(uuid));
      const share = Math.ceil((count - tasks.length) / all.length) || 1;
      if (tasks.length < count) tasks.push(...(await consumer.take(share, isElsewhere)));
    }
    return tasks;
  }

  async #collect(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    for (const consumer of this.#consumers) {
      if (consumer.out.size === 0) continue;
      const { uuids, isEnd, isBack } = await consumer.returned();
      // A task that is out again was delivered since: its return was noted then.
      const back = uuids.filter((uuid) => !consumer.out.has(uuid));
      this.#flights.returned(back, performance.now());
      this.#acks.answered(uuids.length, isEnd, isBack);
    }
    await this.#giveUpMissing();
  }

  /** Returns tasks that left the pipe to the queue. */
  async #giveUpMissing(): Promise<void> {
    const missing = this.#flights.missing(performance.now());
    if (missing.length === 0) return;
    const { worker, missingAfter = MISSING_AFTER, warn } = this.#options;
    warn?.(
      `${counted(missing.length, 'task')} did not come back although later ones did, now or at an earlier delivery, for ${durationWords(missingAfter)}: ${namesOf(missing)}; given back as failed (--missing-after)`,
    );
    const error = { code: 'MISSING', message: 'its record left the pipe between task-queue pull and ack' };
    for (const [i, queue] of this.#queues.entries()) {
      const own = missing.filter((uuid) => this.#consumers[i]?.out.has(uuid));
      await queue.settle(
        own.map((uuid) => ({ uuid, kind: 'failed', error })),
        { worker },
      );
    }
  }

  async #isEmpty(): Promise<boolean> {
    const answers = await Promise.all(this.#consumers.map((consumer) => consumer.isEmpty()));
    return answers.every(Boolean);
  }

  async #renew(): Promise<void> {
    for (const consumer of this.#consumers) await consumer.renew();
  }

  async #greet(): Promise<void> {
    const answers = await Promise.all(this.#consumers.map((consumer) => consumer.greet()));
    if (answers.some(Boolean)) this.stop();
  }

  async #pause(milliseconds: number): Promise<void> {
    if (this.#isStopping && milliseconds > SHORTEST_WAIT * 2) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
