import { constants, isUtf8 } from 'node:buffer';
import { NamedPipe } from './fifo-folder.ts';
import type { CapturedOutput, Hear } from './job.ts';

/** Output size after which the next command is watched from its start: half of a FIFO, in bytes. */
const MUCH = 32 * 1024;

/** Outputs of the commands of a slot, one command after the other. */
export class OutputCapture {
  readonly #fifos: readonly [stdout: NamedPipe, stderr: NamedPipe];
  readonly #over: () => void;
  readonly #maxOutput: number;
  #bytes = 0;

  /**
   * @param paths of the FIFOs
   * @param maxOutput maximum number of bytes to keep, of both outputs together
   * @param over called if there are more
   */
  constructor(paths: readonly [stdout: string, stderr: string], maxOutput: number, over: () => void) {
    this.#maxOutput = maxOutput;
    this.#over = over;
    const isKept = (length: number): boolean => this.#isKept(length);
    this.#fifos = [new NamedPipe(paths[0], isKept), new NamedPipe(paths[1], isKept)];
  }

  #isKept(length: number): boolean {
    this.#bytes += length;
    if (this.#bytes <= this.#maxOutput) return true;
    this.#over();
    return false;
  }

  /** Number of bytes that the last command wrote so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** True if the output of the last command may have filled the FIFO. */
  get wereMany(): boolean {
    return this.#bytes > MUCH;
  }

  /**
   * Prepares for a command.
   * @param hear called with its output
   * @throws a system error: `EMFILE`
   */
  open(hear?: Hear): void {
    this.#bytes = 0;
    const [stdout, stderr] = this.#fifos;
    stdout.open(hear && ((chunk) => hear(chunk, 'stdout')));
    stderr.open(hear && ((chunk) => hear(chunk, 'stderr')));
  }

  /**
   * Reads while the command runs, not only at its end. @returns false if there are no descriptors left for that
   */
  watch(): boolean {
    try {
      for (const fifo of this.#fifos) fifo.watch();
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Collects the outputs after the command. Waits until no process has them open, unless they were given up.
   */
  finish(): Promise<[stdout: Buffer, stderr: Buffer]> {
    const [stdout, stderr] = this.#fifos;
    return Promise.all([stdout.finish(), stderr.finish()]);
  }

  /** Stops waiting for processes that have the outputs open. */
  giveUp(): void {
    for (const fifo of this.#fifos) fifo.giveUp();
  }

  /** Closes the outputs. No command may follow. */
  close(): void {
    for (const fifo of this.#fifos) fifo.close();
  }
}

/** Returns bytes as a record can hold them. */
export function outputOf(bytes: Buffer): CapturedOutput {
  if (bytes.length * (4 / 3) > constants.MAX_STRING_LENGTH) return { bytes: bytes.length };
  return isUtf8(bytes) ? { text: bytes.toString() } : { base64: bytes.toString('base64') };
}
