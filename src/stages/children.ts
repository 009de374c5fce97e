import { IdSet } from '../core/idset.ts';
import type { Task } from '../core/task.ts';
import type { Child } from '../executors/executor.ts';
import type { ExecCounts } from './exec-options.ts';
import type { Spool } from './spool.ts';

/** What the children of a stage are told. */
export interface ChildrenOptions {
  /** Keeps them for another run. Default: they are in memory alone. */
  readonly spool?: Spool | undefined;
  /** The uuids that are finished, asked for when there is something to leave out. */
  readonly finished?: (() => Promise<Pick<IdSet, 'has'>>) | undefined;
}

/** The tasks that work finds: which of them are new, and where they are kept. */
export class Children {
  readonly #options: ChildrenOptions;
  /** All that came in, was added or is done. */
  readonly #seen = new IdSet();
  /** Those that the work has said to be done. */
  readonly #done = new IdSet();
  #finished: Pick<IdSet, 'has'> | undefined;
  readonly #counts: Pick<ExecCounts, 'added' | 'known'>;

  constructor(options: ChildrenOptions, counts: Pick<ExecCounts, 'added' | 'known'>) {
    this.#options = options;
    this.#counts = counts;
  }

  /** The tasks that come in, each once: first those that are in the spool. */
  async *once(tasks: AsyncIterable<readonly Task[]>): AsyncGenerator<readonly Task[]> {
    const { spool } = this.#options;
    if (spool !== undefined) {
      const finished = await this.#readFinished();
      for await (const batch of spool.tasks()) {
        yield batch.filter(({ uuid }) => this.#seen.add(uuid) && !finished.has(uuid));
      }
    }
    for await (const batch of tasks) {
      yield batch.filter(({ uuid }) => {
        const isNew = this.#seen.add(uuid);
        if (!isNew) this.#counts.known++;
        return isNew;
      });
    }
  }

  /**
   * Those of a task's children that are to be done, once they are kept.
   * @throws {TaskpipeError} `IO`
   */
  async keep(children: readonly Child[]): Promise<readonly Child[]> {
    const finished = await this.#readFinished();
    const fresh = children.filter(({ task: { uuid }, again }) => {
      const isNew = this.#seen.add(uuid);
      if (again) this.#done.delete(uuid);
      const isWanted = again || (isNew && !finished.has(uuid));
      if (isWanted) this.#counts.added++;
      else this.#counts.known++;
      return isWanted;
    });
    if (fresh.length > 0) await this.#options.spool?.add(fresh.map(({ task }) => task));
    return fresh;
  }

  /** A task of that uuid is finished, whoever did it. */
  done(uuid: string): void {
    this.#seen.add(uuid);
    this.#done.add(uuid);
  }

  /** Whether the work has said that a task is finished. */
  isDone(uuid: string): boolean {
    return this.#done.size > 0 && this.#done.has(uuid);
  }

  async #readFinished(): Promise<Pick<IdSet, 'has'>> {
    this.#finished ??= (await this.#options.finished?.()) ?? { has: () => false };
    return this.#finished;
  }
}
