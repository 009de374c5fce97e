import { put } from './named.ts';

/**
 * Function that returns true if the target of its link may run.
 * @param results results of the source atoms of links with deciders, by atom name; without those of ignored atoms and
 *   of flows
 */
export type Decider = (results: Readonly<Record<string, unknown>>) => boolean;

/**
 * Parts to ignore if a decider says no. The atom itself always is.
 * - `ALL`: also everything after it.
 * - `FLOW`: also the tasks after it in the same flow, up to a nested flow.
 * - `NEIGHBORS`: also the tasks directly after it.
 * - `ATOM`: nothing else.
 */
export type Depth = 'ALL' | 'FLOW' | 'NEIGHBORS' | 'ATOM';

/** Depths, the widest first. If several deciders say no, the widest of their depths counts. */
export const DEPTHS: readonly Depth[] = ['ALL', 'FLOW', 'NEIGHBORS', 'ATOM'];

/** Decider that an atom has to pass. */
export interface Gate {
  /** Index of the atom that the link leads from; -1 if it leads from a flow. */
  readonly from: number;
  readonly decider: Decider;
  readonly depth: Depth;
}

/** State of an atom that is the source of a link with a decider. */
export interface AtomView {
  readonly name: string;
  readonly isIgnored: boolean;
  readonly result: unknown;
}

/** @throws {TypeError} if the answer is a promise, which would count as yes */
function answerOf(answer: unknown): boolean {
  if (typeof (answer as PromiseLike<unknown> | undefined)?.then === 'function')
    throw new TypeError('a decider must return true or false, not a promise; let an atom before it find out');
  return Boolean(answer);
}

/**
 * Asks all deciders of an atom, except those on links from ignored atoms.
 * @returns the depth to ignore; undefined if the atom may run
 * @throws any error of a decider
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
  const refused = asked.filter(({ decider }) => !answerOf(decider(results))).map(({ depth }) => depth);
  return DEPTHS.find((depth) => refused.includes(depth));
}
