import { TaskpipeError } from '../../core/base/errors.ts';
import { checkOptions } from '../../core/options/library-options.ts';
import { mustBeDuration, mustBeWhole } from '../../core/options/option.ts';
import type { Inputs } from '../atom.ts';
import type { Flow } from '../patterns.ts';
import { type Compiled, compile, missingIn } from '../plan/compile.ts';
import type { EndedCall } from './atom-calls.ts';
import { Storage } from './atom-storage.ts';
import { ENGINE_NAMES, type EngineOptions, type FlowResult } from './engine-options.ts';
import { providedBy } from './inputs.ts';
import { type FlowEvent, Notifier } from './notifier.ts';
import { ParallelLoop, runSerial, type Turns } from './order/loops.ts';
import { ReadyQueue } from './order/ready-queue.ts';
import { type AtomSelection, isAnyReady, isSuccess, selectAll, selectNext } from './order/select.ts';
import { type FlowSnapshot, isReverting, restore, snapshotOf } from './snapshot.ts';
import { type AtomState, checkFlowTransition, type FlowState } from './states.ts';
import { type StepOptions, Steps } from './steps.ts';

export type { EngineKind, EngineOptions, FlowResult } from './engine-options.ts';

/** Engine of one flow, which runs it once, and again after each `reset()`. */
export class Engine {
  /** Notifier of the state changes of the flow. */
  readonly notifier: Notifier<FlowState> = new Notifier();
  /** Notifier of the state changes of its atoms. */
  readonly taskNotifier: Notifier<AtomState, 'PROGRESS'> = new Notifier();
  readonly #storage: Storage;
  readonly #steps: Steps;
  #state: FlowState;
  #isRunning = false;
  /** True if an atom could not be reverted. Then the engine starts no more atoms. */
  #isBroken: boolean;
  /** Atoms that may start. */
  readonly #queue: ReadyQueue;
  /** Puts atoms into the queue. */
  readonly #selection: AtomSelection;
  readonly #turns: Turns;
  /** Loop of a parallel engine; undefined for a serial one. */
  readonly #loop: ParallelLoop | undefined;

  /**
   * @throws {TaskpipeError} `USAGE` if an option is invalid, the flow cannot run, or the store lacks a value
   *   that the flow needs; `DATA` if the run to resume does not fit the flow
   */
  constructor(flow: Flow, options: EngineOptions = {}) {
    const { store = {}, engine = 'serial', jobs = 10, timeout, signal, resume, journal, onCall } = options;
    checkOptions('an engine', options, {}, ENGINE_NAMES);
    mustBeWhole('jobs', jobs, 1);
    mustBeDuration('timeout', timeout);
    if (engine !== 'serial' && engine !== 'parallel')
      throw new TaskpipeError('USAGE', `engine must be serial or parallel; got ${JSON.stringify(engine)}`);
    this.#storage = openStorage(compileFor(flow, store), resume);
    this.#state = stateOf(this.#storage, resume);
    this.#isBroken = this.#storage.records.some(({ state }) => state === 'REVERT_FAILURE');
    const [storage, notifier] = [this.#storage, this.taskNotifier];
    // First the atoms to revert or retry, the latest start first; then those to execute, in order.
    this.#queue = new ReadyQueue(storage.records.length, (index) => {
      const { intention, turn } = storage.record(index);
      return intention === 'EXECUTE' ? index : -turn;
    });
    const onProgress: StepOptions['onProgress'] = ({ state, ...of }, progress) =>
      notifier.notify({ ...of, old_state: state, state, progress }, 'PROGRESS');
    this.#steps = new Steps(storage, { store, timeout, signal, journal, notifier, onProgress, onCall });
    const [queue, steps] = [this.#queue, this.#steps];
    this.#selection = { pass: (index) => steps.pass(index), add: (index) => queue.add(index) };
    this.#turns = {
      next: () => (this.#mayStart ? queue.shift() : undefined),
      ended: (call) => this.#lookAt(call),
    };
    this.#loop = engine === 'serial' ? undefined : new ParallelLoop(steps, this.#turns, jobs);
  }

  /** State of the flow. */
  get state(): FlowState {
    return this.#state;
  }

  /** Returns a snapshot of the run. The option `resume` takes it, in this process or another. */
  toJSON(): FlowSnapshot {
    return snapshotOf(this.#storage, this.#state);
  }

  /** Starts no more atoms. `run()` resolves when the running ones end; another call resumes the run. */
  suspend(): void {
    if (this.#state === 'RUNNING' || this.#state === 'REVERTING') this.#become('SUSPENDING');
  }

  /**
   * Runs the flow, or resumes it. The failure of an atom is part of the result, not an error.
   * @throws {TaskpipeError} `USAGE` if it is already running; also any error of the journal
   */
  async run(): Promise<FlowResult> {
    if (this.#isRunning)
      throw new TaskpipeError('USAGE', `flow "${this.#storage.compiled.name}" runs already`);
    if (this.#hasEnded) return this.#result(this.#state as FlowResult['state']);
    this.#isRunning = true;
    try {
      await this.#begin();
      await (this.#loop === undefined ? runSerial(this.#steps, this.#turns) : this.#loop.run());
      this.#queue.clear();
      return this.#finish();
    } finally {
      this.#isRunning = false;
    }
  }

  /**
   * Resets a finished engine so that it can run again: all atoms become `PENDING`, and results and failures are
   * removed. Atoms that ran are not reverted.
   * @throws {TaskpipeError} `USAGE` if the flow is running or suspended
   */
  reset(): void {
    const { name } = this.#storage.compiled;
    if (this.#isRunning)
      throw new TaskpipeError('USAGE', `flow "${name}" is running; reset() it when run() has ended`);
    if (this.#state === 'PENDING') return;
    if (!this.#hasEnded)
      throw new TaskpipeError(
        'USAGE',
        `flow "${name}" is ${this.#state}; run() it to its end before reset()`,
      );
    this.#steps.reset();
    this.#isBroken = false;
    this.#become('PENDING');
  }

  get #hasEnded(): boolean {
    return this.#state === 'SUCCESS' || this.#state === 'REVERTED' || this.#state === 'FAILURE';
  }

  /** Checks and makes a change of the flow's state, and notifies the listeners. */
  #become(state: FlowState, cause: Pick<FlowEvent, 'failure' | 'error'> = {}): void {
    const { name } = this.#storage.compiled;
    checkFlowTransition(name, this.#state, state);
    const old = this.#state;
    this.#state = state;
    if (!this.notifier.isIdle) this.notifier.notify({ flow: name, old_state: old, state, ...cause });
  }

  /** Makes the first atoms ready; a promise if retry controllers are asked first. */
  #begin(): Promise<void> | undefined {
    const isResumed = this.#state !== 'PENDING';
    if (isResumed) {
      this.#become('RESUMING');
      this.#become('SUSPENDED');
    }
    this.#become(isResumed && isReverting(this.#storage) ? 'REVERTING' : 'RUNNING');
    if (isResumed) return this.#resume();
    this.#selectFirst();
    return undefined;
  }

  async #resume(): Promise<void> {
    this.#steps.resume();
    // The previous process may have ended after a failure but before the decision about it.
    for (const [index, { state, intention }] of this.#storage.records.entries())
      if (state === 'FAILURE' && intention === 'EXECUTE') await this.#decide(index);
    this.#selectFirst();
  }

  #selectFirst(): void {
    if (!this.#isBroken) selectAll(this.#storage, this.#selection);
  }

  get #mayStart(): boolean {
    return !this.#isBroken && this.#state !== 'SUSPENDING';
  }

  /** Processes an ended call; a promise if it failed, as retry controllers are asked then. */
  #lookAt(ended: EndedCall): Promise<void> | undefined {
    const how = this.#steps.end(ended);
    if (how === 'failed') return this.#lookAtFailed(ended.index);
    if (how === 'broken') this.#isBroken = true;
    this.#selectNext(ended.index, false);
    return undefined;
  }

  async #lookAtFailed(index: number): Promise<void> {
    const isDecided = await this.#decide(index);
    if (isDecided) this.#queue.reorder();
    this.#selectNext(index, isDecided);
  }

  #selectNext(index: number, isDecided: boolean): void {
    if (!this.#isBroken) selectNext(this.#storage, index, isDecided, this.#selection);
  }

  /** Returns true if the decision changed the intentions of atoms. */
  async #decide(index: number): Promise<boolean> {
    const { decision, hasChanged } = await this.#steps.decide(index);
    if (decision === undefined || decision === 'RETRY' || this.#state !== 'RUNNING') return hasChanged;
    this.#become('FAILURE', this.#steps.causeOf(index));
    this.#become('REVERTING');
    return hasChanged;
  }

  #finish(): FlowResult {
    const isSuspended = this.#state === 'SUSPENDING' && !this.#isBroken && isAnyReady(this.#storage);
    const ending = this.#isBroken ? 'FAILURE' : isSuccess(this.#storage) ? 'SUCCESS' : 'REVERTED';
    const state = isSuspended ? 'SUSPENDED' : ending;
    const stuck = this.#storage.records.findIndex((record) => record.state === 'REVERT_FAILURE');
    this.#become(state, stuck < 0 ? {} : this.#steps.causeOf(stuck));
    return this.#result(state);
  }

  #result(state: FlowResult['state']): FlowResult {
    const provided = providedBy(this.#storage);
    if (state === 'SUCCESS') return { state, provided, failures: {}, revertFailures: {}, errors: {} };
    const failures = { ...this.#storage.failures, ...this.#steps.faults };
    const { revertFailures } = this.#storage;
    return { state, provided, failures, revertFailures, errors: this.#steps.errors };
  }
}

/** @throws {TaskpipeError} `USAGE` if the flow cannot run, or the store lacks a value that it needs */
function compileFor(flow: Flow, store: Inputs): Compiled {
  const compiled = compile(flow);
  const missing = missingIn(compiled, store);
  if (missing !== undefined) throw new TaskpipeError('USAGE', missing);
  return compiled;
}

function openStorage(compiled: Compiled, resume: EngineOptions['resume']): Storage {
  if (resume === undefined) return new Storage(compiled);
  return resume instanceof Storage ? resume : restore(compiled, resume);
}

/**
 * Runs a flow once and returns its result.
 * @throws {TaskpipeError} the errors of the constructor and of `run()` of `Engine`
 */
export async function run(flow: Flow, options: EngineOptions = {}): Promise<FlowResult> {
  return new Engine(flow, options).run();
}

/** Returns the initial state: that of the snapshot to resume, else the one that follows from the atoms. */
function stateOf(storage: Storage, resume: EngineOptions['resume']): FlowState {
  if (resume !== undefined && !(resume instanceof Storage)) return resume.state;
  if (storage.records.every(({ state, turn }) => state === 'PENDING' && turn === 0)) return 'PENDING';
  return isReverting(storage) ? 'REVERTING' : 'RUNNING';
}
