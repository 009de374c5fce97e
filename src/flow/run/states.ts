/**
 * States of flows and atoms, and the transitions between them: the tables of OpenStack TaskFlow
 * (`taskflow/states.py`, https://docs.openstack.org/taskflow/latest/user/states.html). A failed flow passes
 * `FAILURE` and `REVERTING`, as in the introductions of TaskFlow; version 5 of TaskFlow goes straight from
 * `RUNNING` to `REVERTED`.
 */

/** State of a flow. */
export type FlowState =
  | 'PENDING'
  | 'RUNNING'
  | 'SUCCESS'
  | 'FAILURE'
  | 'REVERTING'
  | 'REVERTED'
  | 'SUSPENDING'
  | 'SUSPENDED'
  | 'RESUMING';

/** State of an atom; only a retry controller can be `RETRYING`. */
export type AtomState =
  | 'PENDING'
  | 'RUNNING'
  | 'SUCCESS'
  | 'FAILURE'
  | 'REVERTING'
  | 'REVERTED'
  | 'REVERT_FAILURE'
  | 'IGNORE'
  | 'RETRYING';

/** Planned next action for an atom; the term is TaskFlow's. */
export type Intention = 'EXECUTE' | 'REVERT' | 'RETRY' | 'IGNORE';

/** Kind of an atom: a task that does work, or a retry controller. */
export type AtomKind = 'task' | 'retry';

type Table<State extends string> = Readonly<Record<State, readonly State[]>>;

/** States that may follow each state of a flow. A reset makes it `PENDING` again, and its atoms too. */
export const FLOW_TRANSITIONS: Table<FlowState> = {
  PENDING: ['RUNNING'],
  RUNNING: ['SUCCESS', 'FAILURE', 'SUSPENDING', 'RESUMING'],
  SUCCESS: ['PENDING'],
  FAILURE: ['REVERTING', 'PENDING'],
  REVERTING: ['REVERTED', 'FAILURE', 'SUSPENDING', 'RESUMING'],
  REVERTED: ['PENDING'],
  SUSPENDING: ['SUSPENDED', 'SUCCESS', 'FAILURE', 'REVERTED', 'RESUMING'],
  SUSPENDED: ['RUNNING', 'REVERTING', 'RESUMING'],
  RESUMING: ['SUSPENDED'],
};

const TASK_TRANSITIONS: Table<AtomState> = {
  PENDING: ['RUNNING', 'IGNORE'],
  RUNNING: ['SUCCESS', 'FAILURE'],
  SUCCESS: ['REVERTING'],
  FAILURE: ['REVERTING'],
  REVERTING: ['REVERTED', 'REVERT_FAILURE'],
  REVERTED: ['PENDING'],
  REVERT_FAILURE: [],
  IGNORE: ['PENDING'],
  RETRYING: [],
};

/** States that may follow each state of an atom, by the kind of the atom. */
export const ATOM_TRANSITIONS: Readonly<Record<AtomKind, Table<AtomState>>> = {
  task: TASK_TRANSITIONS,
  retry: { ...TASK_TRANSITIONS, SUCCESS: ['REVERTING', 'RETRYING'], RETRYING: ['RUNNING'] },
};

/** Returns true if an atom may go from one state to another. */
export function mayBecome(kind: AtomKind, from: AtomState, to: AtomState): boolean {
  return ATOM_TRANSITIONS[kind][from].includes(to);
}

/** @throws {Error} if the table lacks the transition: a defect, or a stored change of another flow */
export function checkAtomTransition(kind: AtomKind, name: string, from: AtomState, to: AtomState): void {
  if (!mayBecome(kind, from, to)) throw new Error(`the ${kind} "${name}" can't go from ${from} to ${to}`);
}

/** @throws {Error} if the table lacks the transition: a defect of taskpipe */
export function checkFlowTransition(name: string, from: FlowState, to: FlowState): void {
  if (!FLOW_TRANSITIONS[from].includes(to))
    throw new Error(`the flow "${name}" can't go from ${from} to ${to}`);
}
