import type { Compiled } from '../plan/compile.ts';
import { Waits } from '../plan/waits.ts';
import type { AtomState, Intention } from './states.ts';

/** State of an atom as its neighbors see it. */
export interface Standing {
  /** True if its successors need not wait for it before they are executed: it succeeded or was ignored. */
  readonly isDone: boolean;
  /**
   * True if its predecessors need not wait for it before they are reverted: it was not begun, or was reverted or
   * ignored.
   */
  readonly isClear: boolean;
}

const STANDINGS: readonly Standing[] = [
  { isDone: false, isClear: false },
  { isDone: true, isClear: false },
  { isDone: false, isClear: true },
  { isDone: true, isClear: true },
];

/** Returns the state of an atom as its neighbors see it. */
export function standingOf({
  state,
  intention,
}: {
  readonly state: AtomState;
  readonly intention: Intention;
}): Standing {
  const isDone = state === 'SUCCESS' ? intention === 'EXECUTE' : state === 'IGNORE' && intention === 'IGNORE';
  const isClear = state === 'PENDING' || state === 'REVERTED' || state === 'IGNORE';
  return STANDINGS[Number(isDone) + 2 * Number(isClear)] as Standing;
}

/**
 * Table of the atoms of a run that wait for others. It is updated with each change, so that no atom has to check all
 * others.
 */
export class Readiness {
  readonly #nodes: readonly number[];
  readonly #toExecute: Waits;
  readonly #toRevert: Waits;

  /** No atom has begun. */
  constructor({ graph, waits }: Compiled) {
    const { nodes, digraph } = graph;
    this.#nodes = nodes;
    this.#toExecute = new Waits(digraph.successors, waits);
    this.#toRevert = new Waits(digraph.predecessors);
  }

  /** Updates the table after a change of an atom. */
  follow(index: number, before: Standing, now: Standing): void {
    if (before === now) return;
    const node = this.#nodes[index] as number;
    if (before.isDone !== now.isDone) this.#toExecute.set(node, now.isDone);
    if (before.isClear !== now.isClear) this.#toRevert.set(node, now.isClear);
  }

  /** Returns true if an atom that is not done waits for none before it. */
  mayExecute(index: number): boolean {
    return this.#toExecute.isNext(this.#nodes[index] as number);
  }

  /** Returns true if an atom that is not clear waits for none after it. */
  mayRevert(index: number): boolean {
    return this.#toRevert.isNext(this.#nodes[index] as number);
  }

  /** Returns true if the atom at a node and all before it are done. */
  isPassed(node: number): boolean {
    return this.#toExecute.isSettled(node);
  }

  /** Returns true if the atom at a node and all after it are clear. */
  isCleared(node: number): boolean {
    return this.#toRevert.isSettled(node);
  }
}
