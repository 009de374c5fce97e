import { StringDecoder } from 'node:string_decoder';
import type { Hear } from './shell-pool/job.ts';

/** Longest line that is shown, in characters. */
const LONGEST = 4096;

/** Output of one command, shown line by line while it runs. */
export interface LiveOutput {
  readonly hear: Hear;
  /** Shows lines that did not end. */
  end(): void;
}

/**
 * @param tag text before each line, for the task
 * @param print writes a line to stderr
 */
export function liveOutput(tag: string, print: (line: string) => void): LiveOutput {
  const streams = { stdout: new Lines(tag, print), stderr: new Lines(tag, print) };
  return {
    hear: (chunk, name) => streams[name].add(chunk),
    end() {
      for (const lines of Object.values(streams)) lines.end();
    },
  };
}

class Lines {
  readonly #tag: string;
  readonly #print: (line: string) => void;
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  constructor(tag: string, print: (line: string) => void) {
    this.#tag = tag;
    this.#print = print;
  }

  add(chunk: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n');
    this.#rest = lines.pop() as string;
    if (this.#rest.length > LONGEST) lines.push(this.#rest);
    for (const line of lines) this.#show(line);
    if (this.#rest.length > LONGEST) this.#rest = '';
  }

  end(): void {
    const rest = this.#rest + this.#decoder.end();
    if (rest !== '') this.#show(rest);
  }

  /** Shows a line. If a progress bar rewrites the line, shows only its last state. */
  #show(line: string): void {
    const last = line.replace(/\r$/, '').split('\r').at(-1) as string;
    this.#print(`${this.#tag}: ${last.length > LONGEST ? `${last.slice(0, LONGEST)}…` : last}`);
  }
}
