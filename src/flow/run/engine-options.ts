import type { Names } from '../../core/options/library-options.ts';
import type { Failure } from '../../core/record/task.ts';
import type { Inputs } from '../atom.ts';
import type { Storage } from './atom-storage.ts';
import type { CallTime } from './call.ts';
import type { FlowSnapshot } from './snapshot.ts';
import type { Journal } from './steps.ts';

/** Kind of engine: `serial` runs one atom at a time, `parallel` runs independent atoms at the same time. */
export type EngineKind = 'serial' | 'parallel';

export interface EngineOptions {
  /** Values that the flow starts with. Default: none. */
  readonly store?: Inputs | undefined;
  /** Default `serial`. */
  readonly engine?: EngineKind | undefined;
  /** Maximum number of atoms that a parallel engine runs at once. Default 10. */
  readonly jobs?: number | undefined;
  /** Limit for each asynchronous call of an atom, in milliseconds; a longer call fails. Default: no limit. */
  readonly timeout?: number | undefined;
  /** Signal that is passed to atoms and aborted if they must stop. It does not stop the engine itself. */
  readonly signal?: AbortSignal | undefined;
  /** Earlier run to resume. */
  readonly resume?: FlowSnapshot | Storage | undefined;
  /** Journal that receives every change. */
  readonly journal?: Journal | undefined;
  /** Called after each call of an atom or a controller, with its duration. */
  readonly onCall?: ((call: CallTime) => void) | undefined;
}

/** All of them. */
export const ENGINE_NAMES: Names<EngineOptions> = {
  store: true,
  engine: true,
  jobs: true,
  timeout: true,
  signal: true,
  resume: true,
  journal: true,
  onCall: true,
};

/** Result of a run. */
export interface FlowResult {
  /**
   * `REVERTED`: an atom failed, and every atom that had to be reverted was. `FAILURE`: an atom could not be
   * reverted. `SUSPENDED`: the run stopped on request and can be resumed.
   */
  readonly state: 'SUCCESS' | 'REVERTED' | 'FAILURE' | 'SUSPENDED';
  /** Values from atoms that ran and were not reverted, by the names that the atoms provide. */
  readonly provided: Readonly<Record<string, unknown>>;
  /** Failures of `execute` and `onFailure`, by atom name. Empty after `SUCCESS`, even after retries. */
  readonly failures: Readonly<Record<string, Failure>>;
  /** Failures of `revert`, by atom name. */
  readonly revertFailures: Readonly<Record<string, Failure>>;
  /** Values that atoms and controllers threw in this process, by name, with their stacks and causes. */
  readonly errors: Readonly<Record<string, unknown>>;
}
