import { isUtf8 } from 'node:buffer';
import { Fifo } from './fifo-folder.ts';
import type { CapturedOutput } from './job.ts';

/** How much a command wrote whose like is watched from its start: half of what waits in a FIFO, in bytes. */
const MUCH = 32 * 1024;

/** What the commands of a slot write, one command after the other. */
export class Outputs {
  readonly #fifos: readonly [stdout: Fifo, stderr: Fifo];
  readonly #over: () => void;
  readonly #maxOutput: number;
  #bytes = 0;

  /**
   * @param paths the FIFOs
   * @param maxOutput the most bytes that are kept, of both
   * @param over is called where there are more
   */
  constructor(paths: readonly [stdout: string, stderr: string], maxOutput: number, over: () => void) {
    this.#maxOutput = maxOutput;
    this.#over = over;
    const isKept = (length: number): boolean => this.#isKept(length);
    this.#fifos = [new Fifo(paths[0], isKept), new Fifo(paths[1], isKept)];
  }

  #isKept(length: number): boolean {
    this.#bytes += length;
    if (this.#bytes <= this.#maxOutput) return true;
    this.#over();
    return false;
  }

  /** Whether the last command wrote so much that it may have had to wait for us. */
  get wereMany(): boolean {
    return this.#bytes > MUCH;
  }

  /** A command begins. @throws an error of the system: `EMFILE` */
  open(): void {
    this.#bytes = 0;
    for (const fifo of this.#fifos) fifo.open();
  }

  /** Reads while the command runs, and not only at its end. @returns whether there are descriptors left for that */
  watch(): boolean {
    try {
      for (const fifo of this.#fifos) fifo.watch();
      return true;
    } catch {
      return false;
    }
  }

  /** The command is over. @returns what it wrote, when nobody has it open any more, or it was given up */
  finish(): Promise<[stdout: Buffer, stderr: Buffer]> {
    const [stdout, stderr] = this.#fifos;
    return Promise.all([stdout.finish(), stderr.finish()]);
  }

  /** Waits no longer for those that have the outputs open. */
  giveUp(): void {
    for (const fifo of this.#fifos) fifo.giveUp();
  }

  /** No further command begins. */
  close(): void {
    for (const fifo of this.#fifos) fifo.close();
  }
}

/** Bytes as a record can have them. */
export function outputOf(bytes: Buffer): CapturedOutput {
  return isUtf8(bytes) ? { text: bytes.toString() } : { base64: bytes.toString('base64') };
}
