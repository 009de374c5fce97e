import type { Task } from '../../core/record/task.ts';

/** Number of batches whose uuids are kept. */
const MOST = 8;

/** Uuids of the last batches that a worker answered: a second answer for one of them is not for the next batch. */
export class FormerBatches {
  readonly #batches: (readonly string[])[] = [];

  add(batch: readonly Task[]): void {
    this.#batches.push(batch.map(({ uuid }) => uuid));
    if (this.#batches.length > MOST) this.#batches.shift();
  }

  hasAny(uuids: ReadonlySet<string>): boolean {
    return this.#batches.some((batch) => batch.some((uuid) => uuids.has(uuid)));
  }
}
