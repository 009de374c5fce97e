import { put } from './named.ts';

/**
 * Says whether the atom that a link leads to is to run.
 * @param results what the atoms gave that such links lead from, by their names
 */
export type Decider = (results: Readonly<Record<string, unknown>>) => boolean;

/**
 * What is left out where a decider says no: the atom and all that follows; or what follows in the same flow; or the
 * tasks right after it; or it alone.
 */
export type Depth = 'ALL' | 'FLOW' | 'NEIGHBORS' | 'ATOM';

/** The depths, the widest first: where several deciders say no, the widest of them counts. */
export const DEPTHS: readonly Depth[] = ['ALL', 'FLOW', 'NEIGHBORS', 'ATOM'];

/** A decider that an atom has to pass. */
export interface Gate {
  /** The index of the atom that the link leads from; -1 where that is a flow. */
  readonly from: number;
  readonly decider: Decider;
  readonly depth: Depth;
}

/** What a gate can see of an atom. */
export interface AtomView {
  readonly name: string;
  readonly isIgnored: boolean;
  readonly result: unknown;
}

/**
 * Asks all deciders of an atom. Those of atoms that were left out themselves are not asked.
 * @returns how much is to be left out; undefined where the atom is to run
 * @throws what a decider throws
 */
export function refusal(gates: readonly Gate[], see: (atom: number) => AtomView): Depth | undefined {
  const asked = gates.filter(({ from }) => from < 0 || !see(from).isIgnored);
  if (asked.length === 0) return undefined;
  const results: Record<string, unknown> = {};
  for (const { from } of asked) {
    if (from < 0) continue;
    const { name, result } = see(from);
    put(results, name, result);
  }
  const refused = asked.filter(({ decider }) => !decider(results)).map(({ depth }) => depth);
  return DEPTHS.find((depth) => refused.includes(depth));
}
