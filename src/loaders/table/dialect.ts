import { TaskpipeError } from '../../core/base/errors.ts';
import type { Dialect } from '../../core/text/csv.ts';

/** Options that change the dialect of a table. */
export interface DialectOptions {
  readonly delimiter?: string | undefined;
  /** A character, or `none`. */
  readonly quote?: string | undefined;
  readonly escape?: string | undefined;
}

/**
 * Returns the dialect of a format with what the options change of it. A quote takes the escapes of TSV away, which
 * such files do not have.
 * @throws {TaskpipeError} `USAGE` for characters that exclude each other
 */
export function dialectWith(format: Dialect, options: DialectOptions): Dialect {
  const delimiter = options.delimiter ?? format.delimiter;
  const quote = characterOf(options.quote) ?? format.quote;
  const isOwn = options.escape === undefined && quote === format.quote;
  const given = characterOf(options.escape) ?? (isOwn ? format.escape : '');
  const mark = given === quote ? '' : given; // a quote before a quote: a doubled one
  const marks = [delimiter, quote, mark].filter((one) => one !== '');
  if (new Set(marks).size < marks.length) {
    throw new TaskpipeError(
      'USAGE',
      `--delimiter, --quote and --escape must be different characters; got ${marks.map((one) => JSON.stringify(one)).join(', ')}`,
    );
  }
  return { delimiter, quote, escape: mark, isLineBased: isOwn && format.isLineBased };
}

function characterOf(given: string | undefined): string | undefined {
  return given === 'none' ? '' : given;
}
