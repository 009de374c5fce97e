import { TaskpipeError } from '../../core/base/errors.ts';
import { CSV, type Dialect } from '../../core/text/csv.ts';
import type { ReadOptions } from '../contract.ts';
import { dialectWith } from './dialect.ts';

/** First line that tells Excel the delimiter: `sep=;`, also in quotes, and with `\t` or a literal tab. */
const SEPARATOR = /^"?sep=(?:(\\t|[^"\r\n])"?|[^\r\n]*)\r?$/i;
/** Line whose first cell is in quotes. */
const QUOTED = /^"(?:[^"]|"")+"(?:\t|\r?$)/;
/** Maximum number of characters to read while waiting for the first row. */
const LARGE = 64 * 1024;

/** Start of the rows of a table, and their dialect. */
export interface TableHead {
  readonly dialect: Dialect;
  /** Number of lines before the text. */
  readonly lines: number;
  /** Text so far, from the first row on. */
  readonly text: string;
}

/** Reader of the lines before the first row of a table: lines to skip, and a line `sep=;`. */
export class TableStart {
  readonly #format: Dialect;
  readonly #options: ReadOptions;
  #skip: number;
  #lines = 0;
  #separator: string | undefined;
  /** True after the line that may be `sep=;`. */
  #isPast = false;
  #text = '';

  constructor(format: Dialect, options: ReadOptions) {
    this.#format = format;
    this.#options = options;
    this.#skip = options.skip;
    dialectWith(format, options); // checks the options
  }

  /** Adds text. @returns undefined until the first row has arrived */
  push(text: string): TableHead | undefined {
    this.#text += text;
    for (let newline = this.#newline(); newline >= 0; newline = this.#newline()) {
      if (this.#skip > 0) this.#skip--;
      else if (this.#isPast || !this.#readSeparator(this.#text.slice(0, newline))) break;
      this.#pass(newline);
    }
    if (this.#skip > 0) this.#text = ''; // part of a line that is skipped
    const isThere = this.#firstRow() !== undefined || this.#text.length > LARGE;
    return isThere ? this.#table() : undefined;
  }

  /** Returns the table at the end of the input. */
  end(): TableHead {
    if (!this.#isPast && this.#readSeparator(this.#text)) this.#pass(this.#text.length);
    return this.#table();
  }

  #newline(): number {
    return this.#text.indexOf('\n');
  }

  #pass(newline: number): void {
    this.#text = this.#text.slice(newline + 1);
    this.#lines++;
  }

  #readSeparator(line: string): boolean {
    this.#isPast = true;
    const match = SEPARATOR.exec(line);
    if (match !== null) this.#separator = match[1] === '\\t' ? '\t' : (match[1] ?? '');
    return match !== null;
  }

  /** Returns the first whole line that is neither blank nor a comment. */
  #firstRow(): string | undefined {
    const { comment } = this.#options;
    const lines = this.#text.split('\n', 1000).slice(0, -1);
    return lines.find((line) => line.trim() !== '' && (comment === undefined || !line.startsWith(comment)));
  }

  #table(): TableHead {
    return { dialect: this.#dialect(), lines: this.#lines, text: this.#text };
  }

  #dialect(): Dialect {
    const { source, delimiter, quote, escape: mark, info } = this.#options;
    if (this.#separator !== undefined) return this.#dialectBy(this.#separator);
    const dialect = dialectWith(this.#format, this.#options);
    const isOpen = quote === undefined && mark === undefined && dialect.isLineBased;
    if (!isOpen || !QUOTED.test(this.#firstRow() ?? this.#text)) return dialect;
    info(
      `${source}: the first cell is in quotes, so quotes enclose cells here; if they are ordinary characters, add --quote none`,
    );
    return dialectWith({ ...CSV, delimiter: this.#format.delimiter }, { delimiter });
  }

  /** Returns the dialect by a line `sep=;`. Such a file comes from a spreadsheet, so it has quotes. */
  #dialectBy(separator: string): Dialect {
    const { source, delimiter, info } = this.#options;
    const place = `${source}:${this.#lines}: the line "sep="`;
    if (separator === '' || separator === '"')
      throw new TaskpipeError(
        'DATA',
        `${place} must name a delimiter of one character; remove the line, and name it with --delimiter`,
      );
    if (delimiter !== undefined && delimiter !== separator)
      info(
        `${place} names the delimiter ${JSON.stringify(separator)}, but --delimiter ${JSON.stringify(delimiter)} is used`,
      );
    return dialectWith({ ...CSV, delimiter: separator }, this.#options);
  }
}
