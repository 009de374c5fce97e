import { isUtf8 } from 'node:buffer';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { ioError, jsonFault, TaskpipeError } from '../../../core/base/errors.ts';
import { privacyFault } from '../../../core/storage/file-privacy.ts';

/**
 * Reads a file with a secret. The file must be private.
 * @param option that names the file, for messages
 * @throws {TaskpipeError} `IO` if it cannot be read, `USAGE` if others can read it, and if it is not UTF-8
 */
export async function readSecretFile(option: string, path: string): Promise<string> {
  try {
    const file = await open(path, constants.O_RDONLY);
    try {
      const fault = privacyFault(option, path, await file.stat());
      if (fault !== undefined) throw new TaskpipeError('USAGE', fault);
      return textOf(await file.readFile(), option, path);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioError(`cannot read ${option}`, path, error);
  }
}

/** Decodes a file, without its byte order mark. A secret in another encoding would be sent as a different one. */
function textOf(bytes: Buffer, option: string, path: string): string {
  if (isUtf8(bytes)) return bytes.toString().replace(/^\ufeff/, '');
  throw new TaskpipeError(
    'USAGE',
    `${option} ${path}: not UTF-8; iconv -f LATIN1 -t UTF-8 ${path} converts it, if it is in Latin-1`,
  );
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
