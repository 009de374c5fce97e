import { Alarm } from '../../core/alarm.ts';

/** One of those that are under way, with what is done when its time is over. */
interface Running {
  readonly due: number;
  readonly onLate: () => void;
  place: number;
}

/**
 * Deadlines of what is under way, all of them the same time after its start. One timer serves them all: a timer for
 * each would cost a short task more than its work.
 */
export class Deadlines {
  readonly #timeout: number;
  readonly #running: Running[] = [];
  readonly #alarm = new Alarm(() => this.#ring());

  /** @param timeout in milliseconds */
  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /** Something begins. Returns what is to be called at its end; `onLate` is not called after that. */
  begin(onLate: () => void): () => void {
    const one = { due: performance.now() + this.#timeout, onLate, place: this.#running.length };
    this.#running.push(one);
    this.#alarm.set(one.due);
    return () => this.#end(one);
  }

  /** Gives them all up. */
  close(): void {
    this.#alarm.clear();
    this.#running.length = 0;
  }

  #end(one: Running): void {
    if (this.#running[one.place] !== one) return;
    const last = this.#running.pop() as Running;
    if (last !== one) {
      this.#running[one.place] = last;
      last.place = one.place;
    }
    if (this.#running.length === 0) this.#alarm.clear();
  }

  #ring(): void {
    const now = performance.now();
    const late = this.#running.filter(({ due }) => due <= now);
    for (const one of late) {
      this.#end(one);
      one.onLate();
    }
    let next = Number.POSITIVE_INFINITY;
    for (const { due } of this.#running) next = Math.min(next, due);
    if (next < Number.POSITIVE_INFINITY) this.#alarm.set(next);
  }
}
