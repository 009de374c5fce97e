import type { CompiledAtom } from '../plan/compile.ts';
import type { Storage } from './atom-storage.ts';

/**
 * What may start next, after TaskFlow's selector. Each is looked at when it is asked for, for what a decider leaves out
 * may let others start.
 * @param pass whether the deciders let an atom run that is ready; where not, it has been left out by then
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
  } else if (state === 'REVERTED') yield* toRevert(storage, atom.back);
  else if (state === 'FAILURE') yield* toRevert(storage, storage.records.keys());
}

/** What may start at all: at the beginning, and where a run goes on. */
export function* allNext(storage: Storage, pass: (index: number) => boolean): Generator<number> {
  yield* toExecute(storage, storage.records.keys(), pass);
  yield* toRevert(storage, storage.records.keys());
}

function* toExecute(
  storage: Storage,
  candidates: Iterable<number>,
  pass: (index: number) => boolean,
): Generator<number> {
  for (const index of candidates) if (isReadyToExecute(storage, index) && pass(index)) yield index;
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

/** Whether an atom may be reverted; for a retry controller that is to try again, whether it may do that. */
function isReadyToRevert(storage: Storage, index: number): boolean {
  const { state, intention } = storage.record(index);
  if (intention !== 'REVERT' && intention !== 'RETRY') return false;
  if (state !== 'SUCCESS' && state !== 'FAILURE') return false;
  return (storage.compiled.atoms[index] as CompiledAtom).after.every((other) => {
    const later = storage.record(other).state;
    return later === 'PENDING' || later === 'REVERTED' || later === 'IGNORE';
  });
}

/** Whether all atoms ended well, or were left out. */
export function isSuccess(storage: Storage): boolean {
  return storage.records.every(({ state }) => state === 'SUCCESS' || state === 'IGNORE');
}
