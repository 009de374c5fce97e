import { fstatSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { quote } from 'shlex';
import { ioError, TaskpipeError } from '../base/errors.ts';
import { type LinkChange, LinkedPath } from './linked-path.ts';
import { keepCopy } from './side-file.ts';

/** Details for the message about a lost file. */
export interface LossDetails {
  /** Contents of the file that matter, as in `3 rows of this run in it`. */
  readonly contents?: string | undefined;
  /** Result of running the same command again, if the file was replaced or its bytes are gone. */
  readonly again?: string | undefined;
}

/** State of an open file that its path no longer names. */
export interface Loss {
  /** Description of the loss, to follow the path in a message. */
  readonly words: string;
  /** True if the path names another file now. */
  readonly isReplaced: boolean;
  /** Path of its bytes: its new name, or a copy if it had no name. Undefined if there is neither. */
  readonly place: string | undefined;
  /** True if `place` is a copy that was made now. */
  readonly isCopy: boolean;
  /** True if its folder was renamed or removed too. */
  readonly isFolderGone?: boolean;
  /** Change of a link, if the file still has its own name. */
  readonly link?: LinkChange | undefined;
}

/** Returns whether a path names this very file. */
export function isFileAt(path: string, file: Pick<Stats, 'dev' | 'ino'>): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  return there !== undefined && isSameFile(there, file);
}

/** Returns whether two files are the same. */
export function isSameFile(a: Pick<Stats, 'dev' | 'ino'>, b: Pick<Stats, 'dev' | 'ino'>): boolean {
  return a.ino === b.ino && a.dev === b.dev;
}

/**
 * An open file and its path. After `sed -i`, `git checkout`, `mv`, `rm`, or a save in an editor, the path names
 * another file or none, but the descriptor still writes to the old one. Call `check()` after each sync and at the end,
 * before anything is reported as saved.
 */
export class NamedFile {
  readonly path: string;
  readonly #fd: number;
  readonly #file: Stats;
  /** The path when the file was opened: user code may change the working directory. */
  readonly #absolute: string;
  readonly #link: LinkedPath;

  /** @param fd a descriptor of the file that the path names now; to keep a copy, it must be readable */
  constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
    this.#file = fstatSync(fd);
    this.#absolute = resolve(path);
    this.#link = new LinkedPath(path);
  }

  /** True for a regular file. Devices and pipes are not checked. */
  get isFile(): boolean {
    return this.#file.isFile();
  }

  /**
   * Checks that the path still names the file. Costs one stat(2).
   * @returns the size of the file in bytes; 0 for a device or pipe
   * @throws {TaskpipeError} `IO`
   */
  async check(details: LossDetails = {}): Promise<number> {
    if (!this.isFile) return 0;
    const size = this.#size();
    if (size === undefined)
      throw new TaskpipeError('IO', lossMessage(this.path, await this.#loss(), details));
    return size;
  }

  /** Returns whether the path still names the file; true for a device or pipe. */
  isThere(): boolean {
    return !this.isFile || this.#size() !== undefined;
  }

  #size(): number | undefined {
    try {
      return this.#sizeAt(this.path) ?? this.#sizeAt(this.#absolute);
    } catch (error) {
      throw ioError('cannot check', this.path, error);
    }
  }

  #sizeAt(path: string): number | undefined {
    const there = statSync(path, { throwIfNoEntry: false });
    if (there === undefined) return undefined;
    // Some network file systems renumber open files, so a difference counts only if a fresh fstat confirms it.
    return isSameFile(there, this.#file) || isSameFile(there, fstatSync(this.#fd)) ? there.size : undefined;
  }

  async #loss(): Promise<Loss> {
    const isReplaced = statSync(this.path, { throwIfNoEntry: false }) !== undefined;
    const isNameless = fstatSync(this.#fd).nlink === 0;
    const moved = isNameless ? undefined : this.#newName();
    const isFolderGone = statSync(dirname(this.#absolute), { throwIfNoEntry: false }) === undefined;
    const words = this.#words(isReplaced, isFolderGone, moved);
    const link = isFileAt(this.#link.real, fstatSync(this.#fd)) ? this.#link.change() : undefined;
    const place = isNameless ? await keepCopy(this.#fd, this.path) : moved;
    return { words, isReplaced, place, isCopy: isNameless, isFolderGone, link };
  }

  #words(isReplaced: boolean, isFolderGone: boolean, moved: string | undefined): string {
    if (isReplaced) {
      return moved === undefined
        ? 'was replaced by another file during the run (sed -i, editors and git checkout do that)'
        : `was renamed to ${moved} during the run, and another file has its name now`;
    }
    if (isFolderGone)
      return `is gone: its folder was ${moved === undefined ? 'removed' : 'renamed'} during the run`;
    return moved === undefined ? 'was removed during the run' : `was renamed to ${moved} during the run`;
  }

  /** Returns the name that the file has now, if the system tells it (Linux does). */
  #newName(): string | undefined {
    try {
      const name = readlinkSync(`/proc/self/fd/${this.#fd}`);
      if (!isFileAt(name, fstatSync(this.#fd))) return undefined;
      const near = relative('.', name);
      return near.startsWith('..') ? name : near;
    } catch {
      return undefined;
    }
  }
}

/** Returns the error for a file whose size another program has changed. */
export function sizeError(path: string, size: number, expected: number): TaskpipeError {
  const what = size < expected ? 'truncated' : 'appended to';
  return new TaskpipeError(
    'IO',
    `${path} was ${what} by another program during the run: it has ${size} bytes instead of ${expected}. Stop that program, look at the file, then run the same command again`,
  );
}

/**
 * A file that several processes append to, so that it only grows. If it has become shorter, another program
 * has truncated it: lines that were reported as safe are gone.
 */
export class GrowingFile {
  readonly #named: NamedFile;
  readonly #fd: number;
  /** Size when the file was opened, and the minimum size that it must have now, in bytes. */
  readonly #first: number;
  #least: number;

  /** @param fd a descriptor of the file that the path names now */
  constructor(path: string, fd: number) {
    this.#named = new NamedFile(path, fd);
    this.#fd = fd;
    this.#first = fstatSync(fd).size;
    this.#least = this.#first;
  }

  /** True for a regular file. */
  get isFile(): boolean {
    return this.#named.isFile;
  }

  /** Records the number of bytes that were appended since the file was opened. */
  wrote(bytes: number): void {
    this.#least = Math.max(this.#least, this.#first + bytes);
  }

  /**
   * Checks the size. Call it before lines are appended.
   * @throws {TaskpipeError} `IO` if the file was truncated
   */
  mustNotBeTruncated(): void {
    this.#grow(fstatSync(this.#fd).size);
  }

  /**
   * Checks the size and the path. Call it after lines were appended, and before they are reported as safe.
   * @throws {TaskpipeError} `IO` if the file was truncated, or if its path no longer names it
   */
  async check(details?: LossDetails): Promise<void> {
    this.#grow(await this.#named.check(details));
  }

  #grow(size: number): void {
    if (!this.isFile) return;
    if (size < this.#least) throw sizeError(this.#named.path, size, this.#least);
    this.#least = size;
  }
}

/** Returns a message that says what happened to which file, where its bytes are, and what to do next. */
export function lossMessage(
  path: string,
  { words, isReplaced, place, isCopy, isFolderGone, link }: Loss,
  details: LossDetails,
): string {
  const { contents, again = '' } = details;
  const had = contents === undefined ? '' : `, with ${contents}`;
  const what = `${path} ${link?.words ?? words}${had}`;
  const rerun = `run the same command again${again}`;
  if (link !== undefined) return `${what}; ${link.next}, then ${rerun}`;
  if (place === undefined) return `${what}; ${rerun}`;
  if (isFolderGone) return `${what}; it is ${place} now; put the folder back, then ${rerun}`;
  const old = `the old file is ${isCopy ? 'kept as ' : ''}${place}`;
  // The new file belongs to the user: do not advise to overwrite it.
  if (isReplaced) return `${what}; ${old}; ${rerun}`;
  return `${what}; ${isCopy ? `${old}; ` : ''}to continue with it: mv ${quote(place)} ${quote(path)}, then run the same command again`;
}
