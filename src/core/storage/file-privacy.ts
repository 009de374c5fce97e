import type { Stats } from 'node:fs';
import { platform } from 'node:os';

/**
 * Returns a message if other users can read a file that has a secret. The group may read it if the owner is root, as for
 * mounted secrets. A pipe, such as that of `<(command)`, is private.
 * @param option that names the file
 */
export function privacyFault(option: string, path: string, stats: Stats): string | undefined {
  if (!stats.isFile() || platform() === 'win32') return undefined;
  if ((stats.mode & (stats.uid === 0 ? 0o027 : 0o077)) === 0) return undefined;
  return `${option} ${path}: other users of this machine can read it; chmod 600 ${path}`;
}
