import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ioError } from './errors.ts';
import { randomUuid } from './uuid.ts';

/** A file without a name, for what need not be in memory: it goes away with the process, however that ends. */
export interface Spill {
  /** Writes all of the bytes. Returns false where that fails, as on a full disk. */
  write(bytes: Uint8Array, place: number): boolean;
  /** Reads what was written into so many of the bytes. @throws {TaskpipeError} `IO` */
  read(bytes: Uint8Array, from: number, count: number, place: number): void;
}

/** Descriptors whose spill nobody has any more. */
const forgotten = new FinalizationRegistry<number>((fd) => closeSync(fd));

/** Opens one in the folder for temporary files; undefined where that is not to be had. */
export function openSpill(): Spill | undefined {
  const path = join(tmpdir(), `taskpipe-${randomUuid(4)}`);
  try {
    const fd = openSync(path, 'wx+', 0o600);
    const spill = new OpenSpill(fd);
    forgotten.register(spill, fd);
    unlinkSync(path);
    return spill;
  } catch {
    return undefined;
  }
}

class OpenSpill implements Spill {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(bytes: Uint8Array, place: number): boolean {
    try {
      for (let at = 0; at < bytes.length; )
        at += writeSync(this.#fd, bytes, at, bytes.length - at, place + at);
      return true;
    } catch {
      return false;
    }
  }

  read(bytes: Uint8Array, from: number, count: number, place: number): void {
    try {
      for (let done = 0; done < count; ) {
        const some = readSync(this.#fd, bytes, from + done, count - done, place + done);
        if (some === 0) throw new Error('it is shorter than what was written to it');
        done += some;
      }
    } catch (error) {
      throw ioError('cannot read', 'a temporary file', error);
    }
  }
}
