import { chmodSync, closeSync, openSync, type Stats, statSync } from 'node:fs';
import { ioError, TaskpipeError } from '../../core/base/errors.ts';
import { isSameFile } from '../../core/storage/named-file.ts';

/** Error for a store with lost files. The loss was reported already. */
export class LostStore extends TaskpipeError {}

/** Files of a database: data is written to the log first. */
const PARTS = ['', '-wal'] as const;

/** Makes the database readable by its owner only. @throws {TaskpipeError} `IO` */
export function makePrivate(path: string): void {
  try {
    // Before SQLite opens the file: closing any other descriptor of it releases the locks of SQLite.
    closeSync(openSync(path, 'a', 0o600));
    for (const part of ['', '-wal', '-shm'])
      if (statSync(path + part, { throwIfNoEntry: false }) !== undefined) chmodSync(path + part, 0o600);
  } catch (error) {
    throw ioError('cannot make private (a service with a token needs that)', path, error);
  }
}

/**
 * Files of an open database. If they are deleted, replaced or moved, SQLite continues with files that the path no
 * longer names, so all stored data would be lost at the next start.
 */
export class StoreFile {
  readonly path: string;
  readonly #warn: (message: string) => void;
  readonly #parts = new Map<string, Stats>();
  #isLost = false;

  /** @param warn gets a line when the files are lost, and when they are back */
  constructor(path: string, warn: (message: string) => void) {
    this.path = path;
    this.#warn = warn;
    for (const part of PARTS) {
      const stats = statSync(path + part, { throwIfNoEntry: false });
      if (stats !== undefined) this.#parts.set(path + part, stats);
    }
  }

  /** Checks that the paths still name the files. Costs two stat(2). @throws {LostStore} */
  check(): void {
    const message = this.#loss();
    if (message === undefined) {
      if (this.#isLost) this.#warn(`${this.path} is back; the service continues`);
      this.#isLost = false;
      return;
    }
    if (!this.#isLost) this.#warn(message);
    this.#isLost = true;
    throw new LostStore('IO', message);
  }

  #loss(): string | undefined {
    for (const [path, file] of this.#parts) {
      const there = statSync(path, { throwIfNoEntry: false });
      if (there !== undefined && isSameFile(there, file)) continue;
      const what = there === undefined ? 'deleted or moved' : 'replaced by another file';
      return `${path} was ${what} while the service uses it: requests are answered with 503; put it back, or restart the service to begin with ${there === undefined ? 'a new one' : 'that one'}`;
    }
    return undefined;
  }
}
