import { TaskpipeError } from '../../core/base/errors.ts';
import type { Failure } from '../../core/record/task.ts';
import type { Compiled } from '../plan/compile.ts';
import { type AtomRecord, type FlowChange, type RestoredChange, Storage } from './atom-storage.ts';
import type { FlowState } from './states.ts';

/** Run of a flow as JSON, with everything that another process needs to resume it. */
export interface FlowSnapshot {
  /** Name of the flow. */
  readonly flow: string;
  readonly state: FlowState;
  /** State of each atom, by its name. */
  readonly atoms: Readonly<Record<string, Readonly<AtomRecord>>>;
}

/** Copies the state of a run. */
export function snapshotOf({ compiled, records }: Storage, state: FlowState): FlowSnapshot {
  const atoms = compiled.atoms.map(({ name }, index) => [name, structuredClone(records[index])] as const);
  return { flow: compiled.name, state, atoms: Object.fromEntries(atoms) as FlowSnapshot['atoms'] };
}

/**
 * Rebuilds the state of a run from its stored changes.
 * @throws {TaskpipeError} `DATA` if they belong to another flow, or to another version of this one
 */
export function replay(compiled: Compiled, changes: readonly FlowChange[]): Storage {
  const storage = new Storage(compiled);
  try {
    for (const change of changes) {
      if ('resumed' in change) takeBack(storage);
      else if ('restored' in change) restart(storage, change);
      else if ('decision' in change) storage.decide(change);
      else storage.setState(storage.indexOf(change.atom), change.state, change);
    }
  } catch (error) {
    throw misfit(compiled.name, error);
  }
  return storage;
}

function restart(storage: Storage, { restored }: RestoredChange): void {
  storage.reset();
  for (const [name, record] of Object.entries(restored)) storage.restore(storage.indexOf(name), record);
  storage.recount();
}

/**
 * Rebuilds the state of a run from a snapshot.
 * @throws {TaskpipeError} `DATA` if it has another flow's name, or an atom that the flow does not have
 */
export function restore(compiled: Compiled, { flow, atoms }: FlowSnapshot): Storage {
  const storage = new Storage(compiled);
  const unknown = Object.keys(atoms).find((name) => !compiled.indexes.has(name));
  if (flow !== compiled.name || unknown !== undefined)
    throw misfit(compiled.name, unknown === undefined ? `it is of "${flow}"` : `it has no atom "${unknown}"`);
  for (const [name, record] of Object.entries(atoms)) storage.restore(storage.indexOf(name), record);
  storage.recount();
  return storage;
}

function misfit(flow: string, cause: unknown): TaskpipeError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new TaskpipeError('DATA', `the stored run does not fit the flow "${flow}" as it is now: ${why}`);
}

/** Failure of an interrupted atom that cannot run again, because its flow is being reverted. */
export const INTERRUPTED: Failure = {
  code: 'INTERRUPTED',
  message: 'the process ended while it ran, and the flow is being reverted',
};

/**
 * Resets the calls that were in progress when the process ended, so that they start again. An atom that was
 * running runs again, one that was being reverted is reverted again, and a controller that was retrying
 * retries again. An atom that was running although its flow is being reverted fails with `INTERRUPTED`, so
 * that it is reverted.
 */
export function takeBack(storage: Storage): void {
  for (const [index, record] of storage.records.entries()) {
    const { state, intention, history = [] } = record;
    if (state === 'RUNNING' || state === 'REVERTING') record.isRepeated = true;
    if (state === 'REVERTING') record.state = record.failure === undefined ? 'SUCCESS' : 'FAILURE';
    else if (state === 'RUNNING' && intention === 'REVERT') {
      record.state = 'FAILURE';
      record.failure = INTERRUPTED;
    } else if (state === 'RETRYING' || (state === 'RUNNING' && history.length > 0)) {
      record.state = 'SUCCESS';
      record.intention = 'RETRY';
      resetAfter(storage, index);
    } else if (state === 'RUNNING') record.state = 'PENDING';
  }
  storage.recount();
}

/** Prepares the atoms after a controller for its next try. */
function resetAfter(storage: Storage, controller: number): void {
  for (const index of storage.compiled.graph.after(controller)) {
    const { state } = storage.record(index);
    if (state === 'REVERTED' || state === 'IGNORE') storage.setState(index, 'PENDING');
    else if (state === 'PENDING') storage.record(index).intention = 'EXECUTE';
  }
}

/** Returns true if an atom is reverted and no retry will run it again: the whole flow has failed. */
export function isReverting({ records, compiled }: Storage): boolean {
  const retried = new Set<number>();
  for (const [index, { intention }] of records.entries()) {
    if (intention !== 'RETRY') continue;
    for (const after of compiled.graph.after(index)) retried.add(after);
  }
  return records.some(({ intention }, index) => intention === 'REVERT' && !retried.has(index));
}
