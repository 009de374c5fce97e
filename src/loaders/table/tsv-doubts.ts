import { quoted } from '../../core/base/terminal-text.ts';
import type { Row } from '../../core/text/csv.ts';
import type { ReadOptions } from '../contract.ts';

/** Cell in quotes with a doubled quote, as written by programs that enclose cells. */
const DOUBLED = /^"[^"]*(?:""[^"]*)+"$/;
/** Backslash that is not an escape of TSV, or that belongs to a Windows path. */
const BACKSLASH = /(?<!\\)(?:\\\\)*\\(?![\\tnrN])|^[a-z]:\\[tnr]/i;

/** Warnings about signs that a TSV has quotes or has no escapes, one for each. */
export class TsvDoubts {
  readonly #options: ReadOptions;
  #saidQuotes = false;
  #saidEscapes = false;

  constructor(options: ReadOptions) {
    this.#options = options;
  }

  look(row: Row): void {
    const { text } = row;
    if (!this.#saidQuotes && text.includes('"')) this.#lookForQuotes(row);
    if (!this.#saidEscapes && text.includes('\\')) this.#lookForBackslashes(row);
  }

  #lookForQuotes({ cells, line }: Row): void {
    const filled = cells.filter((cell) => cell !== '');
    const isQuoted = filled.length > 1 && filled.every((cell) => /^"(?:[^"]|"")*"$/.test(cell));
    const cell = isQuoted ? filled[0] : cells.find((one) => DOUBLED.test(one));
    if (cell === undefined) return;
    this.#saidQuotes = true;
    this.#note(
      line,
      `${short(cell)} keeps its quotes, which are ordinary characters in TSV; if they enclose cells here, add --quote '"'`,
    );
  }

  #lookForBackslashes({ text, line }: Row): void {
    const cell = text.split(/[\t\r\n]/).find((one) => BACKSLASH.test(one));
    if (cell === undefined) return;
    this.#saidEscapes = true;
    this.#note(
      line,
      `\\t, \\n, \\r and \\\\ are escapes in TSV; if backslashes are ordinary characters here, as in ${short(cell)}, add --escape none`,
    );
  }

  #note(line: number, words: string): void {
    this.#options.info(`${this.#options.source}:${line}: ${words}`);
  }
}

function short(cell: string): string {
  return quoted(cell.length > 40 ? `${cell.slice(0, 40)}…` : cell);
}
