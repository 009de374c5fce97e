import { fstatSync, type Stats, statSync } from 'node:fs';
import { descriptors } from '../base/descriptors.ts';
import { ioError, TaskpipeError } from '../base/errors.ts';
import { quoted } from '../base/terminal-text.ts';
import { scrubbed } from '../options/secrets.ts';
import { realPath } from './durable.ts';

/** A file of a run, and its use. */
export interface Place {
  /** Use of the file, as in `--rest`, for messages. */
  readonly use: string;
  readonly path?: string | undefined;
  /** Descriptor, which may lead to a file; given instead of a path. */
  readonly fd?: number | undefined;
}

/** The standard input and output, which may lead to files. */
export const STDIN: Place = {
  use: 'the standard input',
  get fd() {
    return descriptors.input;
  },
};
export const STDOUT: Place = {
  use: 'the standard output',
  get fd() {
    return descriptors.output;
  },
};

/**
 * Rejects a file with two uses if the run writes it: one use would destroy or reread the data of the other.
 * Links to the same file count as one file. Rejects a url among the written files, which would make local folders.
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
    checkFile(place);
    const keys = keysOf(place);
    const other = keys.map((key) => known.get(key)).find((found) => found !== undefined);
    if (other !== undefined) throw conflict(place, other);
    remember(place, keys);
  }
}

/** @throws {TaskpipeError} `USAGE` if a place is the url of a server */
function checkFile({ use, path }: Place): void {
  if (path === undefined || schemeOf(path) === undefined) return;
  const others = use === 'OUT' ? ', postgres://HOST/DATABASE or s3://BUCKET/PREFIX/' : '';
  throw new TaskpipeError(
    'USAGE',
    `${use} is a file of this machine${others}; got ${quoted(scrubbed(path))}`,
  );
}

function conflict(place: Place, other: Place): TaskpipeError {
  const path = place.path ?? other.path;
  const both = path === undefined ? '' : `; both are ${path}`;
  return new TaskpipeError('USAGE', `${place.use} must be another file than ${other.use}${both}`);
}

/** Returns the names by which two uses of one file are found: its path without links, and its inode. */
function keysOf({ use, path, fd }: Place): readonly string[] {
  if (fd !== undefined) return inodeOf(statOf(fd));
  if (path === undefined) return [];
  try {
    return [realPath(path), ...inodeOf(statSync(path, { throwIfNoEntry: false }))];
  } catch (error) {
    throw ioError(use.startsWith('--') ? `cannot use ${use}` : 'cannot use', path, error);
  }
}

/** Returns the names of a file to read; none if it does not exist, which is reported when it is read. */
function keysToRead(place: Place): readonly string[] {
  try {
    return keysOf(place);
  } catch {
    return [];
  }
}

/** Returns the inode of a regular file as a name; nothing for a device or pipe, which may have two uses. */
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

/** Returns the scheme of a url, as it is typed; undefined for a path. */
export function schemeOf(place: string): string | undefined {
  return /^([a-z][a-z\d+.-]*):\/\//i.exec(place)?.[1];
}

/** Returns the path of a ledger; undefined for a url. */
export function filePath(ledger: string | undefined): string | undefined {
  return ledger === undefined || schemeOf(ledger) === undefined ? ledger : undefined;
}
