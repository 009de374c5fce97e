import { DeadlineTimer } from '../../core/schedule/deadline-timer.ts';

/** A task that the stage works on. */
export interface RunningTask {
  /** Start of the first attempt, ISO 8601 in UTC. */
  readonly at: string;
  /** The same time by `performance.now()`, which is not affected by changes of the clock. */
  readonly since: number;
  /** Number of started attempts. */
  attempts: number;
  /** True while the task waits for another attempt. */
  isWaiting: boolean;
}

/** Running tasks in the order of their start, with one deadline for each. */
export class RunningTasks {
  readonly #tasks = new Map<string, RunningTask>();
  readonly #timeout: number;
  readonly #timer: DeadlineTimer;

  /**
   * @param timeout in milliseconds
   * @param expired called with each task that exceeded its time
   */
  constructor(timeout: number, expired: (uuid: string, task: RunningTask) => void) {
    this.#timeout = timeout;
    const ring = (): void => {
      const now = performance.now();
      for (const [uuid, task] of this.#tasks) {
        const due = task.since + timeout;
        if (due > now) {
          this.#timer.set(due);
          return;
        }
        this.#tasks.delete(uuid);
        expired(uuid, task);
      }
    };
    this.#timer = new DeadlineTimer(ring);
  }

  get size(): number {
    return this.#tasks.size;
  }

  get(uuid: string): RunningTask | undefined {
    return this.#tasks.get(uuid);
  }

  has(uuid: string): boolean {
    return this.#tasks.has(uuid);
  }

  copy(): ReadonlyMap<string, RunningTask> {
    return new Map(this.#tasks);
  }

  /** @param since start, by `performance.now()` */
  add(uuid: string, attempts: number, since: number): void {
    const at = new Date(Date.now() - (performance.now() - since)).toISOString();
    this.#tasks.set(uuid, { at, since, attempts, isWaiting: false });
    this.#timer.set(since + this.#timeout);
  }

  delete(uuid: string): void {
    this.#tasks.delete(uuid);
  }

  clear(): void {
    this.#tasks.clear();
    this.#timer.clear();
  }
}
