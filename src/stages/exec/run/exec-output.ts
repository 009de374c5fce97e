import { stateOf, type Task } from '../../../core/record/task.ts';
import type { Job } from '../../../core/schedule/lanes/lane.ts';
import { type BatcherOptions, OutputBatcher, ReorderBuffer } from '../../../core/schedule/output-batcher.ts';
import type { ExecOptions } from '../exec-options.ts';

/** Records that leave a stage, in batches: as their tasks end, or in the order of the input. */
export class ExecOutput implements AsyncIterable<readonly Task[]> {
  /** Records held back for `--keep-order`; undefined if records leave as their tasks end. */
  readonly order: ReorderBuffer | undefined;
  readonly #batches: OutputBatcher;
  readonly #unfinished: ExecOptions['unfinished'];
  #isAbandoned = false;
  /** Called when there is room, if something waits for it. */
  #onRoom: (() => void) | undefined;

  constructor({ keepOrder, unfinished }: ExecOptions, { onRoom, isBusy }: Required<BatcherOptions>) {
    this.#unfinished = unfinished;
    this.#batches = new OutputBatcher({
      onRoom: () => {
        this.#onRoom?.();
        onRoom();
      },
      isBusy,
    });
    this.order = keepOrder ? new ReorderBuffer((task) => this.#batches.put(task)) : undefined;
  }

  /** True if no more tasks should start. */
  get isFull(): boolean {
    return this.#batches.isFull;
  }

  /** Waits until the output, which is full, has room again. */
  room(): Promise<void> {
    return new Promise((resolve) => {
      this.#onRoom = resolve;
    });
  }

  /** Passes on the record of a job. @param task undefined if nothing is passed on */
  put({ ordinal }: Job, task: Task | undefined): void {
    const isKept = task !== undefined && this.#unfinished !== undefined && this.#isForUnfinished(task);
    if (isKept) this.#unfinished?.(task);
    const shown = isKept ? undefined : task;
    if (this.order !== undefined) this.order.put(ordinal, shown);
    else if (shown !== undefined) this.#batches.put(shown);
  }

  #isForUnfinished(task: Task): boolean {
    return !this.#isAbandoned && stateOf(task) === 'PENDING';
  }

  /** Ends the output; an error is thrown to its reader after the last batch. */
  end(failure?: { error?: unknown }): void {
    this.#batches.end(failure);
  }

  /** Passes unfinished records on too, from now on: the caller of `abandon` knows what to do with them. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  /** Returns all records but the first `used` ones. */
  takeAll(used: number): readonly Task[] {
    return this.#batches.takeAll(used);
  }

  [Symbol.asyncIterator](): AsyncGenerator<readonly Task[]> {
    return this.#batches[Symbol.asyncIterator]();
  }
}
