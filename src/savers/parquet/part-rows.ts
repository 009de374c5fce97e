import type { Shape } from '../../core/record/json-shape.ts';
import type { Task } from '../../core/record/task.ts';
import type { Misfit } from '../contract.ts';
import type { Field } from '../rows/fields.ts';
import { rawAt } from '../rows/ndjson-rows.ts';
import { valuesOf } from './part-columns.ts';

/** Limit of columns: records with data as names would make each part larger than its rows. */
const MOST_COLUMNS = 1000;

/** Half of a surrogate pair, which UTF-8 does not have. The first pattern finds lines that may have one. */
const ESCAPED = /\\ud[89a-f]/i;
const HALF = /\\ud[89ab][\da-f]{2}(?!\\ud[c-f])|(?<!\\ud[89ab][\da-f]{2})\\ud[c-f]/i;

/** Converter of records to rows of a part, which checks that they fit. */
export class PartRows {
  readonly #path: string;
  readonly #fields: readonly Field[] | undefined;
  /** Names of all columns. */
  readonly #names: Set<string>;
  readonly #shapes = new WeakSet<Shape>();

  constructor(path: string, fields: readonly Field[] | undefined, names: Iterable<string>) {
    this.#path = path;
    this.#fields = fields?.filter((field) => field.path !== 'uuid');
    this.#names = new Set(names);
  }

  /** Returns the record as a line: its values become columns when the part is written. */
  encode(task: Task): string | Misfit {
    const { line } = task;
    if (ESCAPED.test(line) && HALF.test(line.replaceAll('\\\\', '')))
      return this.#misfit('VALUE', 'a value has half of a surrogate pair, which Parquet cannot hold');
    if (this.#fields === undefined && !this.#hasColumns(task))
      return this.#misfit(
        'COLUMNS',
        `it would have more than ${MOST_COLUMNS} columns; name those to keep with --fields`,
      );
    return `${line}\n`;
  }

  #misfit(code: 'COLUMNS' | 'VALUE', why: string): Misfit {
    return { code, message: `${this.#path}: ${why}`, columns: [] };
  }

  /** Returns true if each attribute has a column or may get one. */
  #hasColumns({ shape, fields }: Task): boolean {
    if (shape !== undefined && this.#shapes.has(shape)) return true;
    const added = Object.keys(fields).filter((name) => !this.#names.has(name));
    if (added.length > 0 && this.#names.size + added.length > MOST_COLUMNS) return false;
    for (const name of added) this.#names.add(name);
    if (shape !== undefined) this.#shapes.add(shape);
    return true;
  }

  /** Returns the values of a row, by column, as JSON text. @param line a record that `encode` took */
  valuesOf(line: string): Iterable<readonly [name: string, raw: string | undefined]> {
    const fields = this.#fields;
    if (fields === undefined) return valuesOf(line);
    return [
      ['uuid', rawAt(line, 'uuid')],
      ...fields.map(({ name, path }) => [name, rawAt(line, path)] as const),
    ];
  }
}
