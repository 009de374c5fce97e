import type { Storage } from './atom-storage.ts';

/** Function that asks the deciders of an atom that is ready. Returns true if it may run; otherwise it ignores it. */
type Pass = (index: number) => boolean;

/**
 * Yields the atoms that may start after the atom `index` changed, like TaskFlow's selector. It checks each
 * atom only when the caller asks for the next one: ignoring one atom may let others start.
 * @param pass returns true if the deciders let a ready atom run; otherwise it has set the atom to `IGNORE`
 * @param isDecided true if a decision about the atom has changed what is to be done with others
 */
export function* nextOf(storage: Storage, index: number, pass: Pass, isDecided: boolean): Generator<number> {
  const { state, intention } = storage.record(index);
  if (state === 'SUCCESS') {
    if (intention === 'REVERT') yield* toRevert(storage, [index]);
    else if (intention === 'EXECUTE') yield* toExecuteAfter(storage, index, pass);
  } else if (state === 'REVERTED') yield* toRevertBefore(storage, index);
  else if (state === 'FAILURE') yield* toRevert(storage, isDecided ? storage.records.keys() : [index]);
}

/** Yields all atoms of the flow that may start. */
export function* allNext(storage: Storage, pass: Pass): Generator<number> {
  const passed = new Set<number>();
  const all = [...storage.records.keys()];
  while (yield* toExecute(storage, all, { pass, passed }));
  yield* toRevert(storage, all);
}

/**
 * Yields those of the candidates that may be executed.
 * @param passed those that were yielded before, and are left out
 * @returns true if one was ignored: the candidates must be checked again, because an earlier one may have waited for it
 */
function* toExecute(
  storage: Storage,
  candidates: Iterable<number>,
  { pass, passed }: { readonly pass: Pass; readonly passed: Set<number> },
): Generator<number, boolean> {
  let wasIgnored = false;
  for (const index of candidates) {
    if (!storage.isReadyToExecute(index) || passed.has(index)) continue;
    if (pass(index)) {
      passed.add(index);
      yield index;
    } else wasIgnored = true;
  }
  return wasIgnored;
}

/** Yields the atoms after one that may be executed now, the nearest first. */
function* toExecuteAfter(storage: Storage, index: number, pass: Pass): Generator<number> {
  const passed = new Set<number>();
  while (yield* toExecute(storage, candidatesAfter(storage, index), { pass, passed }));
}

/**
 * Yields atoms after one, in breadth-first order, as far as nothing but they can be ready: it goes on behind what
 * is done or ignored, and not behind what still waits. If an atom behind which it did not go is ignored
 * meanwhile, it goes on in the same order with all atoms.
 */
function* candidatesAfter(storage: Storage, start: number): Generator<number> {
  const { digraph, atoms, nodes } = storage.compiled.graph;
  const open = [...(digraph.successors[nodes[start] as number] as number[])];
  const seen = new Set<number>();
  const waiting: number[] = [];
  for (const node of open) {
    if (seen.has(node)) continue;
    seen.add(node);
    const index = atoms[node] as number;
    const wasPassed = storage.readiness.isPassed(node);
    if (index >= 0) yield index;
    if (!storage.readiness.isPassed(node)) waiting.push(node);
    else {
      if (!wasPassed && waiting.some((other) => storage.readiness.isPassed(other))) {
        const all = storage.compiled.graph.next(start);
        yield* all.slice(all.indexOf(index) + 1);
        return;
      }
      open.push(...(digraph.successors[node] as number[]));
    }
  }
}

/** Yields the atoms before one that may be reverted now that it was. */
function* toRevertBefore(storage: Storage, start: number): Generator<number> {
  const { digraph, atoms, nodes } = storage.compiled.graph;
  const open = [...(digraph.predecessors[nodes[start] as number] as number[])];
  const seen = new Set<number>();
  for (const node of open) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (storage.readiness.isCleared(node)) open.push(...(digraph.predecessors[node] as number[]));
    else yield* toRevert(storage, [atoms[node] as number]);
  }
}

function* toRevert(storage: Storage, candidates: Iterable<number>): Generator<number> {
  for (const index of candidates) if (index >= 0 && storage.isReadyToRevert(index)) yield index;
}

/** Returns true if every atom has succeeded or was ignored. */
export function isSuccess(storage: Storage): boolean {
  return storage.records.every(({ state }) => state === 'SUCCESS' || state === 'IGNORE');
}
