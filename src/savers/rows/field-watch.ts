import { hint } from '../../core/options/suggest.ts';
import type { Task } from '../../core/record/task.ts';
import type { Destination } from '../contract.ts';
import type { UnusedFields } from './columns.ts';
import { absentFields, isOptional } from './field-check.ts';
import type { Field } from './fields.ts';
import { leafPaths } from './leaf-paths.ts';

/** Watch that reports fields that no record has: often a typo, which results in an empty column. */
export class FieldWatch {
  readonly #fields: readonly Field[] | undefined;
  readonly #note: (message: string) => void;
  #isChecked = false;
  /** Fields in the last note, or ''. */
  #said = '';
  /** True if more records came after the check. */
  #hasMore = false;

  /** @param fields fields of a new output; undefined for an existing output, where earlier rows had them */
  constructor(fields: readonly Field[] | undefined, info: (message: string) => void = () => {}) {
    this.#fields = fields;
    this.#note = info;
    this.#isChecked = fields === undefined;
  }

  /**
   * Passes tasks on; checks the fields with the first batch that can tell.
   * @throws {FieldSlip} before a record is saved
   */
  async *over(tasks: AsyncIterable<readonly Task[]>): AsyncGenerator<readonly Task[]> {
    for await (const batch of tasks) {
      if (this.#isChecked) this.#hasMore ||= batch.length > 0;
      else {
        const absent = absentFields(this.#fields ?? [], batch);
        this.#isChecked = absent !== undefined;
        const there = batch[0] === undefined ? [] : leafPaths(batch[0].line);
        this.#say({ names: absent ?? [], there }, ' so far');
      }
      yield batch;
    }
  }

  end({ unusedFields }: Destination): void {
    const names = unusedFields?.names.filter((path) => !isOptional(path)) ?? [];
    if (this.#hasMore || this.#said === '') this.#say({ names, there: unusedFields?.there ?? [] }, '');
  }

  #say({ names, there }: UnusedFields, soFar: string): void {
    const [first] = names;
    if (first === undefined) return;
    this.#said = names.map((name) => JSON.stringify(name)).join(', ');
    this.#note(`no record had ${this.#said}${soFar} (--fields)${hint(first, there)}`);
  }
}
