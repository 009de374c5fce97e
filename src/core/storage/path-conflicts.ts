import { fstatSync, type Stats, statSync } from 'node:fs';
import { ioError, TaskpipeError } from '../base/errors.ts';
import { realPath } from './durable.ts';

/** A file of a run, and its use. */
export interface Place {
  /** As in `--rest`. */
  readonly use: string;
  readonly path?: string | undefined;
  /** In place of a path: a descriptor, which may lead to a file. */
  readonly fd?: number | undefined;
}

/** The standard input and output, which may lead to files. */
export const STDIN: Place = { use: 'the standard input', fd: 0 };
export const STDOUT: Place = { use: 'the standard output', fd: 1 };

/**
 * Refuses one file for two uses, if one of them writes it: that would destroy or reread what the other has written.
 * Links to one file are one file.
 * @param written files that the run writes
 * @param read files that it only reads
 * @throws {TaskpipeError} `USAGE`
 */
export function checkPlaces(written: readonly Place[], read: readonly Place[] = []): void {
  const known = new Map<string, Place>();
  const remember = (place: Place, keys: readonly string[]): void => {
    for (const key of keys) known.set(key, place);
  };
  for (const place of read) remember(place, keysToRead(place));
  for (const place of written) {
    const keys = keysOf(place);
    const other = keys.map((key) => known.get(key)).find((found) => found !== undefined);
    if (other !== undefined) throw conflict(place, other);
    remember(place, keys);
  }
}

function conflict(place: Place, other: Place): TaskpipeError {
  const path = place.path ?? other.path;
  const both = path === undefined ? '' : `; both are ${path}`;
  return new TaskpipeError('USAGE', `${place.use} must be another file than ${other.use}${both}`);
}

/** Returns the names that two uses of one file have in common: its path without links, and its inode. */
function keysOf({ use, path, fd }: Place): readonly string[] {
  if (fd !== undefined) return inodeOf(statOf(fd));
  if (path === undefined) return [];
  try {
    return [realPath(path), ...inodeOf(statSync(path, { throwIfNoEntry: false }))];
  } catch (error) {
    throw ioError(use.startsWith('--') ? `cannot use ${use}` : 'cannot use', path, error);
  }
}

/** A file that cannot be found is reported by the code that reads it. */
function keysToRead(place: Place): readonly string[] {
  try {
    return keysOf(place);
  } catch {
    return [];
  }
}

/** A device or pipe may have two uses. */
function inodeOf(stat: Stats | undefined): readonly string[] {
  return stat?.isFile() ? [`inode ${stat.dev}:${stat.ino}`] : [];
}

function statOf(fd: number): Stats | undefined {
  try {
    return fstatSync(fd);
  } catch {
    return undefined; // it is closed
  }
}

/** Returns the path of a ledger; undefined for a url. */
export function filePath(ledger: string | undefined): string | undefined {
  return ledger?.includes('://') ? undefined : ledger;
}
