import type { Failure } from '../../core/record/task.ts';
import { type Depth, refusal } from '../decider.ts';
import { put } from '../named.ts';
import type { CompiledAtom } from '../plan/compile.ts';
import { resolve } from '../plan/resolve.ts';
import type { Decision } from '../retry.ts';
import { AtomCalls, type CallOptions, type EndedCall } from './atom-calls.ts';
import type { AtomChange, FlowChange, Storage } from './atom-storage.ts';
import { type Failed, failed } from './call.ts';
import { copyOf, gather } from './inputs.ts';
import type { FlowEvent } from './notifier.ts';
import { INTERRUPTED, takeBack } from './snapshot.ts';
import type { AtomState } from './states.ts';

/** Log of the changes of a run, from which another process can resume it. */
export interface Journal {
  /** Appends a change. */
  add(change: FlowChange): void;
  /** Resolves when all changes added so far are stored safely. */
  sync(): Promise<void>;
}

export interface StepOptions extends CallOptions {
  readonly journal: Journal | undefined;
}

/**
 * Operations on the atoms of one run: starting them, processing their end, deciding after failures, asking deciders.
 */
export class Steps {
  readonly storage: Storage;
  /** Failures of `onFailure`, by the name of the controller. */
  faults: Record<string, Failure> = {};
  /** Values that were thrown, by the name of the atom or controller. */
  errors: Record<string, unknown> = {};
  readonly #options: StepOptions;
  readonly #calls: AtomCalls;

  constructor(storage: Storage, options: StepOptions) {
    this.storage = storage;
    this.#options = options;
    this.#calls = new AtomCalls(storage, options);
  }

  #atom(index: number): CompiledAtom {
    return this.storage.compiled.atoms[index] as CompiledAtom;
  }

  /** Changes the state of an atom, adds the change to the journal, and notifies the listeners. */
  #become(index: number, state: AtomState): void {
    this.#change(index, { atom: this.#atom(index).name, state });
  }

  /** Changes the state of an atom whose call failed. */
  #fail(index: number, state: AtomState, { error, ...more }: Failed): void {
    const { name } = this.#atom(index);
    if (error !== undefined) put(this.errors, name, error);
    else delete this.errors[name]; // thrown by an earlier call
    this.#change(index, { atom: name, state, ...more }, error);
  }

  #change(index: number, change: AtomChange, error?: unknown): void {
    const { storage } = this;
    const { notifier, journal } = this.#options;
    const old_state = storage.record(index).state;
    storage.setState(index, change.state, change);
    journal?.add(change);
    if (notifier.isIdle) return;
    const { atom, state, ...more } = change;
    const thrown = error === undefined ? {} : { error };
    notifier.notify({ flow: storage.compiled.name, atom, old_state, state, ...more, ...thrown });
  }

  /** Resumes a run: calls that were in progress are made again. */
  resume(): void {
    takeBack(this.storage);
    this.#options.journal?.add({ resumed: true });
  }

  /** Puts all atoms back to `PENDING`, without results and failures. */
  reset(): void {
    const { notifier, journal } = this.#options;
    const { storage } = this;
    const before = storage.records.map(({ state }) => state);
    storage.reset();
    journal?.add({ restored: {} });
    this.faults = {};
    this.errors = {};
    this.#calls.clear();
    const flow = storage.compiled.name;
    for (const [index, old_state] of before.entries())
      if (old_state !== 'PENDING')
        notifier.notify({ flow, atom: this.#atom(index).name, old_state, state: 'PENDING' });
  }

  /**
   * Begins to execute, retry or revert an atom, as its intention says. Its call comes next, after `stored()`.
   * @returns false if the atom may no longer start, because a later decision changed its intention
   */
  begin(index: number): boolean {
    const record = this.storage.record(index);
    const { state, intention } = record;
    const isDone = state === 'SUCCESS' || state === 'FAILURE';
    const isRevert = intention === 'REVERT';
    if (isRevert || intention === 'RETRY' ? !isDone : !this.storage.isReadyToExecute(index)) return false;
    if (intention === 'RETRY') {
      this.#become(index, 'RETRYING');
      this.#reset(this.storage.compiled.graph.after(index));
    }
    this.#become(index, isRevert ? 'REVERTING' : 'RUNNING');
    return true;
  }

  /**
   * Resolves when all changes so far are stored: an atom must not act on others. Returns undefined if no journal stores
   * them.
   */
  stored(): Promise<void> | undefined {
    return this.#options.journal?.sync();
  }

  /** Calls the function of an atom that has begun. */
  call(index: number): EndedCall | Promise<EndedCall> {
    return this.#calls.call(index);
  }

  #reset(atoms: readonly number[]): void {
    for (const index of atoms)
      if (this.storage.record(index).state !== 'PENDING') this.#become(index, 'PENDING');
  }

  /**
   * Processes the end of a call.
   * @returns `failed` if the atom failed, `broken` if it could not be reverted, else `good`
   */
  end({ index, isRevert, settled }: EndedCall): 'good' | 'failed' | 'broken' {
    const isGood = 'value' in settled;
    if (isRevert) {
      if (isGood) this.#become(index, 'REVERTED');
      else this.#fail(index, 'REVERT_FAILURE', settled);
      return isGood ? 'good' : 'broken';
    }
    if (isGood)
      this.#change(index, { atom: this.#atom(index).name, state: 'SUCCESS', result: settled.value });
    else this.#fail(index, 'FAILURE', settled);
    return isGood ? 'good' : 'failed';
  }

  /**
   * Asks the retry controllers what to do after an atom failed, and applies their decision.
   * @returns no decision if there is nothing to decide, because the controller of the atom is being reverted
   */
  async decide(index: number): Promise<{ readonly decision?: Decision; readonly hasChanged: boolean }> {
    const change = await resolve(this.storage, index, (controller) => this.#ask(controller));
    if (change === undefined) return { hasChanged: false };
    const hasChanged = this.storage.decide(change);
    this.#options.journal?.add(change);
    if (hasChanged) this.#failInterrupted();
    return { decision: change.decision, hasChanged };
  }

  /**
   * Marks atoms as failed that were interrupted in an earlier process and must not run again. Part of their work may
   * be done, so they must be reverted.
   */
  #failInterrupted(): void {
    for (const [index, { state, intention, isRepeated }] of this.storage.records.entries()) {
      if (!isRepeated || state !== 'PENDING' || intention !== 'REVERT') continue;
      this.#become(index, 'RUNNING');
      this.#fail(index, 'FAILURE', { failure: INTERRUPTED });
    }
  }

  /**
   * Returns the reason an atom failed or could not be reverted: its failure, and the value that was thrown in this
   * process.
   */
  causeOf(index: number): Pick<FlowEvent, 'failure' | 'error'> {
    const { name } = this.#atom(index);
    const record = this.storage.record(index);
    const failure = record.revertFailure ?? record.failure;
    return {
      ...(failure === undefined ? {} : { failure }),
      ...(Object.hasOwn(this.errors, name) ? { error: this.errors[name] } : {}),
    };
  }

  async #ask(index: number): Promise<Decision> {
    const compiled = this.#atom(index);
    const { inputs } = gather(this.storage, compiled, this.#options.store);
    try {
      const decision = await compiled.retry?.onFailure(this.storage.historyOf(index), inputs);
      if (decision === 'RETRY' || decision === 'REVERT' || decision === 'REVERT_ALL') return decision;
      throw new Error(`onFailure must return RETRY, REVERT or REVERT_ALL; got ${JSON.stringify(decision)}`);
    } catch (error) {
      put(this.faults, compiled.name, failed(error).failure);
      put(this.errors, compiled.name, error);
      return 'REVERT_ALL';
    }
  }

  /**
   * Returns true if the deciders let an atom run. Otherwise it sets the atom to `IGNORE`, together with the
   * others that the depth of the decider includes.
   */
  pass(index: number): boolean {
    const { gates } = this.#atom(index);
    if (gates.length === 0) return true;
    let depth: Depth | undefined;
    try {
      depth = refusal(gates, (from) => {
        const { state, result } = this.storage.record(from);
        return { name: this.#atom(from).name, isIgnored: state === 'IGNORE', result: copyOf(result) };
      });
    } catch (error) {
      this.#calls.refuse(index, failed(error)); // the atom starts, and fails with this error
      return true;
    }
    if (depth === undefined) return true;
    for (const other of this.storage.compiled.graph.reach(index, depth))
      if (this.storage.record(other).state !== 'IGNORE') this.#become(other, 'IGNORE');
    return false;
  }
}
