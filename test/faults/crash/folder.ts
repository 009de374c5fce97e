import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Files } from './disk.ts';

/** Returns a key that is equal for equal folders with the same number of acknowledged records. */
export function keyOf(files: Files, acknowledged: number): string {
  const hash = createHash('sha1').update(`${acknowledged}`);
  for (const name of [...files.keys()].sort()) {
    const bytes = files.get(name) as Buffer;
    hash.update(`\0${name}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('base64');
}

/** Replaces a folder by one with exactly these files. */
export function writeFiles(folder: string, files: Files): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
}

export function filesIn(folder: string): Files {
  return new Map(
    readdirSync(folder)
      .sort()
      .map((name) => [name, readFileSync(join(folder, name))]),
  );
}
