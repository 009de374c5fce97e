/** Faults of a row; `ROW_FAULTS` explains them. */
export type RowFault = 'quote' | 'open' | 'long';

/** Fault of a row, with its place. */
export interface RowTrouble {
  readonly fault: RowFault;
  /** Line of the quote that caused the fault, if a quote was opened. */
  readonly quoteLine?: number | undefined;
  /** Number of lines of the row, if its text was not kept. */
  readonly lines?: number | undefined;
}

export class Row {
  /** Cells of the row; none for a blank line. Ignore them if the row has a fault. */
  readonly cells: readonly string[];
  /** Number of the line where it begins, from 1. */
  readonly line: number;
  readonly trouble: RowTrouble | undefined;
  readonly #source: string;
  readonly #start: number;
  readonly #end: number;

  constructor(
    cells: readonly string[],
    line: number,
    source: string,
    start: number,
    end: number,
    trouble?: RowTrouble,
  ) {
    this.cells = cells;
    this.line = line;
    this.trouble = trouble;
    this.#source = source;
    this.#start = start;
    this.#end = end;
  }

  get fault(): RowFault | undefined {
    return this.trouble?.fault;
  }

  /** Length of its text, in characters. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Its text with its line end, which the last row of a file may lack. Empty if the row was too long. */
  get text(): string {
    return this.#source.slice(this.#start, this.#end);
  }

  /** Number of lines that it takes. */
  get lines(): number {
    const { text, trouble } = this;
    return trouble?.lines ?? newlinesIn(text) + (text.endsWith('\n') ? 0 : 1);
  }
}

/** Counts the newlines of a text. */
export function newlinesIn(text: string): number {
  let newlines = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) newlines++;
  return newlines;
}

/** Messages for the faults of rows. */
export const ROW_FAULTS: Readonly<Record<RowFault, string>> = {
  quote: 'text follows a closing quote (a quote inside a quoted cell must be doubled)',
  open: 'a quote is opened in this row and never closed',
  long: 'the row is longer than --max-line; is a quote not closed?',
};
