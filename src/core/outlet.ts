import type { Task } from './task.ts';

/** How many characters may wait to be taken. */
const FULL = 1024 * 1024;

/** So many are handed on without waiting for the end of the turn, which may bring much more. */
const LARGE = 64 * 1024;

/**
 * How long after a batch what comes may wait for more, in milliseconds: each batch wakes the stage behind it, which
 * costs many times what a task does.
 */
const PAUSE = 4;

export interface OutletOptions {
  /** Called when it is no longer full. */
  readonly onRoom: () => void;
  /** Whether more is under way, which will come by itself. Then alone does anything wait. Default: never. */
  readonly isBusy?: () => boolean;
}

/**
 * Gathers tasks that come one by one into batches: all that came since the last one was taken, so that nothing waits
 * for a batch to fill, and a flood makes large ones. What comes later than a moment after the last batch goes on at
 * once, and so does all where nothing else is under way.
 */
export class Outlet implements AsyncIterable<readonly Task[]> {
  readonly #onRoom: () => void;
  readonly #isBusy: () => boolean;
  #tasks: Task[] = [];
  #size = 0;
  #end: { error?: unknown } | undefined;
  #wakeTaker: (() => void) | undefined;
  #soon: NodeJS.Immediate | undefined;
  #later: NodeJS.Timeout | undefined;
  /** When the last batch was handed over, by `performance.now()`. */
  #handedOver = Number.NEGATIVE_INFINITY;

  constructor({ onRoom, isBusy = () => false }: OutletOptions) {
    this.#onRoom = onRoom;
    this.#isBusy = isBusy;
  }

  /** Whether no more should be put in for now. */
  get isFull(): boolean {
    return this.#size >= FULL;
  }

  put(task: Task): void {
    this.#tasks.push(task);
    this.#size += task.line.length;
    if (this.#wakeTaker === undefined) return;
    if (this.#size >= LARGE) this.#handOver();
    // Not at once: what else comes in this turn joins the batch.
    else if (this.#later === undefined || !this.#isBusy()) this.#soon ??= setImmediate(this.#look);
  }

  /** No more will come; with an error, that comes out after the last batch. */
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

  /** Resolves when there is a batch, or the end: not in the turn in which the last one was taken, unless there is much. */
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
      yield tasks;
      if (wasFull) this.#onRoom();
    }
    if ('error' in this.#end) throw this.#end.error;
  }
}

/** Lets tasks out in the order of their ordinals, and holds back what comes early. */
export class Order {
  readonly #put: (task: Task) => void;
  readonly #early = new Map<number, Task | undefined>();
  #next = 0;

  constructor(put: (task: Task) => void) {
    this.#put = put;
  }

  /** How many are held back. */
  get held(): number {
    return this.#early.size;
  }

  /** @param task undefined where an ordinal has none to let out */
  put(ordinal: number, task: Task | undefined): void {
    if (ordinal !== this.#next) {
      this.#early.set(ordinal, task);
      return;
    }
    this.#letOut(task);
    while (this.#early.has(this.#next)) {
      const early = this.#early.get(this.#next);
      this.#early.delete(this.#next);
      this.#letOut(early);
    }
  }

  #letOut(task: Task | undefined): void {
    this.#next++;
    if (task !== undefined) this.#put(task);
  }
}
