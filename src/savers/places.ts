import { realPath } from '../core/durable.ts';
import { ioError, TaskpipeError } from '../core/errors.ts';

/** A file that a run writes, and what it is there for. */
export interface Place {
  /** As in `--rest`. */
  readonly use: string;
  readonly path: string | undefined;
}

/**
 * Sees to it that no file is written for two uses: one would destroy what the other has written.
 * @throws {TaskpipeError} `USAGE`
 */
export function checkPlaces(places: readonly Place[]): void {
  const uses = new Map<string, string>();
  for (const { use, path } of places) {
    if (path === undefined) continue;
    const real = realOf(use, path);
    const other = uses.get(real);
    if (other !== undefined) {
      throw new TaskpipeError('USAGE', `${use} must be another file than ${other}; both are ${path}`);
    }
    uses.set(real, use);
  }
}

function realOf(use: string, path: string): string {
  try {
    return realPath(path);
  } catch (error) {
    throw ioError(use.startsWith('--') ? `cannot use ${use}` : 'cannot use', path, error);
  }
}

/** The files that a rest file and an output are rewritten by have names of their own. */
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
    { use: '--ledger', path: ledger?.includes('://') ? undefined : ledger },
    { use: '--rejects', path: rejects },
  ];
}
