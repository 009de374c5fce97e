import { closeSync, constants, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { systemCode } from '../../../core/base/errors.ts';
import { paceReading } from '../../program/paced-reading.ts';

/** Shared buffer for reads at the end of commands, as large as a FIFO. */
const buffer = Buffer.allocUnsafe(64 * 1024);

/** Maximum number of reads in a row at the end of a command. */
const MOST_READS = 16;

/**
 * FIFO that the commands write to, one after the other. A command counts as ended only when no process has the FIFO
 * open for writing, its children included. So output of an earlier command never mixes with that of the next, and the
 * end of the output is certain.
 *
 * The output of short commands waits in the FIFO and is read at their end, because watching the FIFO costs
 * more.
 */
export class NamedPipe {
  readonly #path: string;
  readonly #isKept: (length: number) => boolean;
  #chunks: Buffer[] = [];
  /** Descriptor for reading. It stays open for the next command while there is no writer. */
  #fd: number | undefined;
  /** Watches the FIFO instead of `#fd`. */
  #socket: Socket | undefined;
  #closed: Promise<unknown> | undefined;
  /** Descriptor for writing: a watched FIFO without any writer would look ended. */
  #held: number | undefined;
  #isGivenUp = false;
  #hear: ((chunk: Buffer) => void) | undefined;

  /** @param isKept gets the length of each piece; a piece is dropped if it returns false */
  constructor(path: string, isKept: (length: number) => boolean) {
    this.#path = path;
    this.#isKept = isKept;
  }

  /**
   * Prepares for a command.
   * @param hear called with each piece
   * @throws a system error: `EMFILE`
   */
  open(hear?: (chunk: Buffer) => void): void {
    this.#hear = hear;
    this.#chunks = [];
    this.#fd ??= openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
  }

  /** Starts to read while the command runs. @throws a system error: `EMFILE` */
  watch(): void {
    if (this.#fd === undefined) return;
    this.#held = openSync(this.#path, constants.O_WRONLY | constants.O_NONBLOCK);
    this.#attach(this.#fd);
  }

  #attach(fd: number): void {
    const socket = new Socket({ fd, readable: true, writable: false });
    socket.on('data', (chunk) => this.#keep(chunk));
    if (this.#hear !== undefined) paceReading(socket); // showing the lines takes longer than keeping them
    this.#closed = new Promise((resolve) => socket.on('close', resolve));
    this.#socket = socket;
    this.#fd = undefined;
  }

  #keep(chunk: Buffer): void {
    this.#hear?.(chunk);
    if (this.#isKept(chunk.length)) this.#chunks.push(chunk);
  }

  /**
   * Collects the output after the command. Waits until no process has the FIFO open, unless it was given up.
   * @returns all that was written
   */
  async finish(): Promise<Buffer> {
    if (this.#held !== undefined) closeSync(this.#held);
    this.#held = undefined;
    if (this.#fd !== undefined && !this.#readAll(this.#fd)) this.#attach(this.#fd);
    if (this.#socket !== undefined) {
      if (this.#isGivenUp) this.#socket.destroy();
      await this.#closed;
      this.#socket = undefined;
    }
    return Buffer.concat(this.#chunks);
  }

  /**
   * Reads what waits in the FIFO. A process that the command left behind may fill it all the time, so the number of
   * reads has a limit.
   * @returns whether there is no writer left
   */
  #readAll(fd: number): boolean {
    try {
      for (let reads = 0; reads < MOST_READS; reads++) {
        const length = readSync(fd, buffer);
        if (length === 0) return true;
        this.#keep(Buffer.from(buffer.subarray(0, length)));
      }
      return false;
    } catch (error) {
      if (systemCode(error) === 'EAGAIN') return false;
      throw error;
    }
  }

  /** Stops waiting for processes that have the FIFO open. No command may follow. */
  giveUp(): void {
    this.#isGivenUp = true;
    this.#socket?.destroy();
  }

  /** Closes the FIFO. No command may follow. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
