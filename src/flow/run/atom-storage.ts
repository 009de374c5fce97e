import type { Failure } from '../../core/record/task.ts';
import { put } from '../named.ts';
import type { Compiled, CompiledAtom } from '../plan/compile.ts';
import type { Decision, Try } from '../retry.ts';
import { type AtomState, checkAtomTransition } from './states.ts';

/** What is meant to become of an atom; TaskFlow's word. */
export type Intention = 'EXECUTE' | 'REVERT' | 'RETRY' | 'IGNORE';

/** What is known of an atom in one run. It is JSON where the results are. */
export interface AtomRecord {
  state: AtomState;
  intention: Intention;
  /** What `execute` gave last. */
  result?: unknown;
  /** Why `execute` failed, until the atom is to be run again. */
  failure?: Failure;
  /** Why `revert` failed. */
  revertFailure?: Failure;
  /** The tries of a retry controller. */
  history?: { result: unknown; failures: Record<string, Failure> }[];
  /** When it began, among the others: 1, 2, 3, … */
  turn: number;
  /** Whether it was under way when an earlier process was killed. */
  isRepeated?: boolean;
}

/** An atom's change of state. */
export interface AtomChange {
  readonly atom: string;
  readonly state: AtomState;
  readonly result?: unknown;
  readonly failure?: Failure;
}

/** What was decided after an atom had failed. */
export interface DecisionChange {
  readonly decision: Decision;
  /** The atom that failed. */
  readonly failed: string;
  /** The retry controllers that were asked, the innermost first. */
  readonly asked: readonly string[];
  /** The controller whose flow is reverted; absent where all is. */
  readonly retry?: string;
}

/** A process went on with the run: what was under way when the one before it ended is done again. */
export interface ResumedChange {
  readonly resumed: true;
}

/** All that can happen in a run; who keeps the changes can make the run go on from them. */
export type FlowChange = AtomChange | DecisionChange | ResumedChange;

/** The state of one run of a flow. All that changes it is here. */
export class Storage {
  readonly compiled: Compiled;
  readonly records: readonly AtomRecord[];
  #turn = 0;

  constructor(compiled: Compiled) {
    this.compiled = compiled;
    this.records = compiled.atoms.map(() => ({ state: 'PENDING', intention: 'EXECUTE', turn: 0 }));
  }

  record(index: number): AtomRecord {
    return this.records[index] as AtomRecord;
  }

  /** Why atoms failed, by their names. */
  get failures(): Record<string, Failure> {
    return this.#gather((record) => record.failure);
  }

  /** Why atoms could not be reverted, by their names. */
  get revertFailures(): Record<string, Failure> {
    return this.#gather((record) => record.revertFailure);
  }

  #gather(get: (record: AtomRecord) => Failure | undefined): Record<string, Failure> {
    const found: Record<string, Failure> = {};
    for (const [index, { name }] of this.compiled.atoms.entries()) {
      const failure = get(this.record(index));
      if (failure !== undefined) put(found, name, failure);
    }
    return found;
  }

  indexOf(name: string): number {
    const index = this.compiled.indexes.get(name);
    if (index === undefined) throw new Error(`the flow "${this.compiled.name}" has no atom "${name}"`);
    return index;
  }

  /**
   * Changes the state of an atom.
   * @throws {Error} where it can't go into that state: a defect, or the change belongs to another flow
   */
  setState(
    index: number,
    state: AtomState,
    { result, failure }: Pick<AtomChange, 'result' | 'failure'> = {},
  ): void {
    const { kind, name } = this.compiled.atoms[index] as CompiledAtom;
    const record = this.record(index);
    checkAtomTransition(kind, name, record.state, state);
    record.state = state;
    if (record.isRepeated && state !== 'RUNNING' && state !== 'REVERTING') delete record.isRepeated;
    if (state === 'RUNNING') record.turn = ++this.#turn;
    else if (state === 'SUCCESS') {
      record.result = result;
      if (kind === 'retry') record.history = [...(record.history ?? []), { result, failures: {} }];
    } else if (state === 'FAILURE') {
      if (failure !== undefined) record.failure = failure;
    } else if (state === 'REVERT_FAILURE') {
      if (failure !== undefined) record.revertFailure = failure;
    } else if (state === 'REVERTED') {
      delete record.result;
      if (kind === 'retry') delete record.history;
    } else if (state === 'PENDING') {
      record.intention = 'EXECUTE';
      delete record.failure;
    } else if (state === 'IGNORE') record.intention = 'IGNORE';
    else if (state === 'RETRYING') this.#readyForRetry(index);
  }

  /** What a controller is over is to run again; what never ran needs no change of state for that. */
  #readyForRetry(controller: number): void {
    this.record(controller).intention = 'EXECUTE';
    for (const index of (this.compiled.atoms[controller] as CompiledAtom).after) {
      const record = this.record(index);
      if (record.state === 'PENDING') record.intention = 'EXECUTE';
    }
  }

  /** Notes a failure in the history of a controller. The first of an atom in a try counts. */
  noteFailure(controller: number, atom: string, failure: Failure): void {
    const failures = this.record(controller).history?.at(-1)?.failures;
    if (failures !== undefined && !Object.hasOwn(failures, atom)) put(failures, atom, failure);
  }

  /** The tries of a controller. */
  historyOf(controller: number): readonly Try[] {
    return this.record(controller).history ?? [];
  }

  /** Says what is meant to become of atoms now. */
  decide({ decision, failed, asked, retry }: DecisionChange): void {
    const failure = this.record(this.indexOf(failed)).failure as Failure;
    let atom = failed;
    for (const name of asked) {
      this.noteFailure(this.indexOf(name), atom, failure);
      atom = name;
    }
    if (retry === undefined) {
      for (const record of this.records) record.intention = 'REVERT';
      return;
    }
    const controller = this.indexOf(retry);
    this.record(controller).intention = decision === 'RETRY' ? 'RETRY' : 'REVERT';
    for (const index of (this.compiled.atoms[controller] as CompiledAtom).after)
      this.record(index).intention = 'REVERT';
  }
}
