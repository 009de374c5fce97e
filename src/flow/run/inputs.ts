import type { Inputs } from '../atom.ts';
import { put } from '../named.ts';
import type { CompiledAtom, Source } from '../plan/compile.ts';
import { valueIn } from '../plan/provision.ts';
import type { Storage } from './atom-storage.ts';

/** Marker for a value that no source provides; undefined is a valid value. */
const MISSING: unique symbol = Symbol('missing');

/** Inputs of an atom, and the first required one that is missing. */
export interface Gathered {
  readonly inputs: Record<string, unknown>;
  /** Its name outside the atom; undefined if none is missing. */
  readonly missing: string | undefined;
}

/**
 * Gathers the inputs of an atom: injected values first, then those of earlier atoms, then the store.
 * @param isRevert true for the inputs of its `revert`. Only those that `execute` does not have then count as missing.
 */
export function gather(storage: Storage, atom: CompiledAtom, store: Inputs, isRevert = false): Gathered {
  const { inject } = atom.atom ?? atom.retry ?? {};
  const inputs: Record<string, unknown> = inject === undefined ? {} : { ...inject };
  let missing: string | undefined;
  for (const source of atom.sources) {
    if (source.isForRevert && !isRevert) continue;
    const value = find(storage, source, store, inject);
    if (value !== MISSING) put(inputs, source.argument, value);
    else if (!source.isOptional && source.isForRevert === isRevert) missing ??= source.name;
  }
  return { inputs, missing };
}

function find(
  storage: Storage,
  { name, providers }: Source,
  store: Inputs,
  inject: Inputs | undefined,
): unknown {
  if (inject !== undefined && Object.hasOwn(inject, name)) return inject[name];
  for (let at = 0; ; at++) {
    const provider = providers.at(at);
    if (provider === undefined) break;
    const { placed, provision } = provider;
    const { state, result } = storage.record(storage.compiled.graph.atoms[placed.branch.head] as number);
    if (state !== 'SUCCESS') continue; // the atom was ignored
    const value = valueIn(result, provision);
    const isWhole = provision.key === undefined && provision.index === undefined;
    if (isWhole || value !== undefined) return copyOf(value);
  }
  return Object.hasOwn(store, name) ? store[name] : MISSING;
}

/** Returns a copy of a result, so that an atom that changes its input does not change the stored result. */
export function copyOf(result: unknown): unknown {
  return typeof result === 'object' ? structuredClone(result) : result;
}

/** Returns the values from all atoms in state `SUCCESS`, by the names that they provide. */
export function providedBy(storage: Storage): Record<string, unknown> {
  const provided: Record<string, unknown> = {};
  let index = 0;
  for (const { provisions } of storage.compiled.atoms) {
    const { state, result } = storage.record(index++);
    if (state !== 'SUCCESS') continue;
    for (const provision of provisions) {
      const value = valueIn(result, provision);
      if (value !== undefined) put(provided, provision.name, value);
    }
  }
  return provided;
}
