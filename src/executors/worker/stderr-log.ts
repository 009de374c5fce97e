import type { Readable } from 'node:stream';
import split2 from 'split2';

/** How many lines a second of all workers are shown. */
const LINES = 100;

/** The longest line, in characters; the rest of it is left out. */
const LONG = 1000;

/** Shows people what workers say, and no more than they can read. */
export class Speech {
  readonly #tell: (line: string) => void;
  #shown = 0;
  #left = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  /** @param from which worker, from 1 */
  say(from: number, words: string): void {
    this.#timer ??= setTimeout(() => this.#nextSecond(), 1000).unref();
    if (this.#shown++ >= LINES) this.#left++;
    else this.#tell(`worker ${from}: ${shortened(words)}`);
  }

  /** Says what is still to be said. */
  end(): void {
    clearTimeout(this.#timer);
    this.#nextSecond();
  }

  #nextSecond(): void {
    if (this.#left > 0) this.#tell(`workers: ${this.#left} more lines, left out`);
    this.#shown = 0;
    this.#left = 0;
    this.#timer = undefined;
  }
}

export function shortened(words: string): string {
  return words.length > LONG ? `${words.slice(0, LONG)}…` : words;
}

/** Reads a worker's standard error, line by line; one of over a megabyte is left out. */
export function readSpeech(stderr: Readable, hear: (line: string) => void): void {
  const bounds: object = { maxLength: 1024 * 1024, skipOverflow: true }; // its types do not know the second
  const lines = split2(bounds);
  stderr.on('error', () => lines.end());
  lines.on('data', (line: string) => line !== '' && hear(line));
  stderr.pipe(lines);
}
