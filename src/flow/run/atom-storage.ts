import type { Failure } from '../../core/record/task.ts';
import { put } from '../named.ts';
import type { Compiled, CompiledAtom } from '../plan/compile.ts';
import type { Decision, Try } from '../retry.ts';
import { Readiness, type Standing, standingOf } from './readiness.ts';
import { type AtomState, checkAtomTransition, type Intention } from './states.ts';

/** State of an atom in one run. It can be stored as JSON if the results can. */
export interface AtomRecord {
  state: AtomState;
  intention: Intention;
  /** Result of the last `execute` that succeeded; removed when the atom is reverted. */
  result?: unknown;
  /** Failure of `execute`; removed when the atom is reset to run again. */
  failure?: Failure;
  /** Failure of `revert`. */
  revertFailure?: Failure;
  /** Tries of a retry controller. */
  history?: { result: unknown; failures: Record<string, Failure> }[];
  /** Position of its latest start among all starts of the run: 1, 2, 3, …; 0 if it never started. */
  turn: number;
  /** True if it was running or being reverted when an earlier process was killed. */
  isRepeated?: boolean;
}

/** Parts of the records of atoms that do not follow from the provided values, by name. */
export type KeptAtoms = Readonly<Record<string, Readonly<Partial<AtomRecord>>>>;

/** Change of the state of an atom. */
export interface AtomChange {
  readonly atom: string;
  readonly state: AtomState;
  readonly result?: unknown;
  readonly failure?: Failure;
}

/** Decision made after an atom failed. */
export interface DecisionChange {
  readonly decision: Decision;
  /** Name of the atom that failed. */
  readonly failed: string;
  /** Names of the retry controllers that were asked, the innermost first. */
  readonly asked: readonly string[];
  /** Name of the controller whose flow is reverted; absent if everything is. */
  readonly retry?: string;
}

/** Resumption of the run. Calls that were in progress when the previous process ended are made again. */
export interface ResumedChange {
  readonly resumed: true;
}

/** New start of the run from other states: of a finished run that is reverted, or none after a reset. */
export interface RestoredChange {
  /** States of atoms, by name. All others are as new. */
  readonly restored: Readonly<Record<string, Readonly<AtomRecord>>>;
}

/** Any change in a run. A stored list of all changes is enough to resume the run. */
export type FlowChange = AtomChange | DecisionChange | ResumedChange | RestoredChange;

const UNBEGUN: Standing = standingOf({ state: 'PENDING', intention: 'EXECUTE' });

/** State of one run of a flow. Besides its methods, snapshot.ts changes it. */
export class Storage {
  readonly compiled: Compiled;
  readonly records: readonly AtomRecord[];
  #readiness: Readiness;
  #turn = 0;
  /** Decision that set the intentions last; undefined if they changed since. */
  #lastDecision: string | undefined;
  #failures: Record<string, Failure> | undefined;

  constructor(compiled: Compiled) {
    this.compiled = compiled;
    this.records = compiled.atoms.map(() => ({ state: 'PENDING', intention: 'EXECUTE', turn: 0 }));
    this.#readiness = new Readiness(compiled);
  }

  /** Table of the atoms that wait for others. */
  get readiness(): Readiness {
    return this.#readiness;
  }

  /** Recomputes what atoms wait for, after records were changed from outside. */
  recount(): void {
    this.#readiness = new Readiness(this.compiled);
    for (const [index, record] of this.records.entries())
      this.#readiness.follow(index, UNBEGUN, standingOf(record));
    this.#lastDecision = undefined;
    this.#failures = undefined;
  }

  /** Returns true if an atom must be executed, and all before it are done or ignored. */
  isReadyToExecute(index: number): boolean {
    const { state, intention } = this.record(index);
    if (intention !== 'EXECUTE' || (state !== 'PENDING' && state !== 'RETRYING')) return false;
    return this.#readiness.mayExecute(index);
  }

  /** Returns true if an atom may be reverted, or if a retry controller may begin its next try. */
  isReadyToRevert(index: number): boolean {
    const { state, intention } = this.record(index);
    if (intention !== 'REVERT' && intention !== 'RETRY') return false;
    return (state === 'SUCCESS' || state === 'FAILURE') && this.#readiness.mayRevert(index);
  }

  /** Puts all atoms back to the beginning. */
  reset(): void {
    for (const record of this.records) {
      for (const key of Object.keys(record)) delete record[key as keyof AtomRecord];
      Object.assign(record, { state: 'PENDING', intention: 'EXECUTE', turn: 0 } satisfies AtomRecord);
    }
    this.#turn = 0;
    this.recount();
  }

  /** Replaces the record of an atom with the stored one. Later starts get later turns. */
  restore(index: number, stored: Readonly<AtomRecord>): void {
    Object.assign(this.record(index), structuredClone(stored));
    this.#turn = Math.max(this.#turn, stored.turn);
  }

  record(index: number): AtomRecord {
    return this.records[index] as AtomRecord;
  }

  /** Failures of `execute`, by atom name. Frozen: all atoms that are reverted get the same object. */
  get failures(): Readonly<Record<string, Failure>> {
    this.#failures ??= Object.freeze(this.#gather((record) => record.failure));
    return this.#failures;
  }

  /** Failures of `revert`, by atom name. */
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
   * @throws {Error} if the atom cannot go into that state: a defect, or the change belongs to another flow
   */
  setState(
    index: number,
    state: AtomState,
    { result, failure }: Pick<AtomChange, 'result' | 'failure'> = {},
  ): void {
    const { kind, name } = this.compiled.atoms[index] as CompiledAtom;
    const record = this.record(index);
    checkAtomTransition(kind, name, record.state, state);
    const before = standingOf(record);
    record.state = state;
    if (record.isRepeated && state !== 'RUNNING' && state !== 'REVERTING') delete record.isRepeated;
    if (state === 'RUNNING') record.turn = ++this.#turn;
    else if (state === 'SUCCESS') {
      record.result = result;
      if (kind === 'retry') record.history = [...(record.history ?? []), { result, failures: {} }];
    } else if (state === 'FAILURE') {
      if (failure !== undefined) record.failure = failure;
      this.#failures = undefined;
    } else if (state === 'REVERT_FAILURE') {
      if (failure !== undefined) record.revertFailure = failure;
    } else if (state === 'REVERTED') {
      delete record.result;
      if (kind === 'retry') delete record.history;
    } else if (state === 'PENDING') {
      record.intention = 'EXECUTE';
      if (record.failure !== undefined) this.#failures = undefined;
      delete record.failure;
    } else if (state === 'IGNORE') record.intention = 'IGNORE';
    else if (state === 'RETRYING') this.#readyForRetry(index);
    if (state === 'PENDING' || state === 'IGNORE' || state === 'RETRYING') this.#lastDecision = undefined;
    this.#readiness.follow(index, before, standingOf(record));
  }

  /** Sets a controller, and the `PENDING` atoms after it, to run again. `Steps` resets the other atoms. */
  #readyForRetry(controller: number): void {
    this.record(controller).intention = 'EXECUTE';
    for (const index of this.compiled.graph.after(controller)) {
      const record = this.record(index);
      if (record.state === 'PENDING') record.intention = 'EXECUTE';
    }
  }

  /** Adds a failure to the current try of a controller. Only the first failure of an atom in a try counts. */
  noteFailure(controller: number, atom: string, failure: Failure): void {
    const failures = this.record(controller).history?.at(-1)?.failures;
    if (failures !== undefined && !Object.hasOwn(failures, atom)) put(failures, atom, failure);
  }

  /** Returns the tries of a controller. */
  historyOf(controller: number): readonly Try[] {
    return this.record(controller).history ?? [];
  }

  /**
   * Applies a decision: records failures in the tries of the controllers asked, and sets intentions.
   * @returns true if intentions have changed
   */
  decide({ decision, failed, asked, retry }: DecisionChange): boolean {
    const failure = this.record(this.indexOf(failed)).failure as Failure;
    let atom = failed;
    for (const name of asked) {
      this.noteFailure(this.indexOf(name), atom, failure);
      atom = name;
    }
    const words = `${decision} ${retry ?? ''}`;
    if (words === this.#lastDecision) return false; // the failure of another atom at the same time
    if (retry === undefined) for (const index of this.records.keys()) this.#intend(index, 'REVERT');
    else {
      const controller = this.indexOf(retry);
      this.#intend(controller, decision === 'RETRY' ? 'RETRY' : 'REVERT');
      for (const index of this.compiled.graph.after(controller)) this.#intend(index, 'REVERT');
    }
    this.#lastDecision = words;
    return true;
  }

  #intend(index: number, intention: Intention): void {
    const record = this.record(index);
    const before = standingOf(record);
    record.intention = intention;
    this.#readiness.follow(index, before, standingOf(record));
  }
}
