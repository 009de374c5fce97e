import { ROW_FAULTS, type Row } from '../core/csv.ts';
import { TaskpipeError } from '../core/errors.ts';
import type { ReadOptions } from './loader.ts';

/** What all rows of a file share. */
export interface Columns {
  readonly names: readonly string[];
  readonly indexes: ReadonlyMap<string, number>;
  /** Where the `uuid` is. */
  readonly uuid: number | undefined;
  /** The columns of a task, in order: where each is, and the JSON text between its value and the one before. */
  readonly kept: readonly { index: number; before: string; bytes: Buffer }[];
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
    if (!given.includes(old))
      fail(`no column ${JSON.stringify(old)} (--rename); there are ${given.join(', ')}`);
  }
  const names = given.map((name) => options.rename.get(name) ?? name);
  const indexes = new Map<string, number>();
  names.forEach((name, i) => {
    if (name.trim() === '') fail(`column ${i + 1} has an empty name; name the columns with --columns`);
    if (indexes.has(name))
      fail(`two columns are named ${JSON.stringify(name)}; name the columns with --columns`);
    if (name === 'run' || name === 'result') {
      fail(
        `a column is named ${JSON.stringify(name)}, which is a task's own; give it another name with --rename ${name}=old_${name}`,
      );
    }
    indexes.set(name, i);
  });
  for (const [name, option] of options.needed) {
    if (!indexes.has(name))
      fail(`no column ${JSON.stringify(name)} (${option}); there are ${names.join(', ')}`);
  }
  const kept = (options.select ?? names)
    .filter((name) => name !== 'uuid')
    .map((name) => {
      const before = `",${JSON.stringify(name)}:"`;
      return { index: indexes.get(name) as number, before, bytes: Buffer.from(before) };
    });
  return { names, indexes, uuid: indexes.get('uuid'), kept };
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
