import {
  close,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  read,
  statSync,
} from 'node:fs';
import { promisify } from 'node:util';
import { ioError, TaskpipeError } from '../../core/base/errors.ts';
import { datasync, syncFolder, writeAll } from '../../core/storage/durable.ts';
import { openLocked } from '../../core/storage/lock.ts';
import { type LossDetails, NamedFile, sizeError } from '../../core/storage/named-file.ts';
import { openSide } from '../../core/storage/side-file.ts';

const readAt = promisify(read);
const closeFile = promisify(close);

const CHUNK = 1024 * 1024;

/** A file that is appended to by this process alone: it is locked for as long as it is open. */
export interface OutputFile {
  /** What it is called in messages. */
  readonly path: string;
  /** Whether it was not there before. */
  readonly isNew: boolean;
  /** How long it is, in bytes. */
  readonly size: number;
  /** Its permissions. */
  readonly mode: number;
  /** Identity, size and times of the file: any change by another program gives it another stamp. */
  readonly stamp: string;
  /** Its bytes from `from`, in chunks of 1 MB. A chunk is good until the next is asked for. */
  chunks(from: number): AsyncGenerator<Buffer>;
  /**
   * Writes all of the bytes to its end.
   * @throws {TaskpipeError} `IO`; what was written of them is taken back as far as that is possible
   */
  append(bytes: Buffer): Promise<void>;
  /** fdatasync. */
  sync(): Promise<void>;
  /**
   * Checks that its path still names it, and that no other program has written to it.
   * @throws {TaskpipeError} `IO`
   */
  check(details?: LossDetails): Promise<void>;
  /** Whether its path still names it, and no program has written to it since it was opened. */
  isUnchanged(): boolean;
  /** Tells it that it was renamed. */
  renamed(path: string): void;
  /** Copies what stands from `at` to a new file beside it, and cuts it off. Returns that file's path. */
  cut(at: number): Promise<string>;
  close(): Promise<void>;
}

/**
 * Opens an output, and makes it where there is none.
 * @param options.instead what it will take the place of: it is emptied, and called by this name in messages
 * @param options.given a path that leads to it by symbolic links, and must do so to the end of the run
 * @param options.mode its permissions; default: those of any new file
 * @throws {TaskpipeError} `LOCKED`, `IO`, or `USAGE` if it is not a file
 */
export function openOutput(
  path: string,
  say: (message: string) => void,
  options: { instead?: string; given?: string; mode?: number | undefined } = {},
): OutputFile {
  const busy = `${options.instead ?? path} is being written by another task-save`;
  try {
    const isNew = !isThere(path);
    const open = (): number => openSync(path, constants.O_RDWR | constants.O_CREAT, 0o666);
    const fd = openLocked(path, open, 'exclusive', busy, say);
    if (options.instead !== undefined) ftruncateSync(fd, 0);
    if (options.mode !== undefined) fchmodSync(fd, options.mode);
    const named = new NamedFile(options.given ?? path, fd);
    const output = new OpenOutput(options.instead ?? path, named, fd, isNew);
    // If it is empty, its maker may have been killed before its name was safe.
    if (output.size === 0) syncFolder(path);
    return output;
  } catch (error) {
    throw ioError('cannot open', path, error);
  }
}

/** @throws {TaskpipeError} `USAGE` if it is not a file: opening a FIFO would wait for its other end */
function isThere(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat !== undefined && !stat.isFile()) {
    throw new TaskpipeError('USAGE', `${path} is not a file; - is the standard output`);
  }
  return stat !== undefined;
}

class OpenOutput implements OutputFile {
  readonly path: string;
  readonly isNew: boolean;
  readonly #fd: number;
  readonly #modified: number;
  #named: NamedFile;
  #size: number;

  constructor(path: string, named: NamedFile, fd: number, isNew: boolean) {
    this.path = path;
    this.#named = named;
    this.isNew = isNew;
    this.#fd = fd;
    const { size, mtimeMs } = fstatSync(fd);
    this.#size = size;
    this.#modified = mtimeMs;
  }

  get mode(): number {
    return fstatSync(this.#fd).mode & 0o777;
  }

  get stamp(): string {
    const { ino, size, mtimeNs, ctimeNs } = fstatSync(this.#fd, { bigint: true });
    return `${ino}-${size}-${mtimeNs}-${ctimeNs}`;
  }

  get size(): number {
    return this.#size;
  }

  async *chunks(from: number): AsyncGenerator<Buffer> {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, Math.max(0, this.#size - from)));
    for (let at = from; at < this.#size; ) {
      const { bytesRead } = await readAt(
        this.#fd,
        buffer,
        0,
        Math.min(buffer.length, this.#size - at),
        at,
      ).catch((error) => {
        throw ioError('cannot read', this.path, error);
      });
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  }

  async append(bytes: Buffer): Promise<void> {
    this.#checkSize(fstatSync(this.#fd).size);
    try {
      await writeAll(this.#fd, bytes, this.#size);
    } catch (error) {
      this.#takeBack();
      throw ioError('cannot write', this.path, error);
    }
    this.#size += bytes.length;
  }

  /** @throws {TaskpipeError} `IO`, if a program that does not use the lock has written to it too */
  #checkSize(size: number): void {
    if (size !== this.#size) throw sizeError(this.path, size, this.#size);
  }

  #takeBack(): void {
    try {
      ftruncateSync(this.#fd, this.#size);
    } catch {
      // The next start finds what is not whole.
    }
  }

  async sync(): Promise<void> {
    try {
      await datasync(this.#fd);
    } catch (error) {
      throw ioError('cannot sync', this.path, error);
    }
  }

  async check(details?: LossDetails): Promise<void> {
    this.#checkSize(await this.#named.check(details));
  }

  isUnchanged(): boolean {
    const { size, mtimeMs } = fstatSync(this.#fd);
    return this.#named.isThere() && size === this.#size && mtimeMs === this.#modified;
  }

  renamed(path: string): void {
    this.#named = new NamedFile(path, this.#fd);
  }

  async cut(at: number): Promise<string> {
    const side = openSide(this.path, 'torn');
    try {
      for await (const chunk of this.chunks(at)) await writeAll(side.fd, chunk);
      fsyncSync(side.fd);
      syncFolder(this.path);
      ftruncateSync(this.#fd, at);
      fsyncSync(this.#fd);
      this.#size = at;
      return side.path;
    } catch (error) {
      throw ioError('cannot save the torn end of', this.path, error);
    } finally {
      await closeFile(side.fd);
    }
  }

  async close(): Promise<void> {
    await closeFile(this.#fd);
  }
}
