import { messageOf, TaskpipeError } from '../../core/base/errors.ts';
import type { Task } from '../../core/record/task.ts';
import { type Flow, isFlow } from '../../flow/patterns.ts';
import { type Compiled, compile, missingIn } from '../../flow/plan/compile.ts';
import type { Storage } from '../../flow/run/atom-storage.ts';
import { Engine } from '../../flow/run/engine.ts';
import type { FlowLog } from '../../flow/run/flow-log.ts';
import type { FlowEvent } from '../../flow/run/notifier.ts';
import { replay } from '../../flow/run/snapshot.ts';
import type { Attempt, Outcome } from '../contract.ts';
import { outcomeOf } from './flow-outcome.ts';
import type { FlowExecutorOptions } from './options.ts';

/** Flow for all tasks, or a function that returns one for each. */
export type FlowSource = Flow | ((task: Task) => Flow | Promise<Flow>);

/** Flows that are running, each for a task. */
export class FlowRuns {
  readonly #source: FlowSource;
  readonly #options: FlowExecutorOptions;
  readonly #log: FlowLog | undefined;
  readonly #engines = new Set<Engine>();
  readonly #suspend = (): void => {
    for (const engine of this.#engines) engine.suspend();
  };
  /** Signal of the stage, the same for all attempts. */
  #signal: AbortSignal | undefined;

  constructor(source: FlowSource, options: FlowExecutorOptions, log: FlowLog | undefined) {
    this.#source = source;
    this.#options = options;
    this.#log = log;
    // Without a log, finished atoms would be forgotten, so the flow is not suspended.
    if (log !== undefined) options.stopping?.addEventListener('abort', this.#suspend);
  }

  async close(): Promise<void> {
    this.#options.stopping?.removeEventListener('abort', this.#suspend);
    this.#signal?.removeEventListener('abort', this.#suspend);
    await this.#log?.close();
  }

  /** Runs the flow of a task, or resumes it. */
  async run(task: Task, { signal }: Attempt): Promise<Outcome> {
    let flow: Flow;
    let compiled: Compiled;
    try {
      flow = await this.#flowOf(task);
      compiled = compile(flow);
    } catch (error) {
      return { error: { code: 'FLOW', message: messageOf(error) } };
    }
    const kept = this.#log?.take(flow.name, task.uuid);
    if (kept !== undefined && 'result' in kept) return kept;
    const missing = missingIn(compiled, task.fields);
    if (missing !== undefined) return { error: { code: 'INPUT', message: missing } };
    let resume: Storage | undefined;
    try {
      if (kept !== undefined) resume = this.#goOn(task, replay(compiled, kept.changes));
    } catch (error) {
      if (error instanceof TaskpipeError) return { error: { code: 'FLOW_LOG', message: error.message } };
      throw error;
    }
    return this.#runEngine(task, flow, { signal, resume });
  }

  async #flowOf(task: Task): Promise<Flow> {
    if (isFlow(this.#source)) return this.#source;
    const made: unknown = await this.#source(task);
    if (isFlow(made)) return made;
    throw new Error(`the function in the flow file must return a flow; got ${typeof made}`);
  }

  /** Reports what runs again. */
  #goOn({ uuid }: Task, storage: Storage): Storage {
    for (const [index, { state }] of storage.records.entries()) {
      if (state !== 'RUNNING' && state !== 'REVERTING') continue;
      const what = state === 'RUNNING' ? 'run' : 'reverted';
      const name = storage.compiled.atoms[index]?.name;
      this.#options.info?.(
        `${uuid}: "${name}" was being ${what} when the process ended; it is ${what} again`,
      );
    }
    return storage;
  }

  async #runEngine(
    { uuid, fields }: Task,
    flow: Flow,
    { signal, resume }: { signal: AbortSignal; resume: Storage | undefined },
  ): Promise<Outcome> {
    const { engine: kind, jobs, timeout } = this.#options;
    const journal = this.#log?.journal(flow.name, uuid);
    const engine = new Engine(flow, { store: fields, engine: kind, jobs, timeout, signal, resume, journal });
    this.#tell(uuid, engine);
    this.#listen(signal);
    this.#engines.add(engine);
    try {
      const result = await engine.run();
      const outcome = outcomeOf(result, () => engine.toJSON(), compile(flow));
      if (result.state === 'SUSPENDED') await journal?.sync();
      else
        await this.#log?.end(
          flow.name,
          uuid,
          result.state,
          outcome.error === undefined ? outcome.result : undefined,
        );
      return outcome;
    } finally {
      this.#engines.delete(engine);
    }
  }

  #tell(uuid: string, { notifier, taskNotifier }: Engine): void {
    const { notify } = this.#options;
    if (notify === undefined) return;
    const tell = (_: string, { failure, ...event }: FlowEvent): void =>
      notify({ uuid, ...event, ...(failure === undefined ? {} : { error: failure }) });
    notifier.register('*', tell);
    taskNotifier.register('*', tell);
  }

  /** Stops all flows from starting atoms when the stage leaves. */
  #listen(signal: AbortSignal): void {
    if (this.#signal !== undefined) return;
    this.#signal = signal;
    signal.addEventListener('abort', this.#suspend);
  }
}
