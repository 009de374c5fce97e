import { quote } from 'shlex';
import { TaskpipeError } from '../../core/base/errors.ts';
import { quotedName } from '../../core/options/name-list.ts';
import { byCodePoint } from '../../core/record/canonical-json.ts';
import { hashText } from '../../core/record/checksum.ts';
import type { Dialect, Row } from '../../core/text/csv.ts';
import type { ReadOptions } from '../contract.ts';
import { checkHeader, hasLoneReturn } from './header-checks.ts';
import { troubleOf } from './row-faults.ts';
import type { Column, Columns } from './table-columns.ts';

/**
 * Returns the columns of a table by its first row.
 * @throws {TaskpipeError} `DATA` if the header cannot be used
 */
export function columnsFor(first: Row, dialect: Dialect, options: ReadOptions): Columns {
  const fail = (words: string): never => {
    throw new TaskpipeError('DATA', `${options.source}:${first.line}: ${words}`);
  };
  if (options.header && hasLoneReturn(first, dialect))
    fail(`lines end in a lone CR; turn them into newlines with: ${withNewlines(options.source, dialect)}`);
  if (first.fault !== undefined)
    fail(`the header is unusable: ${troubleOf(first, { hasQuotes: false, dialect })}`);
  if (!first.text.isWellFormed())
    fail(`the header is not valid UTF-8${options.encodingHints.hint(first.text)}`);
  if (options.header) checkHeader(first, dialect, options);
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
  const remedy = `name the columns with --columns${options.header && options.columns === undefined ? ', or add --no-header if the first row is data' : ''}`;
  names.forEach((name, i) => {
    if (name.trim() === '') fail(`column ${i + 1} has an empty name; ${remedy}`);
    if (indexes.has(name)) {
      const before = (indexes.get(name) as number) + 1;
      fail(`columns ${before} and ${i + 1} are both named ${JSON.stringify(name)}; ${remedy}`);
    }
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
    header: options.header ? first.cells : undefined,
    indexes,
    uuid: indexes.get('uuid'),
    kept: kept.map((name) => columnOf(name, '",')),
    compared: kept.filter((name) => !options.uuidFields.includes(name)).map((name) => columnOf(name, '",')),
    sorted: attributes.sort(byCodePoint).map((name, i) => columnOf(name, i === 0 ? '{' : '",')),
  };
}

/** Returns the command that loads a file with newlines in place of lone CRs. */
function withNewlines(source: string, { isLineBased }: Dialect): string {
  const from = source === 'stdin' ? '' : ` < ${quote(source)}`;
  return `tr '\\r' '\\n'${from} | task-load --format ${isLineBased ? 'tsv' : 'csv'}`;
}

/** Returns a list of the columns for a message. Points out a name that differs only by spaces around it. */
function theColumns(names: readonly string[], wanted: string): string {
  const padded = names.find((name) => name !== wanted && name.trim() === wanted.trim());
  const meant =
    padded === undefined ? '' : `; did you mean ${JSON.stringify(padded)}? Spaces are part of a name`;
  return `there are ${names.map(quotedName).join(', ')}${meant}`;
}
