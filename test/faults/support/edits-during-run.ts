import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';

/* Edits by people, scripts and editors, of a file that a stage has open. */

export interface Edit {
  readonly name: string;
  /**
   * `goes on`: the path still names the file, and nothing is missing. `stops`: it names another file or none.
   * `loses`: bytes are gone for good.
   */
  readonly kind: 'goes on' | 'stops' | 'loses';
  act(path: string): void;
  /** Removes what prevents the same command from running again, as a person would. */
  repair?(path: string): void;
}

/** Uuid of a row that a person has written. */
export const FOREIGN = 'zz';

function replace(path: string, bytes: string | Buffer): void {
  writeFileSync(`${path}.tmp`, bytes);
  renameSync(`${path}.tmp`, path);
}

function text(path: string): string {
  return readFileSync(path, 'utf8');
}

/** Returns the file with one of its rows replaced by a row of the person. */
function withForeignRow(path: string): string {
  return text(path).replaceAll('t2', FOREIGN);
}

/** Returns the last row, edited as by a person who copies it to write another one. */
function foreignRow(path: string): string {
  const all = text(path);
  const at = all.lastIndexOf(path.endsWith('sv') ? '\nt2' : '\n{', all.length - 2);
  return all.slice(at + 1).replaceAll('t2', FOREIGN);
}

export const FILE_EDITS: readonly Edit[] = [
  {
    name: 'edited with sed -i',
    kind: 'stops',
    act: (path) => replace(path, text(path).replaceAll('zwei', 'ZWEI')),
  },
  {
    name: 'saved by an editor with CRLF',
    kind: 'stops',
    act: (path) => replace(path, text(path).replaceAll(/(?<=["}\d])\n/g, '\r\n')),
  },
  { name: 'replaced by an equal copy', kind: 'stops', act: (path) => replace(path, readFileSync(path)) },
  {
    name: 'replaced by one with other rows',
    kind: 'stops',
    act: (path) => replace(path, withForeignRow(path)),
  },
  { name: 'replaced by an empty file', kind: 'stops', act: (path) => replace(path, '') },
  { name: 'removed', kind: 'stops', act: (path) => rmSync(path) },
  { name: 'renamed', kind: 'stops', act: (path) => renameSync(path, `${path}.old`) },
  {
    name: 'renamed, with a copy in its place',
    kind: 'stops',
    act(path) {
      renameSync(path, `${path}~`);
      copyFileSync(`${path}~`, path);
    },
  },
  {
    name: 'replaced by a folder',
    kind: 'stops',
    act(path) {
      rmSync(path);
      mkdirSync(path);
    },
    repair: (path) => rmSync(path, { recursive: true }),
  },
  {
    name: 'replaced by a link to a copy',
    kind: 'stops',
    act(path) {
      copyFileSync(path, `${path}.copy`);
      rmSync(path);
      symlinkSync(`${path}.copy`, path);
    },
  },
  {
    name: 'moved, with a link in its place',
    kind: 'goes on',
    act(path) {
      renameSync(path, `${path}.real`);
      symlinkSync(`${path}.real`, path);
    },
  },
  { name: 'given a second name', kind: 'goes on', act: (path) => linkSync(path, `${path}.also`) },
  { name: 'made read-only', kind: 'goes on', act: (path) => chmodSync(path, 0o444) },
  { name: 'touched', kind: 'goes on', act: (path) => utimesSync(path, 1, 1) },
  { name: 'truncated to nothing', kind: 'loses', act: (path) => truncateSync(path) },
  {
    name: 'truncated in the middle',
    kind: 'loses',
    act: (path) => truncateSync(path, statSync(path).size - 20),
  },
];

/** Append of a row by another program. */
export const APPEND: Edit = {
  name: 'appended to',
  kind: 'stops',
  act: (path) => appendFileSync(path, foreignRow(path)),
};
/** Append to a file that several processes may append to. */
export const SHARED_APPEND: Edit = {
  ...APPEND,
  kind: 'goes on',
  act: (path) => appendFileSync(path, `{"uuid":"${FOREIGN}","at":"2024-01-01T00:00:00Z"}\n`),
};

/** Edits of the folder that contains the file. */
export const FOLDER_EDITS: readonly Edit[] = [
  {
    name: 'in a folder that is renamed',
    kind: 'stops',
    act: (path) => renameSync(dirname(path), `${dirname(path)}-moved`),
    repair: (path) => renameSync(`${dirname(path)}-moved`, dirname(path)),
  },
  {
    name: 'in a folder that is removed',
    kind: 'loses',
    act: (path) => rmSync(dirname(path), { recursive: true }),
    repair: (path) => mkdirSync(dirname(path)),
  },
  {
    name: 'in a folder that is replaced by a copy',
    kind: 'stops',
    act(path) {
      const folder = dirname(path);
      cpSync(folder, `${folder}-copy`, { recursive: true });
      renameSync(folder, `${folder}-old`);
      renameSync(`${folder}-copy`, folder);
    },
  },
];

/** Returns a function that removes some files of a database. */
function removed(...endings: readonly string[]): (path: string) => void {
  return (path) => {
    for (const ending of endings) rmSync(path + ending);
  };
}

export const DATABASE_EDITS: readonly Edit[] = [
  { name: 'replaced by a copy', kind: 'stops', act: (path) => replace(path, readFileSync(path)) },
  { name: 'removed', kind: 'stops', act: removed('') },
  { name: 'removed with its -wal and -shm', kind: 'stops', act: removed('', '-wal', '-shm') },
  { name: 'left without its -wal', kind: 'stops', act: removed('-wal') },
  { name: 'left without its -shm', kind: 'stops', act: removed('-shm') },
  { name: 'given an empty -wal', kind: 'stops', act: (path) => replace(`${path}-wal`, '') },
  { name: 'renamed', kind: 'stops', act: (path) => renameSync(path, `${path}.old`) },
  { name: 'made read-only', kind: 'goes on', act: (path) => chmodSync(path, 0o444) },
  { name: 'touched', kind: 'goes on', act: (path) => utimesSync(path, 1, 1) },
];
