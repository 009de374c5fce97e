import type { Queue } from '../../queues/index.ts';

/** Time without a delivery until the queues are checked, and interval of these checks, in milliseconds. */
const IDLE = 3000;

/** Reports to the user that nothing is delivered because a queue is paused. */
export class PauseNote {
  readonly #queues: readonly Queue[];
  readonly #info: ((message: string) => void) | undefined;
  #nextLook = performance.now() + IDLE;
  #isReported = false;

  constructor(queues: readonly Queue[], info: ((message: string) => void) | undefined) {
    this.#queues = queues;
    this.#info = info;
  }

  /** Notes a delivery: a later pause is reported again. */
  end(): void {
    this.#nextLook = performance.now() + IDLE;
    this.#isReported = false;
  }

  /** Checks whether queues are paused if nothing was delivered for some time. Call it while no tasks arrive. */
  async look(): Promise<void> {
    if (this.#isReported || performance.now() < this.#nextLook) return;
    this.#nextLook = performance.now() + IDLE;
    const states = await Promise.all(this.#queues.map((queue) => queue.isPaused()));
    const names = this.#queues.filter((_, i) => states[i]).map(({ name }) => name);
    if (names.length === 0) return;
    this.#isReported = true;
    this.#info?.(
      `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} paused, so nothing is delivered; task-queue resume lets it go on`,
    );
  }
}
