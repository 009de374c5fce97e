import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freshFolder, root, sh } from './run.ts';

export interface Packed {
  /** The path of the tarball. */
  readonly tarball: string;
  /** What is in it, by its path in the package, with its size in bytes. */
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/** Packs the project as it is, as `npm publish` does. */
export async function pack(): Promise<Packed> {
  const folder = freshFolder();
  // dist/ is built before the tests begin: a build in their midst would take it from under those that run.
  const { stdout, stderr, code } = await sh(
    `npm pack --json --ignore-scripts --pack-destination '${folder}'`,
    {
      cwd: root,
    },
  );
  if (code !== 0) throw new Error(stderr);
  const [{ filename, files }] = JSON.parse(stdout);
  return { tarball: join(folder, filename), files };
}

/**
 * Installs a tarball into an empty project, by npm and without a network: what it depends on is there before, copied
 * from where `npm ci` has put it.
 * @returns the folder of the project
 * @throws if npm prints a warning
 */
export async function install(tarball: string): Promise<string> {
  const folder = freshFolder();
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  for (const [path, { dev }] of Object.entries<{ dev?: boolean }>(packages)) {
    const isNeeded = /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) && dev !== true;
    if (isNeeded && existsSync(join(root, path))) copyPackage(folder, path);
  }
  copyPackage(folder, 'node_modules/.bin'); // npm fetches anew what has executables that are not linked
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  const { code, stderr } = await sh(`npm install --offline --no-audit --no-fund '${tarball}'`, {
    cwd: folder,
  });
  if (code !== 0 || stderr.includes('npm warn')) throw new Error(stderr);
  return folder;
}

/** Copies what is at a path of this project to the same path of another. */
export function copyPackage(folder: string, path: string): void {
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  cpSync(join(root, path), join(folder, path), { recursive: true, verbatimSymlinks: true });
}
