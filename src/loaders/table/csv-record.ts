import { checksumOf, hashMember, hashText } from '../../core/record/checksum.ts';
import type { Row } from '../../core/text/csv.ts';
import type { Loaded } from '../contract.ts';
import type { Columns } from './table-columns.ts';

/** Characters that JSON must escape in a string. */
const ESCAPED = /["\\\u0000-\u001f]/;

/** Row of delimited text. All its values are strings. */
export class CsvRecord implements Loaded {
  readonly hasRun = false;
  readonly fault = undefined; // faults of columns are reported for the header
  readonly #row: Row;
  readonly #columns: Columns;
  /** Cells as text between quotes in JSON, made on demand. */
  #json: readonly string[] | undefined;

  constructor(row: Row, columns: Columns) {
    this.#row = row;
    this.#columns = columns;
  }

  get line(): number {
    return this.#row.line;
  }

  get source(): string {
    return this.#row.text;
  }

  get uuid(): unknown {
    return this.#columns.uuid === undefined ? undefined : this.#row.cells[this.#columns.uuid];
  }

  text(name: string): string | undefined {
    const index = this.#columns.indexes.get(name);
    return index === undefined ? undefined : this.#row.cells[index];
  }

  isMissing(name: string): boolean {
    return !this.text(name);
  }

  isMadeOf(): boolean {
    return false;
  }

  canonical(): string {
    const { sorted } = this.#columns;
    const json = this.#inJson();
    let text = '';
    for (const { index, before } of sorted) text += before + json[index];
    return sorted.length === 0 ? '{}' : `${text}"}`;
  }

  checksum(): number {
    const json = this.#inJson();
    let sum = 0;
    for (const { index, hash } of this.#columns.compared)
      sum += hashMember(hash, hashText(json[index] as string));
    return checksumOf(sum);
  }

  toLine(uuid: string): string {
    const json = this.#inJson();
    // All values are strings, so one constant covers the text between two values: fewer pieces are faster.
    let line = `{"uuid":"${escaped(uuid)}`;
    for (const { index, before } of this.#columns.kept) {
      line += before;
      line += json[index];
    }
    return `${line}"}`;
  }

  #inJson(): readonly string[] {
    this.#json ??= this.#row.cells.map(escaped);
    return this.#json;
  }
}

/** Returns the text between quotes in JSON. */
function escaped(text: string): string {
  return ESCAPED.test(text) ? JSON.stringify(text).slice(1, -1) : text;
}
