import { readdirSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { TaskpipeError } from '../../core/base/errors.ts';
import { LinkedPath } from '../../core/storage/linked-path.ts';
import {
  isFileAt,
  isSameFile,
  type LossDetails,
  lossMessage,
  sizeError,
} from '../../core/storage/named-file.ts';
import { sideName } from '../../core/storage/side-file.ts';
import type { Database } from '../../core/storage/sqlite-database.ts';

/** Endings of the files of an open database: the database, its write-ahead log, and the index of the log. */
const ENDINGS = ['', '-wal', '-shm'] as const;

/**
 * The files of an open database. SQLite keeps writing to files that were removed or replaced, and reports
 * success. The files are compared by stat(2) alone: opening and closing one of them would drop the locks that
 * SQLite holds.
 */
export class DatabaseFiles {
  readonly #database: Database;
  readonly #files = new Map<string, Stats>();
  readonly #link: LinkedPath;

  constructor(database: Database) {
    this.#database = database;
    this.#link = new LinkedPath(database.path);
    for (const ending of ENDINGS) this.#isThere(ending);
  }

  /**
   * Checks that the paths still name the files that SQLite writes, with one stat(2) for each.
   * @throws {TaskpipeError} `IO`
   */
  async check(details: LossDetails): Promise<void> {
    const before = this.#files.get('')?.size ?? 0;
    const lost = ENDINGS.find((ending) => !this.#isThere(ending));
    if (lost === '') throw await this.#lost(details);
    if (lost !== undefined) throw await this.#lostLog(lost);
    const size = this.#files.get('')?.size ?? 0;
    if (size < before && (await this.#isTruncated(size))) throw sizeError(this.#database.path, size, before);
  }

  /** Returns false if a known file was removed or replaced. Remembers a file when it first appears. */
  #isThere(ending: string): boolean {
    const there = statSync(this.#database.path + ending, { throwIfNoEntry: false });
    const known = this.#files.get(ending);
    if (known !== undefined && (there === undefined || !isSameFile(there, known))) return false;
    if (there !== undefined) this.#files.set(ending, there);
    return true;
  }

  async #lost(details: LossDetails): Promise<TaskpipeError> {
    const { path } = this.#database;
    const isReplaced = statSync(path, { throwIfNoEntry: false }) !== undefined;
    const isFolderGone = statSync(dirname(resolve(path)), { throwIfNoEntry: false }) === undefined;
    const link = isFileAt(this.#link.real, this.#files.get('') as Stats) ? this.#link.change() : undefined;
    const moved = newNameOf(this.#files.get('') as Stats);
    const place = moved ?? (link === undefined ? await this.#keepCopy() : undefined);
    const name = moved === undefined ? 'removed' : `renamed to ${moved}`;
    const words = isReplaced ? 'was replaced by another file during the run' : `was ${name} during the run`;
    return new TaskpipeError(
      'IO',
      lossMessage(
        path,
        { words, isReplaced, place, isCopy: moved === undefined, isFolderGone, link },
        details,
      ),
    );
  }

  /**
   * Copies the rows of a removed or renamed log into the database, which SQLite can still do, and returns the error.
   */
  async #lostLog(ending: string): Promise<TaskpipeError> {
    const { path } = this.#database;
    const [[isBusy] = [1n]] = await this.#database.all('pragma wal_checkpoint(truncate)').catch(() => []);
    const where =
      isBusy === 0n ? `all rows were copied into ${path}` : `rows that were in it may be missing in ${path}`;
    return new TaskpipeError(
      'IO',
      `${path}${ending} was removed or replaced during the run, which SQLite needs while ${path} is open; ${where}; run the same command again`,
    );
  }

  /** Copies all rows that SQLite can still read to a file beside the database. */
  async #keepCopy(): Promise<string | undefined> {
    const place = sideName(this.#database.path, 'kept');
    try {
      (await this.#database.prepare('vacuum into ?')).run([place]);
      return place;
    } catch {
      return undefined; // the loss is reported with or without a copy
    }
  }

  /**
   * Returns true if the smaller file is damaged. Another program may have shrunk it by VACUUM; then it is
   * intact.
   */
  async #isTruncated(size: number): Promise<boolean> {
    if (size === 0) return true;
    await this.#database.all('pragma shrink_memory'); // otherwise pages would be read from memory
    const [[verdict] = []] = await this.#database.all('pragma quick_check(1)');
    return verdict !== 'ok';
  }
}

/** Returns the current path of an open file, if the system provides it (Linux does). */
function newNameOf(file: Stats): string | undefined {
  try {
    for (const fd of readdirSync('/proc/self/fd')) {
      const link = `/proc/self/fd/${fd}`;
      const open = statSync(link, { throwIfNoEntry: false });
      if (open === undefined || !isSameFile(open, file) || open.nlink === 0) continue;
      const name = readlinkSync(link);
      if (statSync(name, { throwIfNoEntry: false })?.ino === file.ino) return name;
    }
  } catch {}
  return undefined;
}
