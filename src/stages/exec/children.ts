import { IdList } from '../../core/ids/id-list.ts';
import { IdSet } from '../../core/ids/id-set.ts';
import type { Task } from '../../core/record/task.ts';
import type { Child } from '../../executors/contract.ts';
import type { ChildQueue } from './child-queue.ts';
import type { ExecCounts } from './contract.ts';
import type { Spool } from './spool.ts';

/** What the children of a stage are told. */
export interface ChildrenOptions {
  /** Keeps them for another run. Default: they are in memory alone. */
  readonly spool?: Spool | undefined;
  /** Takes all children, for the workers that pull from it: none runs here. It knows which are seen or finished. */
  readonly queue?: ChildQueue | undefined;
  /** The uuids that are finished, asked for when there is something to leave out. */
  readonly finished?: (() => Promise<Pick<IdSet, 'has'>>) | undefined;
}

/** The tasks that work finds: which of them are new, and where they are kept. */
export class Children {
  readonly #options: ChildrenOptions;
  /**
   * What came in. It may come again, as a queue delivers again what has failed. Until the first child is found it is
   * only written down, as most work finds none.
   */
  #read: IdList | IdSet = new IdList();
  /** What was in the spool, was added or is done. */
  readonly #seen = new IdSet();
  /** Those that the work has said to be done. */
  readonly #done = new IdSet();
  #finished: Pick<IdSet, 'has'> | undefined;
  readonly #counts: Pick<ExecCounts, 'added' | 'known'>;

  constructor(options: ChildrenOptions, counts: Pick<ExecCounts, 'added' | 'known'>) {
    this.#options = options;
    this.#counts = counts;
  }

  /** The tasks to do: first those that are in the spool, then those that come in and are not known of the work. */
  async *toDo(tasks: AsyncIterable<readonly Task[]>): AsyncGenerator<readonly Task[]> {
    const { spool, queue } = this.#options;
    if (queue !== undefined) {
      yield* tasks; // which are known is known there
      return;
    }
    if (spool !== undefined) {
      const finished = await this.#readFinished();
      for await (const batch of spool.tasks()) {
        yield batch.filter(({ uuid }) => this.#seen.add(uuid) && !finished.has(uuid));
      }
    }
    for await (const batch of tasks) {
      yield batch.filter(({ uuid }) => {
        const isNew = !this.#seen.has(uuid);
        if (isNew) this.#read.add(uuid);
        else this.#counts.known++;
        return isNew;
      });
    }
  }

  /**
   * Those of a task's children that are to be done, once they are kept.
   * @throws {TaskpipeError} `IO`
   */
  async keep(children: readonly Child[]): Promise<readonly Child[]> {
    const { queue } = this.#options;
    if (queue !== undefined) {
      const { added, seen, done } = await queue.add(children);
      this.#counts.added += added;
      this.#counts.known += seen + done;
      return [];
    }
    const finished = await this.#readFinished();
    const read = this.#allRead();
    const fresh = children.filter(({ task: { uuid }, again }) => {
      const isNew = !read.has(uuid) && this.#seen.add(uuid);
      if (again) this.#done.delete(uuid);
      const isWanted = again || (isNew && !finished.has(uuid));
      if (isWanted) this.#counts.added++;
      else this.#counts.known++;
      return isWanted;
    });
    if (fresh.length > 0) await this.#options.spool?.add(fresh.map(({ task }) => task));
    return fresh;
  }

  /** A task of that uuid is finished, by this process or another. */
  done(uuid: string): void {
    const { queue } = this.#options;
    if (queue !== undefined) {
      queue.done(uuid);
      return; // one that was delivered already must come out again
    }
    this.#seen.add(uuid);
    this.#done.add(uuid);
  }

  /** Whether the work has said that a task is finished. */
  isDone(uuid: string): boolean {
    return this.#done.size > 0 && this.#done.has(uuid);
  }

  #allRead(): IdSet {
    if (this.#read instanceof IdList) this.#read = new IdSet({ of: this.#read });
    return this.#read;
  }

  async #readFinished(): Promise<Pick<IdSet, 'has'>> {
    this.#finished ??= (await this.#options.finished?.()) ?? { has: () => false };
    return this.#finished;
  }
}
