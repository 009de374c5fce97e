import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from '../../support/run.ts';

/** Build of taskpipe that faults are tried on. */
export interface Program {
  /** Value of `env` for `sh` and `startPipeline`: its executables come first in PATH. */
  readonly env: Readonly<Record<string, string>>;
  library(): Promise<typeof import('../../../src/index.ts')>;
}

/** Build under test. */
export const ours: Program = programIn(root);

function programIn(folder: string): Program {
  return {
    env: { PATH: `${join(folder, 'bin')}:${process.env.PATH}` },
    library: () => import(pathToFileURL(join(folder, 'dist/index.js')).href),
  };
}

/** Change to the built code that breaks a promise. */
export interface Mistake {
  readonly name: string;
  /** Text in the built code, which must occur exactly once, and its replacement. */
  readonly from: string;
  readonly to: string;
}

/** Returns a build with a mistake. It is placed where Node finds the packages. */
export function wrong({ name, from, to }: Mistake): Program {
  const folder = join(root, 'node_modules/.cache/taskpipe-wrong', name.replace(/\W+/g, '-'));
  rmSync(folder, { recursive: true, force: true });
  for (const part of ['bin', 'dist', 'package.json']) {
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  const dist = join(folder, 'dist');
  let found = 0;
  for (const file of readdirSync(dist).filter((file) => file.endsWith('.js'))) {
    const pieces = readFileSync(join(dist, file), 'utf8').split(from);
    found += pieces.length - 1;
    writeFileSync(join(dist, file), pieces.join(to));
  }
  if (found !== 1)
    throw new Error(`${name}: ${JSON.stringify(from)} is ${found} times in dist/; it must be once`);
  return programIn(folder);
}
