import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from '../base/errors.ts';
import { pathBytes } from '../text/encoding.ts';

/**
 * Makes a folder and those above it, as `mkdir -p` does. The option `recursive` of Node loops forever if the kernel
 * denies a folder with ENOENT, as in /proc.
 * @throws a system error
 */
export async function makeFolders(path: string): Promise<void> {
  try {
    await makeFolder(path);
  } catch (error) {
    const parent = dirname(path);
    if (systemCode(error) !== 'ENOENT' || parent === path) throw error;
    await makeFolders(parent);
    await makeFolder(path);
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(pathBytes(path));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw error;
    // It may exist, also on a file system that is read-only.
    const there = await stat(pathBytes(path)).catch(() => undefined);
    if (there?.isDirectory() !== true) throw error;
  }
}
