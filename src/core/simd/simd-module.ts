import { readFileSync } from 'node:fs';
import { NAMESPACE_URL } from '../ids/index.ts';

/** Part of the API of WebAssembly that is used here: the types of Node have none. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> };
};

/** Functions, results and addresses of `src/assembly/rows.ts`, which explains them. */
export interface SimdModule {
  read(length: number, line: number): number;
  setTable(...settings: number[]): void;
  setColumns(...settings: number[]): void;
  setUuidColumn(column: number): void;
  readRecords(length: number, line: number): number;
  setFields(...settings: number[]): void;
  setTree(address: number, strict: number): void;
  setRowForm(...settings: number[]): void;
  writeRows(length: number): number;
  /** Returns the current value of an exported number. */
  number(name: SimdNumber): number;
  readonly tables: Buffer;
  readonly input: Buffer;
  readonly output: Buffer;
  readonly cells: Int32Array;
  readonly kinds: Uint8Array;
  readonly lines: Int32Array;
  readonly ends: Int32Array;
  readonly sums: Int32Array;
  readonly uuids: DataView;
  /** The same area, for `writeRows`. */
  readonly results: Int32Array;
  /** Names from which uuids are made, or uuids. */
  readonly names: Buffer;
}

const RESULTS = ['end', 'nextLine', 'added', 'firstQuote', 'isCut', 'recordsEnd', 'linesEnd'] as const;
const AREAS = [
  'tablesAt',
  'inputAt',
  'cellsAt',
  'kindsAt',
  'linesAt',
  'endsAt',
  'sumsAt',
  'uuidsAt',
  'nameAt',
  'outputAt',
] as const;
const SIZES = ['tablesSize', 'inputSize', 'mostColumns', 'nodeSize'] as const;

type SimdNumber = (typeof RESULTS | typeof AREAS | typeof SIZES)[number];

/** Places of the module: beside the bundle, and for tests, which import the sources, in `dist/`. */
const PLACES = ['./rows.wasm', '../../../dist/rows.wasm'];

let loaded: SimdModule | 'none' | undefined;

/** Returns the module, of which a process has one; undefined if this runtime cannot run it. */
export function simdModule(): SimdModule | undefined {
  loaded ??= load() ?? 'none';
  return loaded === 'none' ? undefined : loaded;
}

function load(): SimdModule | undefined {
  for (const place of PLACES) {
    try {
      const module = new WebAssembly.Module(readFileSync(new URL(place, import.meta.url)));
      return viewOf(new WebAssembly.Instance(module));
    } catch {} // no file, or no WebAssembly or no SIMD: the plain reader does the same
  }
  return undefined;
}

function viewOf({ exports }: { readonly exports: Readonly<Record<string, unknown>> }): SimdModule {
  const { buffer } = exports.memory as { readonly buffer: ArrayBuffer };
  const number = (name: SimdNumber): number => Number((exports[name] as { readonly value: number }).value);
  const areas = AREAS.map(number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [tables, input, cells, kinds, lines, ends, sums, uuids, name, output] = areas;
  NAMESPACE_URL.copy(Buffer.from(buffer, name));
  return {
    read: exports.read as SimdModule['read'],
    setTable: exports.setTable as SimdModule['setTable'],
    setColumns: exports.setColumns as SimdModule['setColumns'],
    setUuidColumn: exports.setUuidColumn as SimdModule['setUuidColumn'],
    readRecords: exports.readRecords as SimdModule['readRecords'],
    setFields: exports.setFields as SimdModule['setFields'],
    setTree: exports.setTree as SimdModule['setTree'],
    setRowForm: exports.setRowForm as SimdModule['setRowForm'],
    writeRows: exports.writeRows as SimdModule['writeRows'],
    number,
    tables: Buffer.from(buffer, tables, number('tablesSize')),
    input: Buffer.from(buffer, input, number('inputSize')),
    output: Buffer.from(buffer, output),
    cells: new Int32Array(buffer, cells, (kinds - cells) / 4),
    kinds: new Uint8Array(buffer, kinds, lines - kinds),
    lines: new Int32Array(buffer, lines, (ends - lines) / 4),
    ends: new Int32Array(buffer, ends, (sums - ends) / 4),
    sums: new Int32Array(buffer, sums, (uuids - sums) / 4),
    uuids: new DataView(buffer, uuids, name - uuids),
    names: Buffer.from(buffer, name, output - name),
    results: new Int32Array(buffer, uuids, (name - uuids) / 4),
  };
}

let owner: object | undefined;

/** Makes a reader the owner of the tables in the memory of the module. Returns whether it must set them. */
export function takesOver(reader: object): boolean {
  const isNew = owner !== reader;
  owner = reader;
  return isNew;
}

/** Writer of the tables of a module. */
export class Tables {
  readonly #area: Buffer;
  readonly #address: number;
  #end = 0;

  constructor(module: SimdModule) {
    this.#area = module.tables;
    this.#address = module.number('tablesAt');
  }

  /** Returns the address of a copy of bytes. */
  add(bytes: Uint8Array): number {
    const at = this.#end;
    this.#area.set(bytes, at);
    this.#end += (bytes.length + 19) & ~3; // vectors are read beyond the end
    return this.#address + at;
  }

  /** Returns the address of 32-bit numbers; undefined stands for 0. */
  addNumbers(numbers: readonly (number | undefined)[]): number {
    return this.add(new Uint8Array(Int32Array.from(numbers, (one) => one ?? 0).buffer));
  }
}
