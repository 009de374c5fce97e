import type { Failure } from '../../core/record/task.ts';
import type { Inputs } from '../atom.ts';
import type { Storage } from './atom-storage.ts';
import type { FlowSnapshot } from './snapshot.ts';
import type { Journal } from './steps.ts';

/** How atoms run: one after the other, or all at once that do not wait for one another. */
export type EngineKind = 'serial' | 'parallel';

export interface EngineOptions {
  /** The values that the flow starts with. Default: none. */
  readonly store?: Inputs | undefined;
  /** Default `serial`. */
  readonly engine?: EngineKind | undefined;
  /** How many atoms run at once in a parallel engine. Default 10. */
  readonly jobs?: number | undefined;
  /** For each call of an atom, in milliseconds; what takes longer has failed. Default: no limit. */
  readonly timeout?: number | undefined;
  /** Is handed on to atoms: aborted where they are to give up. */
  readonly signal?: AbortSignal | undefined;
  /** Goes on with an earlier run. */
  readonly resume?: FlowSnapshot | Storage | undefined;
  /** Keeps all that happens. */
  readonly journal?: Journal | undefined;
}

/** What a run came to. */
export interface FlowResult {
  /**
   * `REVERTED`: an atom failed, and all was reverted that had to be. `FAILURE`: an atom could not be reverted.
   * `SUSPENDED`: it was asked to stop, and can go on.
   */
  readonly state: 'SUCCESS' | 'REVERTED' | 'FAILURE' | 'SUSPENDED';
  /** What atoms provide that ran and were not reverted, by the names that they provide it under. */
  readonly provided: Readonly<Record<string, unknown>>;
  /** Why atoms failed, by their names. */
  readonly failures: Readonly<Record<string, Failure>>;
  /** Why atoms could not be reverted, by their names. */
  readonly revertFailures: Readonly<Record<string, Failure>>;
}
