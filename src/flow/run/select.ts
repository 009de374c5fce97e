import type { CompiledAtom } from '../plan/compile.ts';
import type { Storage } from './atom-storage.ts';

/**
 * Yields the atoms that may start after the atom `index` changed, like TaskFlow's selector. It checks each
 * atom only when the caller asks for the next one: ignoring one atom may let others start.
 * @param pass returns true if the deciders let a ready atom run; otherwise it has set the atom to `IGNORE`
 */
export function* nextOf(
  storage: Storage,
  index: number,
  pass: (index: number) => boolean,
): Generator<number> {
  const { state, intention } = storage.record(index);
  const atom = storage.compiled.atoms[index] as CompiledAtom;
  if (state === 'SUCCESS') {
    if (intention === 'REVERT') {
      if (isReadyToRevert(storage, index)) yield index;
    } else if (intention === 'EXECUTE') yield* toExecute(storage, atom.next, pass);
  } else if (state === 'REVERTED') {
    // A controller that was ignored is not reverted, so the atoms beyond it are checked now.
    const isOpen = atom.back.some((other) => isIgnoredRetry(storage, other));
    yield* toRevert(storage, isOpen ? storage.records.keys() : atom.back);
  } else if (state === 'FAILURE') yield* toRevert(storage, storage.records.keys());
}

/** Yields all atoms of the flow that may start. */
export function* allNext(storage: Storage, pass: (index: number) => boolean): Generator<number> {
  yield* toExecute(storage, [...storage.records.keys()], pass);
  yield* toRevert(storage, storage.records.keys());
}

/** Checks the candidates again after one was ignored, because an earlier one may have waited for it. */
function* toExecute(
  storage: Storage,
  candidates: readonly number[],
  pass: (index: number) => boolean,
): Generator<number> {
  const passed = new Set<number>();
  let wasIgnored: boolean;
  do {
    wasIgnored = false;
    for (const index of candidates) {
      if (!isReadyToExecute(storage, index) || passed.has(index)) continue;
      if (pass(index)) {
        passed.add(index);
        yield index;
      } else wasIgnored = true;
    }
  } while (wasIgnored);
}

function isIgnoredRetry({ compiled, records }: Storage, index: number): boolean {
  return compiled.atoms[index]?.kind === 'retry' && records[index]?.state === 'IGNORE';
}

function* toRevert(storage: Storage, candidates: Iterable<number>): Generator<number> {
  for (const index of candidates) if (isReadyToRevert(storage, index)) yield index;
}

function isReadyToExecute(storage: Storage, index: number): boolean {
  const { state, intention } = storage.record(index);
  if (intention !== 'EXECUTE' || (state !== 'PENDING' && state !== 'RETRYING')) return false;
  return (storage.compiled.atoms[index] as CompiledAtom).before.every((other) => {
    const earlier = storage.record(other);
    return (
      (earlier.state === 'SUCCESS' && earlier.intention === 'EXECUTE') ||
      (earlier.state === 'IGNORE' && earlier.intention === 'IGNORE')
    );
  });
}

/** Returns true if an atom may be reverted, or if a retry controller may begin its next try. */
function isReadyToRevert(storage: Storage, index: number): boolean {
  const { state, intention } = storage.record(index);
  if (intention !== 'REVERT' && intention !== 'RETRY') return false;
  if (state !== 'SUCCESS' && state !== 'FAILURE') return false;
  return (storage.compiled.atoms[index] as CompiledAtom).after.every((other) => {
    const later = storage.record(other).state;
    return later === 'PENDING' || later === 'REVERTED' || later === 'IGNORE';
  });
}

/** Returns true if every atom has succeeded or was ignored. */
export function isSuccess(storage: Storage): boolean {
  return storage.records.every(({ state }) => state === 'SUCCESS' || state === 'IGNORE');
}
