// Installs and builds what is missing, so that a fresh clone needs no other command first.
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Runs a program in the folder of the project. It writes to our output. */
export function run(program, ...args) {
  execFileSync(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
}

export function ready() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new Error(`taskpipe needs Node 20.19 or later; this is ${process.versions.node}`);
  }
  // If the folder is a link, npm would empty its target, which other worktrees use.
  if (!isLink('node_modules') && changed('package-lock.json') > changed('node_modules/.package-lock.json')) {
    run('npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund');
  }
  const newest = Math.max(
    changed('package.json'),
    changed('tsconfig.json'),
    changed('scripts/build.mjs'),
    newestIn('src'),
  );
  if (newest > changed('dist/index.d.ts')) run('node', 'scripts/build.mjs');
}

/** Returns the time of the last change of a file of the project, in milliseconds; 0 if it does not exist. */
function changed(path) {
  return existsSync(join(root, path)) ? statSync(join(root, path)).mtimeMs : 0;
}

function isLink(path) {
  return lstatSync(join(root, path), { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

function newestIn(folder) {
  return Math.max(
    ...readdirSync(join(root, folder), { recursive: true }).map((name) =>
      changed(join(folder, String(name))),
    ),
  );
}
