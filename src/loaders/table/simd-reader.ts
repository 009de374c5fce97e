import { type SimdModule, simdModule, Tables, takesOver } from '../../core/simd/simd-module.ts';
import type { Dialect } from '../../core/text/csv.ts';
import { headerCells, type PlainOptions, type PlainReader, plainReader } from './plain-reader.ts';
import { PlainRows } from './plain-rows.ts';
import type { Columns } from './table-columns.ts';

/*
 * Plain rows by WebAssembly: `src/assembly/load/csv-rows.ts` finds the cells of CSV with SIMD and writes the lines of the tasks.
 * `plain-reader.ts` is its simple twin. The benchmark rows `load-wide` and `load-long` justify it.
 */

/** Reader of the plain rows at the beginning of bytes. */
export type PlainRowReader = Pick<PlainReader, 'isCut' | 'read'>;

/** Minimum number of bytes that are worth a call of WebAssembly, which small files never load. */
const WORTH = 16 * 1024;

/** Returns the reader of the plain rows of a file; undefined if its rows cannot be read in this way. */
export function rowReader(
  columns: Columns,
  dialect: Dialect,
  options: PlainOptions,
): PlainRowReader | undefined {
  const plain = plainReader(columns, dialect, options);
  if (plain === undefined || dialect.quote !== '"' || dialect.escape !== '') return plain;
  let simd: SimdReader | undefined;
  return {
    isCut: false,
    read(bytes, line) {
      const isWorth = bytes.length >= WORTH;
      if (isWorth) simd ??= new SimdReader(columns, dialect, options);
      const reader = isWorth && simd?.takes(bytes) ? simd : plain;
      const rows = reader.read(bytes, line);
      this.isCut = reader.isCut;
      return rows;
    },
  };
}

/**
 * Reader of plain rows of CSV with `"` as quote. Its rows are valid until any such reader reads again: a process loads one
 * file at a time in this way.
 */
export class SimdReader implements PlainRowReader {
  isCut = false;
  readonly #module: SimdModule | undefined = simdModule();
  readonly #columns: Columns;
  readonly #dialect: Dialect;
  readonly #options: PlainOptions;
  /** Column from which the uuid is made; undefined if it is made from several or none. */
  readonly #uuidColumn: number | undefined;
  readonly #uuids: DataView | undefined;
  /** True if the tables fit into their area. */
  readonly #fits: boolean;

  constructor(columns: Columns, dialect: Dialect, options: PlainOptions) {
    this.#columns = columns;
    this.#dialect = dialect;
    this.#options = options;
    const { names, kept, indexes } = columns;
    const [name] = options.uuidFields;
    this.#uuidColumn = name === undefined || options.uuidFields.length > 1 ? undefined : indexes.get(name);
    this.#uuids = this.#uuidColumn === undefined ? undefined : this.#module?.uuids;
    const text = [...names, ...kept.map(({ before }) => before)].reduce(
      (sum, one) => sum + 3 * one.length,
      0,
    );
    const room = text + (names.length + kept.length) * 64;
    const most = Math.min(this.#number('tablesSize') - room, this.#number('mostColumns') - names.length);
    this.#fits = most >= 0;
  }

  /** Returns whether it can read these bytes. */
  takes(bytes: Buffer): boolean {
    return this.#fits && bytes.length <= this.#number('inputSize');
  }

  /** Returns the plain rows from line `line` on; undefined if the first row is not plain. @see takes */
  read(bytes: Buffer, line: number): PlainRows | undefined {
    this.isCut = false;
    const module = this.#module;
    if (module === undefined || bytes.at(-1) !== NEWLINE) return undefined;
    if (takesOver(this)) this.#setTables(module);
    bytes.copy(module.input);
    const length = module.read(bytes.length, line);
    this.isCut = module.number('isCut') !== 0;
    if (length === 0) return undefined;
    const end = module.number('end');
    const added = module.number('added');
    return new PlainRows(this.#columns, {
      ...{ length, bytes: module.input, end, added, lines: module.lines, cells: module.cells },
      nextLine: module.number('nextLine'),
      kinds: added > 0 ? module.kinds : undefined,
      hasQuotes: module.number('firstQuote') < end,
      written: { bytes: module.output, ends: module.ends, sums: module.sums, uuids: this.#uuids },
    });
  }

  #number(name: 'tablesSize' | 'mostColumns' | 'inputSize'): number {
    return this.#module?.number(name) ?? NONE;
  }

  #setTables(module: SimdModule): void {
    const { names, kept, compared, indexes } = this.#columns;
    const { comment = '', maxLine, uuidFields } = this.#options;
    const tables = new Tables(module);
    const header = headerCells(this.#columns).map((cell) => [cell && tables.add(cell), cell?.length ?? NONE]);
    const isUuid = new Set(uuidFields.map((name) => indexes.get(name)));
    module.setTable(
      names.length,
      this.#dialect.delimiter.charCodeAt(0),
      comment === '' ? NONE : (Buffer.from(comment)[0] as number),
      Math.min(maxLine, module.input.length),
      tables.add(Uint8Array.from(names, (_, i) => (isUuid.has(i) ? 0 : 1))),
      header.length === 0 ? 0 : tables.addNumbers(header.flat()),
    );
    module.setUuidColumn(this.#uuidColumn ?? NONE);
    // No checksum is needed for a uuid that is made from all attributes, or from none.
    const sums = uuidFields.length === 0 ? [] : compared;
    module.setColumns(
      tables.addNumbers(kept.flatMap(({ index, bytes }) => [index, tables.add(bytes), bytes.length])),
      kept.length,
      kept.reduce((sum, { bytes }) => sum + bytes.length, 0),
      tables.addNumbers(sums.flatMap(({ index, hash }) => [index, hash])),
      sums.length,
    );
  }
}

const NEWLINE = 10;
const NONE = -1;
