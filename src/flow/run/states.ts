/**
 * The states of flows and atoms, and which may follow which: the tables of OpenStack TaskFlow (`taskflow/states.py`,
 * https://docs.openstack.org/taskflow/latest/user/states.html). The flow's own way through `FAILURE` and `REVERTING`
 * is that of its introductions: version 5 goes straight from `RUNNING` to `REVERTED`.
 */

/** The states of a flow. */
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

/** The states of an atom; only a retry controller can be `RETRYING`. */
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

/** What an atom is: work, or what decides over a flow that failed. */
export type AtomKind = 'task' | 'retry';

type Table<State extends string> = Readonly<Record<State, readonly State[]>>;

/** Which states may follow a state of a flow. */
export const FLOW_TRANSITIONS: Table<FlowState> = {
  PENDING: ['RUNNING'],
  RUNNING: ['SUCCESS', 'FAILURE', 'SUSPENDING', 'RESUMING'],
  SUCCESS: [],
  FAILURE: ['REVERTING'],
  REVERTING: ['REVERTED', 'FAILURE', 'SUSPENDING', 'RESUMING'],
  REVERTED: [],
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

/** Which states may follow a state of an atom, by what it is. */
export const ATOM_TRANSITIONS: Readonly<Record<AtomKind, Table<AtomState>>> = {
  task: TASK_TRANSITIONS,
  retry: { ...TASK_TRANSITIONS, SUCCESS: ['REVERTING', 'RETRYING'], RETRYING: ['RUNNING'] },
};

/** Whether an atom may go from one state to another. */
export function mayBecome(kind: AtomKind, from: AtomState, to: AtomState): boolean {
  return ATOM_TRANSITIONS[kind][from].includes(to);
}

/** @throws {Error} where the table does not have the transition: a defect of ours */
export function checkAtomTransition(kind: AtomKind, name: string, from: AtomState, to: AtomState): void {
  if (!mayBecome(kind, from, to)) throw new Error(`the ${kind} "${name}" can't go from ${from} to ${to}`);
}

/** @throws {Error} where the table does not have the transition: a defect of ours */
export function checkFlowTransition(name: string, from: FlowState, to: FlowState): void {
  if (!FLOW_TRANSITIONS[from].includes(to))
    throw new Error(`the flow "${name}" can't go from ${from} to ${to}`);
}
