import { hint } from '../../core/options/suggest.ts';
import type { Task } from '../../core/record/task.ts';
import { attributeText } from '../../core/record/template.ts';

/** Watch that reports an attribute of `--batch-by` that no record has: often a typo, which puts all into one batch. */
export class BatchByWatch {
  readonly #name: string;
  #isFound = false;
  #first: Task | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  /** Passes tasks on, and looks at them until one has the attribute. */
  async *over(tasks: AsyncIterable<readonly Task[]>): AsyncGenerator<readonly Task[]> {
    for await (const batch of tasks) {
      if (!this.#isFound) this.#look(batch);
      yield batch;
    }
  }

  #look(batch: readonly Task[]): void {
    this.#isFound = batch.some((task) => attributeText(task, this.#name) !== undefined);
    this.#first ??= batch[0];
  }

  /** Note for the end of a run; undefined if a record had the attribute, or there was none. */
  get note(): string | undefined {
    if (this.#isFound || this.#first === undefined) return undefined;
    const names = Object.keys(this.#first.fields);
    return `no record had ${JSON.stringify(this.#name)} (--batch-by)${hint(this.#name, names)}`;
  }
}
