import type { Job, Lane } from '../../../core/schedule/lanes/lane.ts';
import type { FurtherCall } from '../limits/index.ts';

/** Interval at which a waiting call checks again, in milliseconds, at most. */
const MOST_PAUSE = 1000;

/** Functions of the batcher that further calls need. */
export interface FurtherCallHooks {
  /** Returns the time to the next call of a lane by the rates of calls, in milliseconds. */
  paced(lane: Lane, now: number): number;
  /** Charges a call to the limits. Returns the time to wait in milliseconds, 0 if it is charged. */
  charge(call: FurtherCall, now: number): number;
  /** Called if a call waits for the end of another one. */
  waits(): void;
  /** Called if a call is not made. */
  givenUp(call: FurtherCall): void;
}

/** Further calls for tasks of batches that failed: each waits for the rates of calls and the limits, as the first does. */
export class FurtherCalls {
  readonly #hooks: FurtherCallHooks;
  /** Functions that end the pauses of calls that wait. */
  readonly #wakers = new Set<() => void>();
  #waiting = 0;
  #isStopped = false;

  constructor(hooks: FurtherCallHooks) {
    this.#hooks = hooks;
  }

  /** Number of calls that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Waits until a call may start. Returns its tasks without cancelled ones; none if it is not made, as after a stop. */
  async ready(jobs: readonly Job[]): Promise<readonly Job[]> {
    const call: FurtherCall = { jobs };
    this.#waiting++;
    this.wake(); // wakes calls that wait for other calls: this one does not run any more
    try {
      for (;;) {
        call.jobs = call.jobs.filter(isUnderWay);
        const [first] = call.jobs;
        if (this.#isStopped || first === undefined) {
          this.#hooks.givenUp(call);
          return [];
        }
        const now = performance.now();
        const paced = this.#hooks.paced(first.lane, now);
        const wait = paced > 0 ? paced : this.#hooks.charge(call, now);
        if (wait <= 0) return call.jobs;
        if (wait === Number.POSITIVE_INFINITY) this.#hooks.waits();
        if (!this.#isStopped) await this.#pause(wait);
      }
    } finally {
      this.#waiting--;
    }
  }

  /** Makes the waiting calls check again. */
  wake(): void {
    for (const wake of [...this.#wakers]) wake();
  }

  /** Ends all waits: no more calls are made. */
  stop(): void {
    this.#isStopped = true;
    this.wake();
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#wakers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.min(Math.ceil(ms), MOST_PAUSE));
      this.#wakers.add(wake);
    });
  }
}

/** Returns whether a task has not been cancelled. */
export function isUnderWay({ place }: Job): boolean {
  return place >= 0;
}
