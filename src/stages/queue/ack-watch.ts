import { counted } from '../../core/base/format.ts';
import { SETTLING } from '../../queues/contract.ts';
import type { Consumer } from '../../queues/index.ts';
import { Silence } from './silence.ts';

/** Time in which the process that acknowledges must start, in milliseconds. */
const STARTING = 10_000;
/** Silence after which a process that acknowledged before is taken to be gone, in milliseconds. */
const PATIENCE = SETTLING * 5;

/** Options of `AckWatch`. */
export interface AckWatchOptions {
  /** Time that a silent worker keeps its tasks, in milliseconds. */
  readonly lease: number;
  readonly warn?: ((message: string) => void) | undefined;
}

/** Watch over the process that acknowledges the tasks in flight: it may end without a word, or never start. */
export class AckWatch {
  readonly #consumers: readonly Consumer[];
  readonly #options: AckWatchOptions;
  readonly #silence = new Silence();
  #lastAsked = Number.NEGATIVE_INFINITY;
  #settled = 0;
  /** True once a process that acknowledges was seen. */
  #wasHeard = false;
  #isHeard = false;
  /** True if a process that acknowledges has ended, and none has settled a task since. */
  #isEnd = false;

  constructor(consumers: readonly Consumer[], options: AckWatchOptions) {
    this.#consumers = consumers;
    this.#options = options;
  }

  /** Begins to wait for acknowledgements: none could come before. */
  begin(): void {
    this.#silence.end();
  }

  /**
   * Notes an answer of a queue about the tasks in flight.
   * @param settled number of tasks that were acknowledged
   * @param isEnd true if the process that acknowledges has ended
   * @param isBack true if the connection was lost: afterwards that process reconnects at its own time
   */
  answered(settled: number, isEnd: boolean, isBack: boolean): void {
    this.#settled += settled;
    if (settled > 0 || isBack) this.#silence.end();
    // After one acknowledging process has ended, another one may still settle tasks.
    if (settled > 0 || isEnd) this.#isEnd = isEnd;
  }

  /**
   * Returns whether the pipe is dead although nothing reports it. A program between this process and a dead
   * stage notices the death only at its next write.
   */
  async isAlone(): Promise<boolean> {
    if (inFlight(this.#consumers) === 0) return false;
    await this.#listen();
    const silence = this.#silence.look();
    if (this.#isEnd) return !this.#isHeard && silence > PATIENCE;
    return this.#isSilentFor(silence, Math.max(this.#options.lease, this.#wasHeard ? PATIENCE : STARTING));
  }

  /**
   * Returns whether no more acknowledgements will come, once no more tasks are delivered.
   * @param isGone true if the reader of the tasks has left, so that there may be no process that acknowledges
   */
  async isOver(isGone: boolean): Promise<boolean> {
    if (this.#isEnd) return true;
    await this.#listen();
    const silence = this.#silence.look();
    if (isGone && !this.#wasHeard && this.#settled === 0 && silence > PATIENCE) return true;
    return this.#isSilentFor(silence, this.#options.lease);
  }

  /**
   * Asks whether a process that acknowledges is alive. While one is, no task is given up: a task may take
   * longer than a lease.
   */
  async #listen(): Promise<void> {
    const now = performance.now();
    if (this.#silence.look() < SETTLING || now - this.#lastAsked < SETTLING) return;
    this.#lastAsked = now;
    const answers = await Promise.all(this.#consumers.map((consumer) => consumer.isHeardOf()));
    this.#isHeard = answers.some(Boolean);
    if (!this.#isHeard) return;
    this.#silence.end();
    this.#wasHeard = true;
  }

  /** Returns whether a silence is longer than it may be, in milliseconds, and reports that. */
  #isSilentFor(silence: number, longest: number): boolean {
    if (silence <= longest) return false;
    this.#options.warn?.(
      `heard nothing of ${counted(inFlight(this.#consumers), 'task')} for ${longest / 1000} s; is there a task-queue ack at the end of the pipe, of the same --worker?`,
    );
    return true;
  }
}

/** Returns the number of tasks in flight. */
export function inFlight(consumers: readonly Consumer[]): number {
  return consumers.reduce((sum, { out }) => sum + out.size, 0);
}
