import { Row } from './csv-row.ts';

const NEWLINE = 10;

/** Codes of the characters that structure a row; -1 for one that the dialect does not have. */
export interface CsvCodes {
  readonly delimiter: number;
  readonly quote: number;
  readonly escape: number;
}

/** Row whose end has not arrived. Its text is scanned once, piece by piece, for the end. */
export class OpenRow {
  /** Number of the line where it begins. */
  readonly line: number;
  readonly isComment: boolean;
  /** Line of the last quote that was opened. */
  quoteLine: number | undefined;
  readonly #codes: CsvCodes;
  /** Position in a cell: at its start, inside an unquoted one, between quotes, or after the closing quote. */
  #place: 'start' | 'inside' | 'quoted' | 'closed' = 'start';
  #isEscaped = false;
  /** Newlines in the row so far. */
  #newlines = 0;

  constructor(line: number, codes: CsvCodes, isComment = false) {
    this.line = line;
    this.isComment = isComment;
    this.#codes = codes;
  }

  /**
   * Finds the end of the row, just past its newline, by the same rules as the parser of whole rows; -1 if it
   * is not in the text.
   */
  endIn(text: string): number {
    if (this.isComment) return text.indexOf('\n') + 1 || -1;
    const { delimiter, quote, escape: mark } = this.#codes;
    let place = this.#place;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (this.#isEscaped) {
        this.#isEscaped = false;
        if (code === NEWLINE) this.#newlines++;
        if (place !== 'quoted') place = 'inside';
      } else if (code === mark) this.#isEscaped = true;
      else if (place === 'quoted') {
        if (code === quote) place = 'closed';
        else if (code === NEWLINE) this.#newlines++;
      } else if (code === quote) {
        if (place === 'start') this.quoteLine = this.line + this.#newlines;
        if (place !== 'inside') place = 'quoted'; // after `closed`: a doubled quote
      } else if (code === NEWLINE) {
        return i + 1;
      } else place = code === delimiter ? 'start' : 'inside';
    }
    this.#place = place;
    return -1;
  }

  /** Returns the fault that stands for the row if it is too long. @param lines number of its lines */
  tooLong(lines: number): Row {
    return new Row([], this.line, '', 0, 0, { fault: 'long', lines, quoteLine: this.quoteLine });
  }
}
