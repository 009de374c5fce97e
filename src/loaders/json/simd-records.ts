import { type SimdModule, simdModule, Tables, takesOver } from '../../core/simd/simd-module.ts';
import type { ReadOptions } from '../contract.ts';
import { PlainRows } from '../table/plain-rows.ts';
import type { Columns } from '../table/table-columns.ts';
import { isFreshName } from './fresh-record.ts';

/*
 * Records of NDJSON by WebAssembly: `src/assembly/load/json-rows.ts` checks the grammar of records that were not tasks before,
 * and writes the lines of their tasks. Its simple twin is `JsonLoaded`, which reads all other records. The benchmark row
 * `load-nested` justifies it.
 */

/** Number of bytes in one call that makes WebAssembly worth loading. */
const WORTH = 16 * 1024;
/** Maximum number of attributes in a uuid. */
const MOST_FIELDS = 16;

const NEWLINE = 10;

/** Returns the reader of the records of a file; undefined if none of them can be read in this way. */
export function recordReader(options: ReadOptions): SimdRecords | undefined {
  const { uuidFields, select, rename, takesPlain } = options;
  if (select !== undefined || rename.size > 0 || uuidFields.length > MOST_FIELDS) return undefined;
  if (!uuidFields.every(isFreshName) || new Set(uuidFields).size < uuidFields.length) return undefined;
  const columns = columnsOf(uuidFields);
  return takesPlain?.(columns) ? new SimdRecords(columns, options.maxLine) : undefined;
}

/** Returns columns that are the attributes from which the uuid is made; none if it is made from the whole record. */
function columnsOf(names: readonly string[]): Columns {
  const indexes = new Map(names.map((name, i) => [name, i]));
  return { names, indexes, header: undefined, uuid: undefined, kept: [], compared: [], sorted: [] };
}

/** Reader of records as rows of the attributes from which their uuids are made. */
export class SimdRecords {
  readonly #columns: Columns;
  readonly #maxLine: number;
  /** Undefined until a call is worth it; `none` if this runtime has no WebAssembly. */
  #module: SimdModule | 'none' | undefined;

  constructor(columns: Columns, maxLine: number) {
    this.#columns = columns;
    this.#maxLine = maxLine;
  }

  /**
   * Returns the records at the start of whole lines; undefined if the first one cannot be read in this way. They are valid
   * until the next call.
   * @param bytes UTF-8; the last line has no newline
   * @param line number of the first line
   */
  read(bytes: Buffer, line: number): PlainRows | undefined {
    if (bytes.length >= WORTH) this.#module ??= simdModule() ?? 'none';
    const module = this.#module;
    if (module === undefined || module === 'none') return undefined;
    const { input } = module;
    const size = bytes.length < input.length ? bytes.length : bytes.lastIndexOf(NEWLINE, input.length - 1);
    if (size < 0) return undefined;
    if (takesOver(this)) this.#setFields(module);
    bytes.copy(input, 0, 0, size);
    input[size] = NEWLINE;
    const length = module.readRecords(size + 1, line);
    if (length === 0) return undefined;
    return new PlainRows(this.#columns, {
      ...{ length, bytes: input, end: module.number('recordsEnd'), lines: module.lines },
      ...{ cells: module.cells, kinds: undefined, added: 0, hasQuotes: true, nextLine: line + length },
      written: {
        ...{ bytes: module.output, ends: module.ends, sums: module.sums },
        uuids: this.#columns.names.length <= 1 ? module.uuids : undefined,
      },
    });
  }

  #setFields(module: SimdModule): void {
    const tables = new Tables(module);
    const names = this.#columns.names.map((name) => Buffer.from(name));
    const places = names.flatMap((name) => [tables.add(name), name.length]);
    module.setFields(tables.addNumbers(places), names.length, Math.min(this.#maxLine, module.input.length));
  }
}
