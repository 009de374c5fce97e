/** What can be wrong with a row. */
export type RowFault = 'quote' | 'open' | 'long';

/** One row. */
export class Row {
  /** Its cells; none for a blank line. Where the row has a fault, they mean nothing. */
  readonly cells: readonly string[];
  /** The number of the line where it begins, from 1. */
  readonly line: number;
  readonly fault: RowFault | undefined;
  readonly #source: string;
  readonly #start: number;
  readonly #end: number;

  constructor(
    cells: readonly string[],
    line: number,
    source: string,
    start: number,
    end: number,
    fault?: RowFault,
  ) {
    this.cells = cells;
    this.line = line;
    this.fault = fault;
    this.#source = source;
    this.#start = start;
    this.#end = end;
  }

  /** The length of its text. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Its own text with its line end, which the last row of a file may lack. Empty where the row was over the cap. */
  get text(): string {
    return this.#source.slice(this.#start, this.#end);
  }
}

/** The faults of rows, in words. */
export const ROW_FAULTS: Readonly<Record<RowFault, string>> = {
  quote: 'text follows a closing quote (a quote inside a quoted cell must be doubled)',
  open: 'a quote is opened in this row and never closed',
  long: 'the row is longer than --max-line; is a quote not closed?',
};
