/*
 * Golden cases: each folder in cases/ has a `cmd`, run by bash in a copy of the folder, and what it must print:
 * `stdout`, `stderr` and `code`. `npm run cases` rewrites these; the change is then reviewed as a diff.
 */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshFolder, root, sh } from './support/run.ts';

const cases = join(root, 'test/cases');

describe('golden cases', () => {
  for (const name of readdirSync(cases).sort()) {
    test.concurrent(name.replaceAll('-', ' '), async () => {
      const folder = join(cases, name);
      const cwd = freshFolder();
      cpSync(folder, cwd, { recursive: true });
      for (const file of ['cmd', 'stdout', 'stderr', 'code']) rmSync(join(cwd, file), { force: true });
      const { stdout, stderr, code } = await sh(readFileSync(join(folder, 'cmd'), 'utf8'), { cwd });
      const seen = { stdout, stderr, code: `${code}\n` };
      if (process.env.RENEW_CASES) renew(folder, seen);
      expect(seen).toEqual({
        stdout: read(folder, 'stdout'),
        stderr: read(folder, 'stderr'),
        code: read(folder, 'code'),
      });
    });
  }
});

function read(folder: string, file: string): string {
  return existsSync(join(folder, file)) ? readFileSync(join(folder, file), 'utf8') : '';
}

function renew(folder: string, seen: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(seen)) {
    if (text === '') rmSync(join(folder, file), { force: true });
    else writeFileSync(join(folder, file), text);
  }
}
