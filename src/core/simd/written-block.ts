import type { SimdModule } from './simd-module.ts';

/** Result of `writeRows` for the task of a line that has succeeded. */
const SUCCESS = 2;

/** Lines of a block, with the rows of those that have one. */
export class WrittenBlock {
  /** Form in which the rows are written. */
  readonly form: object;
  /** Number of lines. */
  readonly count: number;
  /** Rows of all lines, each with its line end. */
  readonly rows: Buffer;
  readonly #bytes: Buffer;
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  readonly #results: Int32Array;
  readonly #uuids: string;

  /** @param bytes the block, the last line of which has no newline */
  constructor(form: object, bytes: Buffer, count: number, module: SimdModule) {
    this.form = form;
    this.count = count;
    this.#bytes = bytes;
    this.#starts = new Int32Array(count + 1);
    this.#starts.set(module.lines.subarray(0, count));
    this.#starts[count] = module.number('linesEnd');
    this.#ends = module.ends.slice(0, count);
    this.#results = module.results.slice(0, 2 * count);
    this.rows = Buffer.from(module.output.subarray(0, this.#ends[count - 1]));
    this.#uuids = module.names.toString('latin1', 0, this.#results[2 * count - 2]);
  }

  /** Returns whether a line has a row, and is not longer than `maxLine` bytes. */
  hasRow(line: number, maxLine: number): boolean {
    return this.#results[2 * line + 1] !== 0 && this.startOf(line + 1) - this.startOf(line) <= maxLine + 1;
  }

  uuidOf(line: number): string {
    return this.#uuids.slice(line === 0 ? 0 : this.#results[2 * line - 2], this.#results[2 * line]);
  }

  /** Returns the state of the task of a line that has a row. */
  stateOf(line: number): 'SUCCESS' | undefined {
    return this.#results[2 * line + 1] === SUCCESS ? 'SUCCESS' : undefined;
  }

  /** Returns the text of a line that has a row. */
  textOf(line: number): string {
    const text = this.#bytes.toString('utf8', this.startOf(line), this.startOf(line + 1) - 1);
    return text.endsWith('\r') ? text.slice(0, -1) : text;
  }

  /** Returns the start of a line in the block; for `count`, the end of the last one. */
  startOf(line: number): number {
    return this.#starts[line] as number;
  }

  /** Returns the start of a line's row in `rows`. */
  rowStart(line: number): number {
    return line === 0 ? 0 : (this.#ends[line - 1] as number);
  }

  rowEnd(line: number): number {
    return this.#ends[line] as number;
  }
}

/** Row of a task that was written when the task was read. */
export interface WrittenRow {
  readonly block: WrittenBlock;
  /** Number of its line in the block. */
  readonly line: number;
}
