import type { Task } from './task.ts';

/** How many characters may wait to be taken. */
const FULL = 1024 * 1024;

/** So many are handed on without waiting for the end of the turn, which may bring much more. */
const LARGE = 64 * 1024;

/**
 * Gathers tasks that come one by one into batches: all that came since the last one was taken, so that nothing waits
 * for a batch to fill, and a flood makes large ones.
 */
export class Outlet implements AsyncIterable<readonly Task[]> {
  readonly #onRoom: () => void;
  #tasks: Task[] = [];
  #size = 0;
  #end: { error?: unknown } | undefined;
  #wakeTaker: (() => void) | undefined;
  #soon: NodeJS.Immediate | undefined;

  /** @param onRoom called when it is no longer full */
  constructor(onRoom: () => void) {
    this.#onRoom = onRoom;
  }

  /** Whether no more should be put in for now. */
  get isFull(): boolean {
    return this.#size >= FULL;
  }

  put(task: Task): void {
    this.#tasks.push(task);
    this.#size += task.line.length;
    this.#wake();
  }

  /** No more will come; with an error, that comes out after the last batch. */
  end(failure: { error?: unknown } = {}): void {
    this.#end ??= failure;
    this.#wake();
  }

  #wake(): void {
    if (this.#wakeTaker === undefined) return;
    if (this.#size >= LARGE) this.#handOver();
    else this.#soon ??= setImmediate(this.#handOver); // not at once: what else comes in this turn joins the batch
  }

  readonly #handOver = (): void => {
    this.#soon = undefined;
    this.#wakeTaker?.();
    this.#wakeTaker = undefined;
  };

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Task[]> {
    for (;;) {
      if (this.#tasks.length === 0) {
        if (this.#end !== undefined) break;
        await new Promise<void>((resolve) => {
          this.#wakeTaker = resolve;
        });
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
