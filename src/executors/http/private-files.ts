import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, type FileHandle, link, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ioError, systemCode, TaskpipeError } from '../../core/base/errors.ts';
import { whenFilesAreFree } from './transport/local-shortage.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/** Permissions of a file that only its owner may read. */
export const PRIVATE = 0o600;

/**
 * Replaces a file atomically: writes another one and renames it. A symbolic link at either name is not
 * followed; the rename replaces it.
 * @param options.mode permissions; default: those of the process
 * @param options.lasting whether the file must survive a power loss once this resolves
 * @throws {TaskpipeError} `IO`
 */
export async function replaceFile(
  path: string,
  data: Buffer | string,
  { mode = 0o666, lasting = false }: { readonly mode?: number; readonly lasting?: boolean } = {},
): Promise<void> {
  const temporary = temporaryOf(path);
  try {
    const file = await create(temporary, mode);
    try {
      await file.writeFile(data);
      if (lasting) await file.datasync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    if (lasting) await syncName(path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}); // the first error explains more
    throw ioError('cannot write', path, error);
  }
}

function temporaryOf(path: string): string {
  return `${path}.${randomBytes(6).toString('hex')}.tmp`;
}

function create(temporary: string, mode: number): Promise<FileHandle> {
  return whenFilesAreFree(() => open(temporary, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, mode));
}

/** Opens a new file whose name begins with a path. Rejects as `open` does. */
export async function openTemporary(
  path: string,
): Promise<{ readonly file: FileHandle; readonly path: string }> {
  const temporary = temporaryOf(path);
  return { file: await create(temporary, 0o666), path: temporary };
}

/** Makes a file of this many bytes durable, and closes it. @throws {TaskpipeError} `IO` */
export async function sealFile(file: FileHandle, path: string, bytes: number): Promise<void> {
  try {
    await file.datasync();
    const { size } = await file.stat();
    if (size !== bytes)
      throw new TaskpipeError('IO', `${path} was changed by another program while it was written`);
  } catch (error) {
    throw ioError('cannot write', path, error);
  } finally {
    await file.close();
  }
}

/** Writes a new file whose name begins with a path, and makes it durable. Returns its name. @throws {TaskpipeError} `IO` */
export async function writeTemporary(path: string, data: Buffer): Promise<string> {
  const temporary = temporaryOf(path);
  try {
    const file = await create(temporary, 0o666);
    await file.writeFile(data).catch((error) => file.close().then(() => Promise.reject(error)));
    await sealFile(file, temporary, data.length);
    return temporary;
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}); // the first error explains more
    throw ioError('cannot write', path, error);
  }
}

/** Renames a file, and replaces an existing file. Rejects as `rename` does. */
export async function moveFile(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncName(to);
}

/** Error codes of file systems without hard links. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** Renames a file, unless the new name exists. Rejects with the code `EEXIST`, and as `link` does. */
export async function moveToFreeName(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!NO_LINKS.has(systemCode(error) ?? '')) throw error;
    await (await open(to, 'wx')).close(); // takes the name
    return moveFile(from, to);
  }
  await rm(from, { force: true });
  await syncName(to);
}

/** Removes a temporary file. Does not throw: the earlier error explains more. */
export async function discardFile(file: FileHandle, temporary: string): Promise<void> {
  await file.close().catch(() => {});
  await rm(temporary, { force: true }).catch(() => {});
}

/** Makes the name of a file durable: fsync of its folder, off the main thread. */
export async function syncName(path: string): Promise<void> {
  const folder = await whenFilesAreFree(() => open(dirname(path))).catch(() => undefined); // a folder that cannot be read cannot be synced
  try {
    await folder?.sync();
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP'].includes(systemCode(error) ?? '')) throw error;
  } finally {
    await folder?.close();
  }
}

/** Checks early that a file can be created in its folder. @throws {TaskpipeError} `IO` */
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
    await mkdir(path, { mode }); // not `recursive`: Node 20 loops forever if the kernel denies a folder with ENOENT
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
