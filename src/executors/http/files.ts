import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { ioError, systemCode, TaskpipeError } from '../../core/errors.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/**
 * Replaces a file, or makes it: writes another one and renames it, so that nobody sees half of it.
 * @param mode its permissions
 * @throws {TaskpipeError} `IO`
 */
export async function replaceFile(path: string, data: Buffer | string, mode = 0o666): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, mode);
    try {
      await file.writeFile(data);
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}); // why it can't be written says more
    throw ioError('cannot write', path, error);
  }
}

/** Makes a folder, where it is not there yet; the one that it is to be in must be. @throws {TaskpipeError} `IO` */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path); // not with `recursive`: Node 20 loops for ever where the kernel denies a folder with ENOENT
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw ioError('cannot make', path, error);
    if (!(await isFolder(path))) throw new TaskpipeError('IO', `cannot make ${path}: it is a file`);
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw ioError('cannot make', path, error);
  }
}
