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

/** A file that only this process appends to: it is locked while it is open. */
export interface OutputFile {
  /** Name of the file in messages. */
  readonly path: string;
  /** True if the file did not exist before. */
  readonly isNew: boolean;
  /** Size of the file, in bytes. */
  readonly size: number;
  /** Permissions of the file. */
  readonly mode: number;
  /** Identity, size and times of the file: any change by another program changes the stamp. */
  readonly stamp: string;
  /** Reads the bytes from `from` in chunks of 1 MB. A chunk is valid until the next one is requested. */
  chunks(from: number): AsyncGenerator<Buffer>;
  /**
   * Appends all of the bytes.
   * @throws {TaskpipeError} `IO`; bytes already written are then removed if possible
   */
  append(bytes: Buffer): Promise<void>;
  /** Syncs the data to disk (fdatasync). */
  sync(): Promise<void>;
  /**
   * Checks that the path still names the file, and that its size is as this process left it.
   * @throws {TaskpipeError} `IO`
   */
  check(details?: LossDetails): Promise<void>;
  /**
   * Returns true if the path still names the file, and nothing has written to the file since it was opened.
   */
  isUnchanged(): boolean;
  /** Sets the path after a rename. */
  renamed(path: string): void;
  /** Moves the bytes from `at` to a new file beside this one. Returns the path of the new file. */
  cut(at: number): Promise<string>;
  close(): Promise<void>;
}

/**
 * Opens an output; creates it if it does not exist.
 * @param options.instead path of the file that it will replace: it is emptied, and messages use this name
 * @param options.given a path that leads to it by symbolic links, and must do so until the end of the run
 * @param options.mode permissions; default: those of any new file
 * @throws {TaskpipeError} `LOCKED`, `IO`, or `USAGE` if it is not a file
 */
export function openOutput(
  path: string,
  warn: (message: string) => void,
  options: { instead?: string; given?: string; mode?: number | undefined } = {},
): OutputFile {
  const busy = `${options.instead ?? path} is being written by another task-save`;
  try {
    const isNew = !isThere(path);
    const open = (): number => openSync(path, constants.O_RDWR | constants.O_CREAT, 0o666);
    const fd = openLocked(path, open, 'exclusive', busy, warn);
    if (options.instead !== undefined) ftruncateSync(fd, 0);
    if (options.mode !== undefined) fchmodSync(fd, options.mode);
    const verifiedEnd = new NamedFile(options.given ?? path, fd);
    const output = new OpenOutput(options.instead ?? path, verifiedEnd, fd, isNew);
    // If it is empty, the process that created it may have been killed before it synced the folder.
    if (output.size === 0) syncFolder(path);
    return output;
  } catch (error) {
    throw ioError('cannot open', path, error);
  }
}

/**
 * Returns true if the file exists.
 * @throws {TaskpipeError} `USAGE` if it is not a file: opening a FIFO would block
 */
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

  constructor(path: string, verifiedEnd: NamedFile, fd: number, isNew: boolean) {
    this.path = path;
    this.#named = verifiedEnd;
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

  /** @throws {TaskpipeError} `IO` if a program that ignores the lock has changed the size */
  #checkSize(size: number): void {
    if (size !== this.#size) throw sizeError(this.path, size, this.#size);
  }

  #takeBack(): void {
    try {
      ftruncateSync(this.#fd, this.#size);
    } catch {
      // The next start finds the torn row.
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
