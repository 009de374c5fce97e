import type { Task } from '../record/task.ts';
import type { Held, SchedulerOptions } from './scheduler-options.ts';

/** Maximum number of characters to read ahead: tasks may have megabytes. */
const WINDOW_SIZE = 16 * 1024 * 1024;

const NONE_HELD: Held = { count: 0, size: 0 };

/** Tasks that are read and wait to be started. Reading waits while there are enough. */
export class ReadAhead {
  readonly #options: SchedulerOptions;
  /** Number of waiting tasks. */
  count = 0;
  /** Number of characters of the waiting tasks. */
  #size = 0;
  #wake: (() => void) | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  add(task: Task): void {
    this.count++;
    this.#size += task.line.length;
  }

  remove(task: Task): void {
    this.count--;
    this.#size -= task.line.length;
  }

  clear(): void {
    this.count = 0;
    this.#size = 0;
  }

  get hasRoom(): boolean {
    const { window, held = NONE_HELD } = this.#options;
    const { count, size } = held;
    const waiting = this.count + count;
    return waiting < window && (this.#size + size < WINDOW_SIZE || waiting < this.#options.jobs);
  }

  /** Resolves at the next call of `wake()`. */
  room(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Makes the reader look again. */
  wake(): void {
    const wake = this.#wake;
    this.#wake = undefined; // `release` then has nothing to do until the reader waits again
    wake?.();
  }

  /** Wakes the reader if there is room again. */
  release(): void {
    if (this.#wake !== undefined && this.hasRoom) this.wake();
  }
}
