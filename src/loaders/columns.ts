import type { Dialect, Row } from '../core/csv.ts';
import { TaskpipeError } from '../core/errors.ts';
import { encodingHint } from '../core/text.ts';
import { checkHeader, hasLoneReturn } from './header.ts';
import type { ReadOptions } from './loader.ts';
import { troubleOf } from './row-faults.ts';

/** What all rows of a file share. */
export interface Columns {
  readonly names: readonly string[];
  readonly indexes: ReadonlyMap<string, number>;
  /** Where the `uuid` is. */
  readonly uuid: number | undefined;
  /** The columns of a task, in order: where each is, and the JSON text between its value and the one before. */
  readonly kept: readonly { index: number; before: string; bytes: Buffer }[];
}

/** @throws {TaskpipeError} `DATA` if the header cannot be used */
export function columnsFor(first: Row, dialect: Dialect, options: ReadOptions): Columns {
  const fail = (words: string): never => {
    throw new TaskpipeError('DATA', `${options.source}:${first.line}: ${words}`);
  };
  if (options.header && hasLoneReturn(first, dialect))
    fail("lines end in a lone CR; turn them into newlines with: tr '\\r' '\\n'");
  if (first.fault !== undefined) fail(`the header is unusable: ${troubleOf(first, { hasQuotes: false })}`);
  if (!first.text.isWellFormed()) fail(`the header is not valid UTF-8${encodingHint(first.text)}`);
  if (options.header) checkHeader(first, dialect, options);
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
  const remedy = `name the columns with --columns${options.header && options.columns === undefined ? ', or add --no-header if the first row is data' : ''}`;
  names.forEach((name, i) => {
    if (name.trim() === '') fail(`column ${i + 1} has an empty name; ${remedy}`);
    if (indexes.has(name)) {
      const before = (indexes.get(name) as number) + 1;
      fail(`columns ${before} and ${i + 1} are both named ${JSON.stringify(name)}; ${remedy}`);
    }
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
