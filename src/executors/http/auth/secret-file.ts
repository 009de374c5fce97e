import { constants, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import { platform } from 'node:os';
import { ioError, jsonFault, TaskpipeError } from '../../../core/base/errors.ts';

/**
 * Reads a file that has a secret. Other users must not be able to read it; the group may if the owner is root, as
 * for mounted secrets. A pipe, such as that of `<(command)`, is private.
 * @param option that names the file, for messages
 * @throws {TaskpipeError} `IO` if it cannot be read, `USAGE` if others can read it
 */
export async function readSecretFile(option: string, path: string): Promise<string> {
  try {
    const file = await open(path, constants.O_RDONLY);
    try {
      if (isOpenToOthers(await file.stat()))
        throw new TaskpipeError(
          'USAGE',
          `${option} ${path}: other users of this machine can read it; chmod 600 ${path}`,
        );
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioError(`cannot read ${option}`, path, error);
  }
}

function isOpenToOthers(stats: Stats): boolean {
  if (!stats.isFile() || platform() === 'win32') return false;
  return (stats.mode & (stats.uid === 0 ? 0o027 : 0o077)) !== 0;
}

/** Reads a secret file that is a JSON object. @throws {TaskpipeError} as `readSecretFile`, and `USAGE` for anything else */
export async function readSecretObject(option: string, path: string): Promise<Record<string, unknown>> {
  const text = await readSecretFile(option, path);
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\ufeff/, '')); // editors of Windows begin a file with a byte order mark
  } catch (error) {
    throw new TaskpipeError('USAGE', `${option} ${path}: not JSON: ${jsonFault(error)}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new TaskpipeError('USAGE', `${option} ${path} must be a JSON object`);
}
