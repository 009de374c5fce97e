// Programs of the benchmarks: ours, and which of the peers are installed.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { root } from '../ready.mjs';

export const node = process.execPath;
export const quiet = '--quiet';
export const here = (name) => fileURLToPath(new URL(name, import.meta.url));
export const ours = (name, ...args) => [node, `${root}bin/${name}`, ...args];

/** Returns the Python that has a module; undefined if none has it. Distributions keep theirs in /usr/bin. */
export function python(module) {
  const has = (program) => spawnSync(program, ['-c', `import ${module}`]).status === 0;
  return ['python3', '/usr/bin/python3'].find(has);
}

/** Returns whether a package is installed: `npm ci` does not install the peers. */
export function hasModule(name) {
  try {
    return createRequire(import.meta.url).resolve(name) !== '';
  } catch {
    return false;
  }
}

/** Returns whether a program is installed. */
export function isThere(program) {
  return Boolean(program) && spawnSync('sh', ['-c', `command -v "${program}"`]).status === 0;
}
