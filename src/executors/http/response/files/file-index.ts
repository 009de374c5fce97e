import { type FileHandle, open } from 'node:fs/promises';
import { ioError } from '../../../../core/base/errors.ts';
import { IdMap } from '../../../../core/ids/index.ts';
import { whenFilesAreFree } from '../../transport/local-shortage.ts';

/** File that a task has written. */
export interface OwnedFile {
  /** Path below the folder of the index. */
  readonly file: string;
  readonly uuid: string;
  readonly sha256: string;
  /** Hash of the file of the same task that it replaces. */
  readonly replaces?: string | undefined;
}

const CHUNK = 1_048_576;
/** Upper bound of the length of a line, in bytes. */
const LONGEST = 65_536;

/**
 * List of the files that tasks have written, on the disk: in a later run it shows which task a file belongs to.
 * Several processes may append to it. It is read only if a file is in the way.
 */
export class FileIndex {
  readonly #path: string;
  #file: Promise<FileHandle> | undefined;
  #waiting = '';
  #writing: Promise<void> | undefined;
  #reading: Promise<void> = Promise.resolve();
  /** Offset of the last line of each file, in bytes. */
  readonly #lines = new IdMap();
  /** Number of bytes that were read. */
  #read = 0;

  /** @param path in a folder that exists */
  constructor(path: string) {
    this.#path = path;
  }

  /** Adds a file. Resolves when its line is on the disk. @throws {TaskpipeError} `IO` */
  async add(owned: OwnedFile): Promise<void> {
    this.#waiting += `\n${JSON.stringify(owned)}\n`; // the first newline ends a line that a crash has torn
    while (this.#writing !== undefined && this.#waiting !== '') await this.#writing;
    if (this.#waiting === '') return this.#writing;
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  /** Returns the last line of a file; undefined if no task has written it. @throws {TaskpipeError} `IO` */
  async lineOf(file: string): Promise<OwnedFile | undefined> {
    try {
      this.#reading = this.#reading.then(() => this.#readOn());
      await this.#reading;
      const offset = this.#lines.get(file);
      if (offset === undefined) return undefined;
      const bytes = Buffer.alloc(LONGEST);
      await (await this.#open()).read(bytes, 0, LONGEST, offset);
      return ownedIn(bytes.toString('utf8', 0, bytes.indexOf('\n')));
    } catch (error) {
      throw ioError('cannot read', this.#path, error);
    }
  }

  async close(): Promise<void> {
    await this.#writing?.catch(() => {});
    await (await this.#file)?.close();
  }

  #open(): Promise<FileHandle> {
    this.#file ??= whenFilesAreFree(() => open(this.#path, 'a+'));
    return this.#file;
  }

  async #write(): Promise<void> {
    const lines = this.#waiting;
    this.#waiting = '';
    try {
      const file = await this.#open();
      await file.writeFile(lines);
      await file.datasync();
    } catch (error) {
      throw ioError('cannot write', this.#path, error);
    }
  }

  /** Reads the lines that were added since the last time, also by other processes. */
  async #readOn(): Promise<void> {
    const file = await this.#open();
    const chunk = Buffer.allocUnsafe(CHUNK);
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK, this.#read);
      const end = chunk.subarray(0, bytesRead).lastIndexOf('\n') + 1;
      if (end === 0) return;
      for (let at = 0; at < end; ) {
        const next = chunk.indexOf('\n', at) + 1;
        const owned = ownedIn(chunk.toString('utf8', at, next - 1));
        if (owned !== undefined) this.#lines.set(owned.file, this.#read + at);
        at = next;
      }
      this.#read += end;
    }
  }
}

/** Returns the file in a line; undefined for an empty line, and for one that a crash tore. */
function ownedIn(line: string): OwnedFile | undefined {
  try {
    const { file, uuid, sha256, replaces } = JSON.parse(line);
    const isWhole = [file, uuid, sha256].every((value) => typeof value === 'string');
    return isWhole ? { file, uuid, sha256, replaces } : undefined;
  } catch {
    return undefined;
  }
}
