import { isUtf8 } from 'node:buffer';
import { TextDecoder } from 'node:util';
import { byEntry, isJson } from '../../core/record/exact-values.ts';
import { membersOf, minify } from '../../core/record/json-text.ts';
import type { ColumnKind } from '../../core/record/run-columns.ts';
import type { Cell } from '../../core/storage/sqlite-database.ts';
import type { QueryColumn } from './sqlite-columns.ts';

/** Text in a row that is not valid UTF-8. */
export interface NotText {
  readonly column: string;
  readonly bytes: Buffer;
}

/** An attribute or a member of `run`, with the index of its cell. */
interface Place {
  readonly index: number;
  readonly name: string;
  /** Name in JSON with a colon. */
  readonly key: string;
  readonly kind: ColumnKind;
  /** Index of the column `exact` of its table, and the name there; undefined if that column is not read. */
  readonly exact: number | undefined;
  readonly origin: string;
}

/** Converter of rows to the text of records. */
export class RowReader {
  readonly #attributes: readonly Place[];
  readonly #run: readonly Place[];
  /** Indexes of the columns `exact` and `others`. */
  readonly #exact: readonly number[];
  readonly #others: readonly number[];

  /** Decoder of text, unless the database is in UTF-8. */
  readonly #decoder: TextDecoder | undefined;

  /** @param encoding encoding of the database, and so of the bytes of text */
  constructor(columns: readonly QueryColumn[], encoding: string) {
    this.#decoder = encoding === 'UTF-8' ? undefined : new TextDecoder(encoding, { ignoreBOM: true });
    const placesOf = (role: QueryColumn['role']): readonly number[] =>
      columns.flatMap((column, i) => (column.role === role ? [i] : []));
    this.#exact = placesOf('exact');
    this.#others = placesOf('others');
    const placed = (index: number): Place => {
      const { name, kind, origin = '', table } = columns[index] as QueryColumn;
      const exact = this.#exact.find((i) => columns[i]?.table === table);
      return { index, name, key: `${JSON.stringify(name)}:`, kind, exact, origin };
    };
    this.#attributes = placesOf('attribute').map(placed);
    this.#run = placesOf('run').map(placed);
  }

  /** Returns the record of a row as JSON text, or the cell that is not valid UTF-8. */
  read(cells: readonly Cell[]): string | NotText {
    const row = this.#decoder === undefined ? cells : cells.map((cell) => this.#decoded(cell));
    const entries = this.#entriesOf(row);
    let text = '';
    for (const { index, name, key, kind, exact, origin } of this.#attributes) {
      const entry = entries === undefined || exact === undefined ? undefined : entries[exact]?.get(origin);
      const json = jsonOf(row[index] as Cell, kind, entry);
      if (json === NOT_UTF8) return { column: name, bytes: row[index] as Buffer };
      if (json !== undefined) text += `${text === '' ? '' : ','}${key}${json}`;
    }
    for (const i of this.#others) {
      if (row[i] === null) continue;
      for (const [name, json] of membersIn(row[i] as Cell))
        if (!this.#attributes.some((place) => place.name === name && row[place.index] !== null))
          text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${json}`;
    }
    const run = this.#runOf(row);
    return run === undefined ? `{${text}}` : `{${text}${text === '' ? '' : ','}${run}}`;
  }

  #decoded(cell: Cell): Cell {
    return Buffer.isBuffer(cell) ? Buffer.from(this.#decoder?.decode(cell) ?? '') : cell;
  }

  /** Returns the members of the columns `exact`, by column index; undefined if the row has none. */
  #entriesOf(row: readonly Cell[]): readonly (ReadonlyMap<string, string> | undefined)[] | undefined {
    let entries: ReadonlyMap<string, string>[] | undefined;
    for (const i of this.#exact) {
      if (row[i] === null) continue;
      entries ??= [];
      entries[i] = membersIn(row[i] as Cell);
    }
    return entries;
  }

  /**
   * Returns the part of the run that a loader needs, its state and the key of its result; undefined without a
   * run.
   */
  #runOf(row: readonly Cell[]): string | undefined {
    let [state, as]: (string | undefined)[] = [];
    for (const { index, name, kind } of this.#run) {
      if (name !== 'state' && name !== 'result_key') continue;
      const json = jsonOf(row[index] as Cell, kind, undefined);
      if (typeof json !== 'string') continue;
      if (name === 'state') state = json;
      else as = json;
    }
    if (state === undefined) return undefined;
    return `"run":{"state":${state}${as === undefined ? '' : `,"as":${as}`}}`;
  }
}

/** Returns the members of a JSON object in a cell; none if someone has changed the cell to another value. */
function membersIn(value: Cell): ReadonlyMap<string, string> {
  const text = Buffer.isBuffer(value) ? value.toString() : '';
  if (!text.startsWith('{') || !isJson(text)) return new Map();
  return new Map(membersOf(text).map(({ key, value, end }) => [key, minify(text.slice(value, end))]));
}

const NOT_UTF8 = Symbol('not valid UTF-8');

/**
 * Returns a cell as JSON, or undefined for NULL.
 * @param cell text as bytes, and bytes as hexadecimal digits; see `prepareQuery`
 * @param entry entry of the cell in the column `exact`
 */
function jsonOf(
  cell: Cell,
  kind: ColumnKind,
  entry: string | undefined,
): string | undefined | typeof NOT_UTF8 {
  if (cell === null) return entry === 'null' ? entry : undefined;
  if (typeof cell === 'string') return JSON.stringify(Buffer.from(cell, 'hex').toString('base64'));
  if (Buffer.isBuffer(cell) && !isUtf8(cell)) return NOT_UTF8;
  const value = Buffer.isBuffer(cell) ? cell.toString() : cell;
  const exact = entry === undefined ? undefined : byEntry(entry, value);
  if (exact !== undefined) return minify(exact);
  if (typeof value === 'string')
    return kind === 'json' && isJson(value) ? minify(value) : JSON.stringify(value);
  if (typeof value === 'number') return numberText(value);
  if (kind === 'boolean' && (value === 0n || value === 1n)) return value === 1n ? 'true' : 'false';
  return String(value);
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return JSON.stringify(value);
  return value < 0 ? '-1e999' : '1e999'; // JSON has no infinity; parsers read this number as infinity
}
