import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freshFolder, root, sh } from './run.ts';

export interface Packed {
  readonly tarball: string;
  /** Files in the tarball, by their path in the package, with their size in bytes. */
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/** Packs the project in its current state, as `npm publish` does. */
export async function pack(): Promise<Packed> {
  const folder = freshFolder();
  // dist/ is built before the tests begin. A build now would replace it while other tests use it.
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
 * Installs a tarball into an empty project by npm, without a network. Its dependencies are copied from the
 * node_modules of this project first.
 * @returns folder of the project
 * @throws if npm prints a warning
 */
export async function install(tarball: string): Promise<string> {
  const folder = freshFolder();
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  for (const [path, { dev }] of Object.entries<{ dev?: boolean }>(packages)) {
    const isNeeded = /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) && dev !== true;
    if (isNeeded && existsSync(join(root, path))) copyPackage(folder, path);
  }
  copyPackage(folder, 'node_modules/.bin'); // npm downloads packages again whose executables are not linked
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  const { code, stderr } = await sh(`npm install --offline --no-audit --no-fund '${tarball}'`, {
    cwd: folder,
  });
  if (code !== 0 || stderr.includes('npm warn')) throw new Error(stderr);
  return folder;
}

/** Copies a path of this project to the same path of another one. */
export function copyPackage(folder: string, path: string): void {
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  cpSync(join(root, path), join(folder, path), { recursive: true, verbatimSymlinks: true });
}
