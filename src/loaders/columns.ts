import { byCodePoint } from '../core/canonical.ts';
import { hashText } from '../core/checksum.ts';
import { ROW_FAULTS, type Row } from '../core/csv.ts';
import { TaskpipeError } from '../core/errors.ts';
import { quotedName } from '../core/name-list.ts';
import type { ReadOptions } from './loader.ts';

/** One column of a task, and the JSON text between its value and the one before. */
interface Column {
  readonly index: number;
  readonly before: string;
  readonly bytes: Buffer;
  /** Hash of its name. */
  readonly hash: number;
}

/** What all rows of a file share. */
export interface Columns {
  readonly names: readonly string[];
  readonly indexes: ReadonlyMap<string, number>;
  /** Where the `uuid` is. */
  readonly uuid: number | undefined;
  /** The columns of a task, in order. */
  readonly kept: readonly Column[];
  /** Those of them that a checksum is made of: two rows with the same uuid have the others in common. */
  readonly compared: readonly Column[];
  /** All columns but the `uuid`, in the order of the canonical text, which a uuid is made of by default. */
  readonly sorted: readonly Column[];
}

/** @throws {TaskpipeError} `DATA`, where the header can't be that of tasks */
export function columnsFor(first: Row, options: ReadOptions): Columns {
  const fail = (words: string): never => {
    throw new TaskpipeError('DATA', `${options.source}:${first.line}: ${words}`);
  };
  if (first.fault !== undefined) fail(`the header is unusable: ${ROW_FAULTS[first.fault]}`);
  if (!first.text.isWellFormed()) fail('the header is not valid UTF-8; name the encoding with --encoding');
  if (options.header) checkHeader(first, options, fail);
  const given =
    options.columns ?? (options.header ? first.cells : first.cells.map((_, i) => `column${i + 1}`));
  if (given.length !== first.cells.length) {
    fail(`--columns must name every column: it names ${given.length}, and the row has ${first.cells.length}`);
  }
  for (const old of options.rename.keys()) {
    if (!given.includes(old)) fail(`no column ${JSON.stringify(old)} (--rename); ${theColumns(given, old)}`);
  }
  const names = given.map((name) => options.rename.get(name) ?? name);
  const indexes = new Map<string, number>();
  names.forEach((name, i) => {
    if (name.trim() === '') fail(`column ${i + 1} has an empty name; name the columns with --columns`);
    if (indexes.has(name))
      fail(`two columns are named ${JSON.stringify(name)}; name the columns with --columns`);
    if (name === 'run' || name === 'result') {
      fail(
        `the column ${JSON.stringify(name)} is reserved for taskpipe; rename it with --rename ${name}=old_${name}`,
      );
    }
    indexes.set(name, i);
  });
  for (const [name, option] of options.needed) {
    if (!indexes.has(name)) fail(`no column ${JSON.stringify(name)} (${option}); ${theColumns(names, name)}`);
  }
  const columnOf = (name: string, open: string): Column => {
    const before = `${open}${JSON.stringify(name)}:"`;
    return { index: indexes.get(name) as number, before, bytes: Buffer.from(before), hash: hashText(name) };
  };
  const kept = (options.select ?? names).filter((name) => name !== 'uuid');
  const attributes = names.filter((name) => name !== 'uuid');
  return {
    names,
    indexes,
    uuid: indexes.get('uuid'),
    kept: kept.map((name) => columnOf(name, '",')),
    compared: kept.filter((name) => !options.uuidFields.includes(name)).map((name) => columnOf(name, '",')),
    sorted: attributes.sort(byCodePoint).map((name, i) => columnOf(name, i === 0 ? '{' : '",')),
  };
}

/** Returns the columns that there are, for a message. A name is taken as it is typed, so spaces around it count. */
function theColumns(names: readonly string[], wanted: string): string {
  const padded = names.find((name) => name !== wanted && name.trim() === wanted.trim());
  const meant =
    padded === undefined ? '' : `; did you mean ${JSON.stringify(padded)}? Spaces are part of a name`;
  return `there are ${names.map(quotedName).join(', ')}${meant}`;
}

function checkHeader(first: Row, options: ReadOptions, fail: (words: string) => never): void {
  if (/\r./s.test(first.cells.join('\n')))
    fail("lines end in a lone CR; turn them into newlines with: tr '\\r' '\\n'");
  const [only, ...others] = first.cells;
  if (others.length > 0 || options.delimiter !== undefined) return;
  const better = [';', '\t', '|'].find((other) => only?.includes(other));
  if (better !== undefined) {
    options.note(
      `${options.source}: one column, named ${JSON.stringify(only)}; is the delimiter ${JSON.stringify(better)}? (--delimiter)`,
    );
  }
}
