import { IdList, IdSet } from '../../core/ids/index.ts';
import type { Task } from '../../core/record/task.ts';
import type { Child } from '../../executors/contract.ts';
import type { ChildQueue } from './child-queue.ts';
import type { ExecCounts } from './contract.ts';
import type { Spool } from './spool.ts';

export interface ChildrenOptions {
  /** File that keeps added tasks for another run. Default: none, they are only in memory. */
  readonly spool?: Spool | undefined;
  /** Queue that takes all added tasks; this stage runs none of them. The queue detects seen and finished ones. */
  readonly queue?: ChildQueue | undefined;
  /** Returns the finished uuids. Called at the first child, or at the start if there is a spool. */
  readonly finished?: (() => Promise<Pick<IdSet, 'has'>>) | undefined;
}

/** Tasks that the work of a stage adds. Decides which are new, and stores these in the spool or the queue. */
export class Children {
  readonly #options: ChildrenOptions;
  /**
   * Uuids that were read. The input may repeat them, because a queue redelivers failed tasks. They are only listed
   * until the first task is added, because most work adds none.
   */
  #read: IdList | IdSet = new IdList();
  /** Uuids from the spool, of added tasks, and of tasks marked as done. */
  readonly #seen = new IdSet();
  /** Uuids that the work has marked as done. */
  readonly #done = new IdSet();
  #finished: Pick<IdSet, 'has'> | undefined;
  readonly #counts: Pick<ExecCounts, 'added' | 'known'>;

  constructor(options: ChildrenOptions, counts: Pick<ExecCounts, 'added' | 'known'>) {
    this.#options = options;
    this.#counts = counts;
  }

  /** Yields the tasks to run: first those of the spool, then those of the input that are not known yet. */
  async *toDo(tasks: AsyncIterable<readonly Task[]>): AsyncGenerator<readonly Task[]> {
    const { spool, queue } = this.#options;
    if (queue !== undefined) {
      for await (const batch of tasks) yield await this.#withoutDone(batch, queue);
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

  /** Returns the tasks of a batch that were not marked as done on their way from the queue. */
  async #withoutDone(batch: readonly Task[], queue: ChildQueue): Promise<readonly Task[]> {
    const marked = batch.map(({ uuid }) => uuid).filter((uuid) => this.isDone(uuid));
    if (marked.length === 0) return batch;
    const live = await queue.live(marked);
    for (const uuid of live) this.#done.delete(uuid); // the task was added again
    const left = batch.filter(({ uuid }) => !this.isDone(uuid));
    this.#counts.known += batch.length - left.length;
    return left;
  }

  /**
   * Stores the new children of a task in the spool or the queue.
   * @returns those that this stage must run; none if there is a queue
   * @throws {TaskpipeError} `IO`
   */
  async keep(children: readonly Child[]): Promise<readonly Child[]> {
    const { queue } = this.#options;
    if (queue !== undefined) {
      for (const { task, again } of children) if (again) this.#done.delete(task.uuid);
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

  /** Marks a task as finished, even if another process finished it. */
  done(uuid: string): void {
    this.#options.queue?.done(uuid); // this also settles a task that was delivered already
    this.#seen.add(uuid);
    this.#done.add(uuid);
  }

  /** Returns whether the work has marked a task as done. */
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
