import type { Task } from '../record/task.ts';

/** Size of the waiting tasks from which producers should pause, in characters. */
const FULL = 1024 * 1024;

/** Size from which a batch is handed over before the end of the event-loop turn, in characters. */
const LARGE = 64 * 1024;

/**
 * Time after a batch during which tasks are gathered for the next one, in milliseconds: each batch wakes the next
 * stage, which costs many times as much as a task.
 */
const PAUSE = 4;

export interface BatcherOptions {
  /** Called when the batcher is no longer full. */
  readonly onRoom: () => void;
  /** Returns whether more results are expected. Output is delayed only while they are. Default: never. */
  readonly isBusy?: () => boolean;
}

/**
 * Batches of tasks for the output. A batch holds all tasks that arrived since the last batch was taken: no task waits
 * for a batch to fill, and a flood makes large batches. A task that arrives more than `PAUSE` after the last batch,
 * or while no other work is in flight, is passed on at once.
 */
export class OutputBatcher implements AsyncIterable<readonly Task[]> {
  readonly #onRoom: () => void;
  readonly #isBusy: () => boolean;
  #tasks: Task[] = [];
  #size = 0;
  /** Batch that the consumer has, and the number of tasks up to it. */
  #taken: readonly Task[] = [];
  #passed = 0;
  #end: { error?: unknown } | undefined;
  #wakeTaker: (() => void) | undefined;
  #soon: NodeJS.Immediate | undefined;
  #later: NodeJS.Timeout | undefined;
  /** Time of the last batch, by `performance.now()`. */
  #handedOver = Number.NEGATIVE_INFINITY;

  constructor({ onRoom, isBusy = () => false }: BatcherOptions) {
    this.#onRoom = onRoom;
    this.#isBusy = isBusy;
  }

  /** True if producers should pause. */
  get isFull(): boolean {
    return this.#size >= FULL;
  }

  put(task: Task): void {
    this.#tasks.push(task);
    this.#size += task.line.length;
    if (this.#wakeTaker === undefined) return;
    if (this.#size >= LARGE) this.#handOver();
    // Deferred, so that other tasks of this turn join the batch.
    else if (this.#later === undefined || !this.#isBusy()) this.#soon ??= setImmediate(this.#look);
  }

  /** Returns all tasks but the first `used` ones. The consumer may have taken some of them and not used them yet. */
  takeAll(used: number): readonly Task[] {
    const unused = this.#passed - used;
    return [...(unused > 0 ? this.#taken.slice(-unused) : []), ...this.#tasks.splice(0)];
  }

  /** Ends the input; an error is thrown to the consumer after the last batch. */
  end(failure: { error?: unknown } = {}): void {
    this.#end ??= failure;
    this.#handOver();
  }

  readonly #look = (): void => {
    this.#soon = undefined;
    const wait = this.#isBusy() ? this.#handedOver + PAUSE - performance.now() : 0;
    if (wait > 0) this.#later ??= setTimeout(this.#handOver, wait);
    else this.#handOver();
  };

  readonly #handOver = (): void => {
    clearImmediate(this.#soon);
    clearTimeout(this.#later);
    this.#soon = undefined;
    this.#later = undefined;
    if (this.#wakeTaker === undefined) return;
    this.#handedOver = performance.now();
    this.#wakeTaker();
    this.#wakeTaker = undefined;
  };

  /** Resolves when there is a batch or the end, in a later turn of the event loop than the last batch. */
  #handedOverNext(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeTaker = resolve;
      if (this.#tasks.length > 0) this.#soon ??= setImmediate(this.#look);
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Task[]> {
    for (;;) {
      if (this.#size < LARGE && this.#end === undefined) await this.#handedOverNext();
      if (this.#tasks.length === 0) {
        if (this.#end !== undefined) break;
        continue;
      }
      const tasks = this.#tasks;
      const wasFull = this.isFull;
      this.#tasks = [];
      this.#size = 0;
      this.#taken = tasks;
      this.#passed += tasks.length;
      yield tasks;
      this.#taken = [];
      if (wasFull) this.#onRoom();
    }
    if ('error' in this.#end) throw this.#end.error;
  }
}

/** Size of the tasks held back from which no further one should be started, in characters. */
const HELD = 16 * 1024 * 1024;

/** A buffer that passes tasks on in the order of their ordinals and holds back those that come early. */
export class ReorderBuffer {
  readonly #put: (task: Task) => void;
  readonly #early = new Map<number, Task | undefined>();
  #next = 0;
  #size = 0;

  constructor(put: (task: Task) => void) {
    this.#put = put;
  }

  /** Number of tasks held back. */
  get count(): number {
    return this.#early.size;
  }

  /** Size of the tasks held back, in characters. */
  get size(): number {
    return this.#size;
  }

  /** True if enough is held back. */
  get isFull(): boolean {
    return this.#size >= HELD;
  }

  /** Ordinal of the task that the others wait for. */
  get next(): number {
    return this.#next;
  }

  /** Adds a task. @param task undefined if this ordinal has no output */
  put(ordinal: number, task: Task | undefined): void {
    if (ordinal !== this.#next) {
      this.#early.set(ordinal, task);
      this.#size += task?.line.length ?? 0;
      return;
    }
    this.#letOut(task);
    while (this.#early.has(this.#next)) {
      const early = this.#early.get(this.#next);
      this.#early.delete(this.#next);
      this.#size -= early?.line.length ?? 0;
      this.#letOut(early);
    }
  }

  #letOut(task: Task | undefined): void {
    this.#next++;
    if (task !== undefined) this.#put(task);
  }
}
