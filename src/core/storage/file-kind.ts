import { closeSync, ftruncateSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { quote } from 'shlex';
import { ioError, TaskpipeError } from '../base/errors.ts';
import { quoted } from '../base/terminal-text.ts';
import { parseTask } from '../record/ndjson.ts';
import { modeOf } from './durable.ts';

/** Size of the beginning of a file that is searched for one of our lines, in bytes. */
const LOOKED = 64 * 1024;
/** Number of characters of a file that a message shows. */
const SHOWN = 30;

/**
 * Beginning of a UTF-16 file, read as UTF-8: a byte order mark, or a brace or bracket and one more character, each with
 * a NUL beside it. One NUL alone may be damage. Blank lines may come first, as our appends begin with a newline.
 */
const UTF16 = /^(?:\ufffd{2}|(?:\s\0+)*[[{]\0[^\0]\0|(?:\0+\s)*\0[[{]\0[^\0])/;
/** A line that begins like ours. A formatted record has a line break after its brace. */
const OWN_LINE = /^[\s\0]*\{[ \t]*"/m;
/** Beginning of records that were saved as formatted JSON, or as an array. */
const FORMATTED = /^(?:\[|\{\s*\n)/;
/** Beginning of our first line if a crash cut it or left a hole in it. */
const CRASHED = /^\{(?:\0|$)/;

/** Kind of a file that only taskpipe appends to. */
export type AppendedKind = 'ledger' | 'spool' | 'flow log' | 'budget';

/** Version of the formats. A file of a later version may have lines that this version does not know. */
const VERSION = 1;

/** Returns the first line of a file that says its kind. */
export function headerOf(kind: AppendedKind): string {
  return `{"taskpipe":"${kind}","version":${VERSION}}`;
}

/** Refuses a file of a later version. @throws {TaskpipeError} `DATA` */
function checkVersion(path: string, start: string, what: AppendedKind): void {
  const [, version] = /^\{"taskpipe":"[\w ]+","version":(\d+)/.exec(start) ?? [];
  if (version === undefined || Number(version) <= VERSION) return;
  throw new TaskpipeError(
    'DATA',
    `${path}: the ${what} is of version ${version}, which a later taskpipe wrote; use that one, or name a new file`,
  );
}

/** Returns the kind of a file by its beginning; flow logs without a header are recognized by their lines. */
function kindOf(start: string): string | undefined {
  const [, kind] = /^\{"taskpipe":"([\w ]+)"/.exec(start) ?? [];
  return kind ?? (/^\{"uuid":"[^"\n]*","flow":"/.test(start) ? 'flow log' : undefined);
}

/** Writes the header into an empty file. A crash may have torn the header of a file without other lines. */
export function beginWithHeader(path: string, fd: number, kind: AppendedKind): void {
  const header = headerOf(kind);
  const start = startOf(path, kind).slice(0, header.length + 1);
  if (start.length > header.length || !header.startsWith(start)) return;
  ftruncateSync(fd, 0);
  writeSync(fd, `${header}\n`);
}

/**
 * Returns whether a file is a spool of a version that wrote no header. Each of its batches began with a blank line, and
 * its lines are tasks. Lines of a ledger and events have `at`, and records that were passed on have `run`.
 */
function isOldSpool(found: string): boolean {
  if (!/^[\n\0]/.test(found)) return false;
  for (const line of found.split('\n')) {
    const task = parseTask(line);
    if (task !== undefined && !('code' in task)) return !('at' in task.fields || 'run' in task.fields);
  }
  return true; // all of it was torn, or its first line was not read to its end
}

/**
 * Rejects a file of another kind, such as the input if names were mixed up: appending or compacting would
 * damage it. One line that begins like ours is enough, because a crash may have torn the others.
 * @param what kind that the file should have
 * @throws {TaskpipeError} `DATA`; `IO` if the file cannot be read
 */
export function assertOwnContent(path: string, what: AppendedKind): void {
  const found = startOf(path, what);
  if (UTF16.test(found)) {
    throw new TaskpipeError(
      'DATA',
      `${path}: the ${what} is UTF-16, as some editors save files; save it as UTF-8`,
    );
  }
  const start = found.replace(/^[\s\0]+/, '');
  if (start === '' || CRASHED.test(start)) return;
  const kind = kindOf(start);
  // A formatted file is restored by the advice below.
  const isForeign =
    kind === undefined && !FORMATTED.test(start) && isWhole(start, what) && hasHeader(what, found);
  if (kind !== undefined && kind !== what)
    throw new TaskpipeError(
      'DATA',
      `${path} is not a ${what}: it is a ${kind}; name another file, or a new one`,
    );
  checkVersion(path, start, what);
  if (!isForeign && OWN_LINE.test(start)) return;
  const isJson = !isForeign && /^[[{]\s*[{"]/.test(start);
  // A first line that was not read to its end says nothing about the others.
  if (!isJson && !found.includes('\n') && found.length >= LOOKED) return;
  const begin = quoted(start.slice(0, SHOWN));
  throw new TaskpipeError(
    'DATA',
    isJson
      ? `${path}: the ${what} begins with ${begin}, but each of its lines must be a record; ${asLines(path, start)}`
      : `${path} is not a ${what}, as it begins with ${begin}; name another file, or a new one`,
  );
}

/** Returns whether more was written than a first line, which a crash may have torn. */
function isWhole(start: string, what: AppendedKind): boolean {
  const hasShortLines = what === 'spool' || what === 'budget';
  return hasShortLines ? !headerOf(what).startsWith(start) : start.includes('\n');
}

/** Returns whether a file of this kind with this beginning would have a header. */
function hasHeader(what: AppendedKind, found: string): boolean {
  return what === 'flow log' || what === 'budget' || (what === 'spool' && !isOldSpool(found));
}

/** Returns how to restore a file of records that was saved as formatted JSON, as an array, or on one line. */
export function asLines(path: string, start: string): string {
  const filter = start.startsWith('[') ? "'.[]'" : '.';
  return `restore them with: jq -c ${filter} ${quote(path)} > ${quote(`${path}.new`)} && mv ${quote(`${path}.new`)} ${quote(path)}`;
}

/**
 * Rejects the files that `assertOwnContent` rejects, and devices. Use it for a file that is read to its end
 * when it is opened: a device may have no end.
 * @throws {TaskpipeError} `USAGE` if it is not a file; `DATA` or `IO` as `assertOwnContent`
 */
export function assertOwnFile(path: string, what: 'spool' | 'flow log' | 'budget'): void {
  modeOf(path);
  assertOwnContent(path, what);
}

/** Returns the beginning of a file; '' if it does not exist or is not a file. */
export function startOf(path: string, what: string): string {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return '';
    const fd = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(LOOKED);
      return bytes.toString('utf8', 0, readSync(fd, bytes));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw ioError(`cannot read the ${what}`, path, error);
  }
}
