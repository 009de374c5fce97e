import type { Readable } from 'node:stream';
import split2 from 'split2';
import { paceReading } from '../program/paced-reading.ts';

/** Maximum number of lines per second to show, for all workers together. */
const LINES = 100;

/** Longest line, in characters; the rest of it is cut off. */
const LONG = 1000;

/** Log of the stderr of workers, limited to an amount that a person can read. */
export class StderrLog {
  readonly #tell: (line: string) => void;
  #shown = 0;
  #left = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(print: (line: string) => void) {
    this.#tell = print;
  }

  /** @param from number of the worker, from 1 */
  say(from: number, words: string): void {
    this.#timer ??= setTimeout(() => this.#nextSecond(), 1000).unref();
    if (this.#shown++ >= LINES) this.#left++;
    else this.#tell(`worker ${from}: ${shortened(words)}`);
  }

  /** Reports the lines that were left out. */
  end(): void {
    clearTimeout(this.#timer);
    this.#nextSecond();
  }

  #nextSecond(): void {
    if (this.#left > 0) this.#tell(`workers: ${this.#left} more lines were left out`);
    this.#shown = 0;
    this.#left = 0;
    this.#timer = undefined;
  }
}

export function shortened(words: string): string {
  return words.length > LONG ? `${words.slice(0, LONG)}…` : words;
}

/** Reads the stderr of a worker line by line; lines of over a megabyte are dropped. */
export function readSpeech(stderr: Readable, hear: (line: string) => void): void {
  const bounds: object = { maxLength: 1024 * 1024, skipOverflow: true }; // its types lack the second option
  const lines = split2(bounds);
  stderr.on('error', () => lines.end());
  lines.on('data', (line: string) => line !== '' && hear(line));
  stderr.pipe(lines);
  paceReading(stderr);
}
