import { closeSync, constants, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { systemCode } from '../../../core/base/errors.ts';

/** Where all that is read at the end of commands is read to: as much as waits in a FIFO. */
const buffer = Buffer.allocUnsafe(64 * 1024);

/**
 * A FIFO that commands write to, one command after the other. A command has not ended while anybody has it open to
 * write: its children, too. So none finds what another left, and where it ends can be seen.
 *
 * What short commands write waits in the FIFO, and is read at once when they are over: to watch it costs more.
 */
export class Fifo {
  readonly #path: string;
  readonly #isKept: (length: number) => boolean;
  #chunks: Buffer[] = [];
  /** To read. It stays open for the next command, where no writer is left. */
  #fd: number | undefined;
  /** Who watches it, in place of `#fd`. */
  #socket: Socket | undefined;
  #closed: Promise<unknown> | undefined;
  /** To write: a FIFO that no writer has opened yet looks as one at its end to who watches it. */
  #held: number | undefined;
  #isGivenUp = false;

  /** @param isKept is told the length of each piece that was read */
  constructor(path: string, isKept: (length: number) => boolean) {
    this.#path = path;
    this.#isKept = isKept;
  }

  /** A command begins. @throws an error of the system: `EMFILE` */
  open(): void {
    this.#chunks = [];
    this.#fd ??= openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
  }

  /** Reads from now on, if it does not yet. @throws an error of the system: `EMFILE` */
  watch(): void {
    if (this.#fd === undefined) return;
    this.#held = openSync(this.#path, constants.O_WRONLY | constants.O_NONBLOCK);
    this.#attach(this.#fd);
  }

  #attach(fd: number): void {
    const socket = new Socket({ fd, readable: true, writable: false });
    socket.on('data', (chunk) => this.#keep(chunk));
    this.#closed = new Promise((resolve) => socket.on('close', resolve));
    this.#socket = socket;
    this.#fd = undefined;
  }

  #keep(chunk: Buffer): void {
    if (this.#isKept(chunk.length)) this.#chunks.push(chunk);
  }

  /** The command is over. @returns all that was written, when nobody has it open any more, or it was given up */
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

  /** @returns whether there is no writer */
  #readAll(fd: number): boolean {
    try {
      for (;;) {
        const length = readSync(fd, buffer);
        if (length === 0) return true;
        this.#keep(Buffer.from(buffer.subarray(0, length)));
      }
    } catch (error) {
      if (systemCode(error) === 'EAGAIN') return false;
      throw error;
    }
  }

  /** Waits no longer for those that have it open. No further command begins. */
  giveUp(): void {
    this.#isGivenUp = true;
    this.#socket?.destroy();
  }

  /** No further command begins. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
