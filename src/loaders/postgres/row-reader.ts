import type { PostgresCell } from '../../core/postgres/contract.ts';
import { membersOf, minify } from '../../core/record/json-text.ts';
import type { ReadColumn } from './postgres-columns.ts';
import { converterOf, exactText, type ToJson } from './postgres-values.ts';

/** A cell whose text is not valid UTF-8. */
export interface BadCell {
  readonly column: string;
  readonly text: string;
}

/** An attribute or a member of `run`, with the index of its cell. */
interface CellPlace {
  readonly index: number;
  readonly name: string;
  /** Name in JSON with a colon. */
  readonly key: string;
  readonly toJson: ToJson;
  readonly isNumber: boolean;
  /** Index of the column `exact` of its table, and the name there; undefined if that column is not read. */
  readonly exact: number | undefined;
  readonly origin: string;
}

type Row = readonly PostgresCell[];

/** Converter of rows to the text of records. */
export class PostgresRowReader {
  readonly #attributes: readonly CellPlace[];
  readonly #run: readonly CellPlace[];
  readonly #exact: readonly number[];
  readonly #others: readonly number[];
  /** Index of the whole record; -1 if there is none. */
  readonly #record: number;
  /** True if text may be any bytes: the library turns invalid ones into U+FFFD. */
  readonly #hasBytes: boolean;

  constructor(columns: readonly ReadColumn[], hasBytes: boolean) {
    this.#hasBytes = hasBytes;
    const indexesOf = (role: ReadColumn['role']): readonly number[] =>
      columns.flatMap((column, i) => (column.role === role ? [i] : []));
    this.#exact = indexesOf('exact');
    this.#others = indexesOf('others');
    this.#record = indexesOf('record')[0] ?? -1;
    const placed = (index: number): CellPlace => {
      const { name, type, origin = '', table } = columns[index] as ReadColumn;
      const exact = this.#exact.find((i) => columns[i]?.table === table);
      const key = `${JSON.stringify(name)}:`;
      return { index, name, key, toJson: converterOf(type), isNumber: type.category === 'N', exact, origin };
    };
    this.#attributes = indexesOf('attribute').map(placed);
    this.#run = indexesOf('run').map(placed);
  }

  /** Returns the record of a row as JSON text, or the cell that is not valid UTF-8. */
  read(row: Row): string | BadCell {
    if (this.#hasBytes) {
      const bad = this.#attributes.find(({ index }) => row[index]?.includes('\ufffd'));
      if (bad !== undefined) return { column: bad.name, text: row[bad.index] as string };
    }
    const members: string[] = this.#record < 0 ? [] : recordMembers(row[this.#record]);
    const isRecord = members.length > 0;
    const entries = new Map(this.#exact.map((i) => [i, membersIn(row[i])]));
    for (const place of this.#attributes) {
      if (isRecord && place.name === 'uuid') continue; // the record contains it
      const json = jsonIn(row, place, entries);
      if (json !== undefined) members.push(place.key + json);
    }
    for (const i of this.#others) {
      for (const [name, json] of membersIn(row[i])) members.push(`${JSON.stringify(name)}:${json}`);
    }
    const run = this.#runIn(row);
    if (run !== undefined) members.push(run);
    return `{${members.join(',')}}`;
  }

  /** Returns the part of the run that a loader needs, its state and the key of its result; undefined without a run. */
  #runIn(row: Row): string | undefined {
    const cellOf = (name: string): PostgresCell | undefined => {
      const place = this.#run.find((one) => one.name === name);
      return place && row[place.index];
    };
    const [state, as] = [cellOf('state'), cellOf('result_key')];
    if (state === undefined || state === null) return undefined;
    return `"run":{"state":${JSON.stringify(state)}${typeof as === 'string' ? `,"as":${JSON.stringify(as)}` : ''}}`;
  }
}

function jsonIn(
  row: Row,
  { index, exact, origin, toJson, isNumber }: CellPlace,
  entries: ReadonlyMap<number, ReadonlyMap<string, string>>,
): string | undefined {
  const cell = row[index];
  const entry = exact === undefined ? undefined : entries.get(exact)?.get(origin);
  if (cell === null || cell === undefined) return entry === 'null' ? entry : undefined;
  const kept = entry === undefined ? undefined : exactText(entry, cell, isNumber);
  return kept === undefined ? toJson(cell) : minify(kept);
}

/** Returns the members of a JSON object in a cell; none if someone has changed the cell to another value. */
function membersIn(cell: PostgresCell | undefined): ReadonlyMap<string, string> {
  if (typeof cell !== 'string' || !cell.trimStart().startsWith('{')) return new Map();
  return new Map(membersOf(cell).map(({ key, value, end }) => [key, minify(cell.slice(value, end))]));
}

function recordMembers(cell: PostgresCell | undefined): string[] {
  return [...membersIn(cell)].map(([name, json]) => `${JSON.stringify(name)}:${json}`);
}
