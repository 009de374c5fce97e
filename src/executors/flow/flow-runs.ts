import { AtomTimes } from '../../core/base/atom-times.ts';
import { TaskpipeError } from '../../core/base/errors.ts';
import { isA, thrownOf } from '../../core/base/thrown.ts';
import type { Task } from '../../core/record/task.ts';
import type { Inputs } from '../../flow/atom.ts';
import type { FlowLog, KeptFlow } from '../../flow/log/flow-log.ts';
import { RunKeys } from '../../flow/log/run-ends.ts';
import { type Flow, isFlow } from '../../flow/patterns.ts';
import { compile, missingIn } from '../../flow/plan/compile.ts';
import { Storage } from '../../flow/run/atom-storage.ts';
import type { CallTime } from '../../flow/run/call.ts';
import { Engine, type FlowResult } from '../../flow/run/engine.ts';
import type { FlowEvent } from '../../flow/run/notifier.ts';
import { replay, snapshotOf } from '../../flow/run/snapshot.ts';
import type { Journal } from '../../flow/run/steps.ts';
import type { Attempt, Outcome } from '../contract.ts';
import { keptAtoms } from './finished-run.ts';
import { outcomeOf, outcomeOfEnd, outcomeOfRevert } from './flow-outcome.ts';
import { toRevert } from './flow-revert.ts';
import type { FlowExecutorOptions } from './options.ts';

/** Flow for all tasks, or a function that returns one for each. */
export type FlowSource = Flow | ((task: Task) => Flow | Promise<Flow>);

/** Start of a run, or of its continuation. */
interface Start {
  readonly uuid: string;
  readonly store: Inputs;
  readonly signal: AbortSignal;
  readonly storage: Storage;
}

/** Flows that are running, each for a task. */
export class FlowRuns {
  readonly #source: FlowSource;
  readonly #options: FlowExecutorOptions;
  readonly #log: FlowLog | undefined;
  readonly #engines = new Set<Engine>();
  /** Times of the atoms so far. */
  readonly times = new AtomTimes();
  readonly #onCall: ((call: CallTime) => void) | undefined;
  readonly #keys = new RunKeys();
  /** Runs that the log records at this moment, by their keys. */
  readonly #busy = new Map<string, Promise<Outcome>>();
  readonly #suspend = (): void => {
    for (const engine of this.#engines) engine.suspend();
  };
  /** Signal of the stage, the same for all attempts. */
  #signal: AbortSignal | undefined;

  constructor(source: FlowSource, options: FlowExecutorOptions, log: FlowLog | undefined) {
    this.#source = source;
    this.#options = options;
    this.#log = log;
    const record = ({ atom, ms, ...how }: CallTime): void => this.times.record(atom, ms, how);
    this.#onCall = options.measures === false ? undefined : record;
    // Without a log, finished atoms would be forgotten, so the flow is not suspended.
    if (log !== undefined) options.stopping?.addEventListener('abort', this.#suspend);
  }

  async close(): Promise<void> {
    this.#options.stopping?.removeEventListener('abort', this.#suspend);
    this.#signal?.removeEventListener('abort', this.#suspend);
    await this.#log?.close();
  }

  /** Runs the flow of a task, or resumes it. */
  run(task: Task, { signal }: Attempt): Outcome | Promise<Outcome> {
    const source = this.#source;
    return isFlow(source) ? this.#runFlow(task, source, signal) : this.#runMade(task, source, signal);
  }

  async #runMade(task: Task, make: (task: Task) => unknown, signal: AbortSignal): Promise<Outcome> {
    let flow: unknown;
    try {
      flow = await make(task);
      if (!isFlow(flow))
        throw new Error(`the function in the flow file must return a flow; got ${typeof flow}`);
      compile(flow);
    } catch (error) {
      return defect('FLOW', error);
    }
    return this.#runFlow(task, flow, signal);
  }

  /** Runs a flow that is compiled. A log runs those of the same uuid one after another. */
  #runFlow(task: Task, flow: Flow, signal: AbortSignal): Outcome | Promise<Outcome> {
    if (this.#log === undefined) return this.#start(task, flow, signal);
    const key = this.#keys.of(flow.name, task.uuid);
    const earlier = this.#busy.get(key);
    const run =
      earlier === undefined
        ? this.#goOn(task, flow, signal)
        : earlier.then((before) => (before.state === 'PENDING' ? before : this.#goOn(task, flow, signal)));
    if (!(run instanceof Promise)) return run;
    this.#busy.set(key, run);
    const over = (): void => {
      if (this.#busy.get(key) === run) this.#busy.delete(key);
    };
    run.then(over, over);
    return run;
  }

  /** Runs a flow from the state in the log. */
  #goOn(task: Task, flow: Flow, signal: AbortSignal): Outcome | Promise<Outcome> {
    const kept = this.#log?.take(flow.name, task.uuid);
    if (kept !== undefined && 'end' in kept && !this.#options.revert) return outcomeOfEnd(kept.end);
    return this.#start(task, flow, signal, kept);
  }

  #start(task: Task, flow: Flow, signal: AbortSignal, kept?: KeptFlow): Outcome | Promise<Outcome> {
    const compiled = compile(flow);
    let resume: Storage | undefined;
    try {
      if (this.#options.revert) {
        const { as = 'result' } = this.#options;
        const what = toRevert(task, compiled, { as, hasLog: this.#log !== undefined, kept });
        if ('outcome' in what) return what.outcome;
        resume = this.#tellRepeated(task, what.storage);
      } else if (kept !== undefined && 'changes' in kept)
        resume = this.#tellRepeated(task, replay(compiled, kept.changes));
    } catch (error) {
      if (error instanceof TaskpipeError) return { error: { code: 'FLOW_LOG', message: error.message } };
      throw error;
    }
    const store = task.copy(); // atoms may change it
    const missing = missingIn(compiled, store);
    if (missing !== undefined) return { error: { code: 'INPUT', message: missing } };
    return this.#runEngine(flow, {
      uuid: task.uuid,
      store,
      signal,
      storage: resume ?? new Storage(compiled),
    });
  }

  /** Reports what runs again. */
  #tellRepeated({ uuid }: Task, storage: Storage): Storage {
    for (const [index, { state }] of storage.records.entries()) {
      if (state !== 'REVERTING' && (state !== 'RUNNING' || this.#options.revert)) continue;
      const what = state === 'RUNNING' ? 'run' : 'reverted';
      const name = storage.compiled.atoms[index]?.name;
      this.#options.info?.(
        `${uuid}: "${name}" was being ${what} when the process ended; it is ${what} again`,
      );
    }
    return storage;
  }

  async #runEngine(flow: Flow, start: Start): Promise<Outcome> {
    const { uuid, storage } = start;
    let engine: Engine | undefined;
    try {
      const journal = this.#log?.journal(flow.name, uuid);
      engine = this.#engineFor(flow, start, journal);
      const result = await engine.run();
      const outcome = outcomeOf(result, engine, storage.compiled);
      if (result.state === 'SUSPENDED') await journal?.sync();
      else await this.#logEnd(uuid, result.state, outcome, storage);
      return this.#options.revert ? outcomeOfRevert(outcome) : outcome;
    } catch (error) {
      if (isA(error, TaskpipeError) && error.code === 'IO') throw error; // of the log
      return defect('ENGINE', error);
    } finally {
      if (engine !== undefined) this.#engines.delete(engine);
    }
  }

  #engineFor(flow: Flow, { uuid, store, signal, storage }: Start, journal: Journal | undefined): Engine {
    const { engine: kind, jobs, timeout, revert } = this.#options;
    if (revert) journal?.add({ restored: snapshotOf(storage, 'REVERTING').atoms }); // the run had ended before
    const made = new Engine(flow, {
      store,
      engine: kind,
      jobs,
      timeout,
      signal,
      resume: storage,
      journal,
      onCall: this.#onCall,
    });
    this.#tell(uuid, made);
    this.#listen(signal);
    this.#engines.add(made);
    return made;
  }

  /** Records the end of a run in the log, and resolves when it is stored. */
  #logEnd(
    uuid: string,
    state: FlowResult['state'],
    { result, error }: Outcome,
    storage: Storage,
  ): Promise<void> | undefined {
    const atoms = this.#log === undefined || state !== 'SUCCESS' ? undefined : keptAtoms(storage);
    return this.#log?.end(storage.compiled.name, uuid, { state, result, error, atoms });
  }

  #tell(uuid: string, { notifier, taskNotifier }: Engine): void {
    const { notify } = this.#options;
    if (notify === undefined) return;
    const tell = (_: string, { failure, error, ...event }: FlowEvent): void => {
      const stack = error === undefined ? undefined : thrownOf(error).stack;
      const more = { ...(failure && { error: failure }), ...(stack === undefined ? {} : { stack }) };
      notify({ uuid, ...event, ...more });
    };
    notifier.register('*', tell);
    taskNotifier.register('*', tell);
    taskNotifier.register('PROGRESS', tell);
  }

  /** Stops all flows from starting atoms when the stage leaves. */
  #listen(signal: AbortSignal): void {
    if (this.#signal !== undefined) return;
    this.#signal = signal;
    signal.addEventListener('abort', this.#suspend);
  }
}

/** Returns the outcome of an error of user code or of the engine outside any atom: it fails only the task. */
function defect(code: string, error: unknown): Outcome {
  const { message, stack } = thrownOf(error);
  return { error: { code, message }, ...(stack === undefined ? {} : { stack }) };
}
