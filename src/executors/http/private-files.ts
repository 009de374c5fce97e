import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ioError, systemCode, TaskpipeError } from '../../core/base/errors.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/** The permissions of a file that nobody else may read. */
export const PRIVATE = 0o600;

/**
 * Replaces a file, or makes it: writes another one and renames it, so that nobody sees half of it. What stands at
 * either name, a symbolic link above all, is not written through: the rename puts the file in its place.
 * @param options.mode its permissions; default: what the process gives
 * @param options.lasting whether it must outlive a loss of power from when this resolves
 * @throws {TaskpipeError} `IO`
 */
export async function replaceFile(
  path: string,
  data: Buffer | string,
  { mode = 0o666, lasting = false }: { readonly mode?: number; readonly lasting?: boolean } = {},
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, mode);
    try {
      await file.writeFile(data);
      if (lasting) await file.datasync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    if (lasting) await syncName(path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}); // why it can't be written says more
    throw ioError('cannot write', path, error);
  }
}

/** Makes the name of a file last: fsync of its folder, off the main thread. */
async function syncName(path: string): Promise<void> {
  const folder = await open(dirname(path)).catch(() => undefined); // one that can't be read can't be synced
  try {
    await folder?.sync();
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP'].includes(systemCode(error) ?? '')) throw error;
  } finally {
    await folder?.close();
  }
}

/** Finds out early that a file can't be put into its folder. @throws {TaskpipeError} `IO` */
export async function mustBeWritable(option: string, path: string): Promise<void> {
  try {
    await access(dirname(path), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw ioError(`cannot write ${option}`, path, error);
  }
}

/** Makes a folder, if it does not exist yet; its parent must exist. @throws {TaskpipeError} `IO`, also if it cannot be written to */
export async function makeFolder(path: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(path, { mode }); // not with `recursive`: Node 20 loops for ever where the kernel denies a folder with ENOENT
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw ioError('cannot make', path, error);
    if (!(await isFolder(path))) throw new TaskpipeError('IO', `cannot make ${path}: it is a file`);
    await access(path, constants.W_OK | constants.X_OK).catch((denied) => {
      throw ioError('cannot write to', path, denied);
    });
    return;
  }
  await syncName(path);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw ioError('cannot make', path, error);
  }
}
