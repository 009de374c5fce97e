import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ioError } from '../base/errors.ts';
import { randomUuid } from './uuid.ts';

/** An unlinked file for data that need not be in memory. It disappears with the process, however that ends. */
export interface TempFile {
  /** Writes all of the bytes. Returns false if that fails, for example on a full disk. */
  write(bytes: Uint8Array, place: number): boolean;
  /** Reads `count` bytes into `bytes`. @throws {TaskpipeError} `IO` */
  read(bytes: Uint8Array, from: number, count: number, place: number): void;
}

/** Registry that closes the descriptors of garbage-collected files. */
const forgotten = new FinalizationRegistry<number>((fd) => closeSync(fd));

/** Opens a temporary file; returns undefined if the folder for temporary files cannot be used. */
export function openTempFile(): TempFile | undefined {
  const path = join(tmpdir(), `taskpipe-${randomUuid(4)}`);
  try {
    const fd = openSync(path, 'wx+', 0o600);
    const file = new OpenTempFile(fd);
    forgotten.register(file, fd);
    unlinkSync(path);
    return file;
  } catch {
    return undefined;
  }
}

class OpenTempFile implements TempFile {
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
        if (some === 0) throw new Error('it is shorter than the data written to it');
        done += some;
      }
    } catch (error) {
      throw ioError('cannot read', 'a temporary file', error);
    }
  }
}
