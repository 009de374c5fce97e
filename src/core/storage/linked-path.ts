import { lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { quote } from 'shlex';

/** Change of a symbolic link by which a path led to a file. */
export interface LinkChange {
  /** Description, to follow the path in a message. */
  readonly words: string;
  /** Step to take before the same command is run again. */
  readonly next: string;
}

/** A path as it was when a file was opened by it. A symbolic link in it may lead elsewhere later. */
export class LinkedPath {
  readonly #path: string;
  readonly #absolute: string;
  /** Target of the link, if the path names one. */
  readonly #target: string | undefined;
  /** The path without links. */
  readonly real: string;

  constructor(path: string) {
    this.#path = path;
    this.#absolute = resolve(path);
    this.#target = targetOf(path);
    this.real = realOf(this.#absolute);
  }

  /** Returns how a link was changed; undefined if there was none. Call it only if `real` still names the file. */
  change(): LinkChange | undefined {
    if (this.real === this.#absolute) return undefined;
    const near = relative('.', this.real);
    const file = near.startsWith('..') ? this.real : near;
    const old = this.#target;
    if (old === undefined) {
      const words = `leads to another file, as a link in its path was changed during the run: it led to ${file}`;
      return { words, next: 'put the link back' };
    }
    const now = targetOf(this.#absolute);
    if (now === undefined && lstatSync(this.#absolute, { throwIfNoEntry: false }) !== undefined) {
      const words = `was replaced by another file during the run: it was a link to ${old}`;
      return { words, next: `the old file is ${file}` }; // the new file belongs to the user: do not advise to overwrite it
    }
    const words =
      now === undefined
        ? `was removed during the run: it was a link to ${old}`
        : `was changed during the run: it is a link to ${now}, and was a link to ${old}`;
    return { words, next: `put the link back with: ln -sfn ${quote(old)} ${quote(this.#path)}` };
  }
}

function targetOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // it is not a link
  }
}

function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/**
 * Keeps the place of a path, for files that are opened after user code has run.
 * @returns a function that returns the path as typed, or its absolute form once the working folder has changed
 */
export function steadyPath(path: string): () => string {
  const absolute = resolve(path);
  return () => (resolve(path) === absolute ? path : absolute);
}
