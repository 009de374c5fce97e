import {
  chmodSync,
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
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Edit } from './edit.ts';

/** Edits that apply to a file of any format. */
export const wholeFiles: readonly Edit[] = [
  { name: 'touched', kind: 'harmless', apply: ({ path }) => utimesSync(path, 1e9, 1e9) },
  { name: 'saved as it is', kind: 'harmless', apply: ({ path }) => writeFileSync(path, readFileSync(path)) },
  { name: 'made readable for others', kind: 'harmless', apply: ({ path }) => chmodSync(path, 0o644) },
  {
    name: 'replaced by a copy',
    kind: 'harmless',
    apply({ path }) {
      cpSync(path, `${path}.copy`);
      renameSync(`${path}.copy`, path);
    },
  },
  {
    name: 'moved away and replaced by a link to it',
    kind: 'harmless',
    apply({ path }) {
      const folder = join(dirname(path), 'elsewhere');
      mkdirSync(folder);
      renameSync(path, join(folder, basename(path)));
      symlinkSync(join('elsewhere', basename(path)), path);
    },
  },
  {
    name: 'given a second name',
    kind: 'harmless',
    apply: ({ path }) => linkSync(path, `${path}.backup`),
  },
  { name: 'emptied', kind: 'lossy', isAlone: true, apply: ({ path }) => truncateSync(path, 0) },
  { name: 'removed', kind: 'lossy', apply: ({ path }) => rmSync(path) },
  { name: 'replaced by an older copy', kind: 'lossy', apply: ({ path, old }) => replace(path, old) },
  {
    name: 'overwritten with an older copy',
    kind: 'lossy',
    apply: ({ path, old }) => writeFileSync(path, old),
  },
  {
    name: 'overwritten with an older copy of the same time',
    kind: 'lossy',
    apply({ path, old }) {
      const { atime, mtime } = statSync(path);
      writeFileSync(path, old);
      utimesSync(path, atime, mtime);
    },
  },
  {
    name: 'replaced by a link to an older copy',
    kind: 'lossy',
    apply({ path, old }) {
      const folder = join(dirname(path), 'backup');
      mkdirSync(folder);
      writeFileSync(join(folder, basename(path)), old);
      rmSync(path);
      symlinkSync(join('backup', basename(path)), path);
    },
  },
  { name: 'packed', kind: 'broken', apply: ({ path }) => writeFileSync(path, gzipSync(readFileSync(path))) },
  { name: 'replaced by a web page', kind: 'unclear', apply: ({ path }) => writeFileSync(path, PAGE) },
];

const PAGE = '<!DOCTYPE html>\n<html><body>404, "not found"</body></html>\n';

function replace(path: string, bytes: Buffer): void {
  writeFileSync(`${path}.tmp`, bytes);
  renameSync(`${path}.tmp`, path);
}
