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
 * Returns the dialect of a format, changed by the options. Another quote turns off the escapes of TSV, as
 * files with quotes do not have them.
 * @throws {TaskpipeError} `USAGE` if delimiter, quote and escape are not different
 */
export function dialectWith(format: Dialect, options: DialectOptions): Dialect {
  const delimiter = options.delimiter ?? format.delimiter;
  const quote = characterOf(options.quote) ?? format.quote;
  const isOwn = options.escape === undefined && quote === format.quote;
  const given = characterOf(options.escape) ?? (isOwn ? format.escape : '');
  const mark = given === quote ? '' : given; // a quote as the escape means doubled quotes
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
