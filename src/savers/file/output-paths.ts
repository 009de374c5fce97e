import { filePath, type Place } from '../../core/storage/path-conflicts.ts';

/**
 * Returns the paths that a run writes, with those of the temporary files beside the output and the rest file.
 */
export function placesOf(
  out: string | undefined,
  files: { rest: string; ledger: string | undefined; rejects: string | undefined },
): readonly Place[] {
  const { rest, ledger, rejects } = files;
  const besides = (use: string, path: string | undefined, endings: readonly string[]): Place[] =>
    path === undefined ? [] : endings.map((ending) => ({ use: `${use}${ending}`, path: path + ending }));
  return [
    ...besides('OUT', out, ['', '.run', '.new', '.wide']),
    ...besides('--rest', rest, ['', '.run', '.new']),
    { use: '--ledger', path: filePath(ledger) },
    { use: '--rejects', path: rejects },
  ];
}
