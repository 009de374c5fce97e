import type { Storage } from '../atom-storage.ts';

/**
 * Receiver of the atoms that may start. It has functions instead of generators, because a run of one atom would
 * create ten generators.
 */
export interface AtomSelection {
  /** Asks the deciders of an atom that is ready. Returns true if it may run; otherwise the atom is ignored now. */
  pass(index: number): boolean;
  /** Takes an atom that may start. */
  add(index: number): void;
}

/** Set of numbers. Usually there are few, and then an array is cheaper than a `Set`. */
class Once {
  #few: number[] | undefined;
  #many: Set<number> | undefined;

  has(number: number): boolean {
    return (this.#many === undefined ? this.#few?.includes(number) : this.#many.has(number)) ?? false;
  }

  /** Returns true if the number is new. */
  add(number: number): boolean {
    if (this.has(number)) return false;
    if (this.#few === undefined) this.#few = [number];
    else if (this.#many !== undefined) this.#many.add(number);
    else if (this.#few.length < 16) this.#few.push(number);
    else this.#many = new Set(this.#few).add(number);
    return true;
  }
}

/**
 * Selects the atoms that may start after the atom `index` changed, like TaskFlow's selector. It checks an atom only
 * after the previous one was taken, because ignoring one atom may allow others to start.
 * @param isDecided true if a decision about the atom has changed the intentions of others
 */
export function selectNext(storage: Storage, index: number, isDecided: boolean, to: AtomSelection): void {
  const { state, intention } = storage.record(index);
  if (state === 'SUCCESS') {
    if (intention === 'REVERT') selectToRevert(storage, index, to);
    else if (intention === 'EXECUTE') selectAfter(storage, index, to);
  } else if (state === 'REVERTED') selectBefore(storage, index, to);
  else if (state === 'FAILURE' && !isDecided) selectToRevert(storage, index, to);
  else if (state === 'FAILURE')
    for (const other of storage.records.keys()) selectToRevert(storage, other, to);
}

/** Selects all atoms of the flow that may start. */
export function selectAll(storage: Storage, to: AtomSelection): void {
  const { length } = storage.records;
  const passed = new Once();
  for (let wasIgnored = true; wasIgnored; ) {
    wasIgnored = false;
    for (let index = 0; index < length; index++)
      if (!selectToExecute(storage, index, passed, to)) wasIgnored = true;
  }
  for (let index = 0; index < length; index++) selectToRevert(storage, index, to);
}

/** Returns true if there is an atom that may start, unless its deciders say no. */
export function isAnyReady(storage: Storage): boolean {
  return storage.records.some(
    (_, index) => storage.isReadyToExecute(index) || storage.isReadyToRevert(index),
  );
}

function selectToRevert(storage: Storage, index: number, to: AtomSelection): void {
  if (storage.isReadyToRevert(index)) to.add(index);
}

/**
 * Selects an atom if it may be executed.
 * @param passed atoms that were selected before, and are skipped
 * @returns false if it was ignored: others must be checked again, because they may have waited for it
 */
function selectToExecute(storage: Storage, index: number, passed: Once, to: AtomSelection): boolean {
  if (!storage.isReadyToExecute(index) || passed.has(index)) return true;
  if (!to.pass(index)) return false;
  passed.add(index);
  to.add(index);
  return true;
}

/** Selects the atoms after one that may be executed now, the nearest first. */
function selectAfter(storage: Storage, start: number, to: AtomSelection): void {
  const next = storage.compiled.graph.digraph.successors[storage.compiled.graph.nodes[start] as number];
  if (next?.length === 0) return;
  const passed = new Once();
  while (!sweepAfter(storage, start, passed, to));
}

/**
 * Checks the atoms after one in breadth-first order, as far as they can be ready: it continues after atoms that are
 * done or ignored, but not after waiting ones. If an atom that it had passed is ignored meanwhile, it continues in
 * the same order with all atoms.
 * @returns false if an atom was ignored
 */
function sweepAfter(storage: Storage, start: number, passed: Once, to: AtomSelection): boolean {
  const { readiness, compiled } = storage;
  const { digraph, atoms, nodes } = compiled.graph;
  const open = (digraph.successors[nodes[start] as number] as number[]).slice();
  const seen = new Once();
  const waiting: number[] = [];
  let wasIgnored = false;
  for (const node of open) {
    if (!seen.add(node)) continue;
    const index = atoms[node] as number;
    const isIgnored = index >= 0 && !selectToExecute(storage, index, passed, to);
    if (isIgnored && waiting.some((other) => readiness.isPassed(other))) {
      const all = compiled.graph.next(start);
      for (const other of all.slice(all.indexOf(index) + 1)) selectToExecute(storage, other, passed, to);
      return false;
    }
    wasIgnored ||= isIgnored;
    if (readiness.isPassed(node)) for (const next of digraph.successors[node] as number[]) open.push(next);
    else waiting.push(node);
  }
  return !wasIgnored;
}

/** Selects the atoms before one that may be reverted now that it was. */
function selectBefore(storage: Storage, start: number, to: AtomSelection): void {
  const { digraph, atoms, nodes } = storage.compiled.graph;
  const open = (digraph.predecessors[nodes[start] as number] as number[]).slice();
  const seen = new Once();
  for (const node of open) {
    if (!seen.add(node)) continue;
    const index = atoms[node] as number;
    if (storage.readiness.isCleared(node))
      for (const before of digraph.predecessors[node] as number[]) open.push(before);
    else if (index >= 0) selectToRevert(storage, index, to);
  }
}

/** Returns true if every atom has succeeded or was ignored. */
export function isSuccess(storage: Storage): boolean {
  return storage.records.every(({ state }) => state === 'SUCCESS' || state === 'IGNORE');
}
