import type { ErrorCode } from '../../../core/base/errors.ts';
import type { Outcome } from '../../contract.ts';
import type { ModuleOptions } from '../contract.ts';

/** Attempts for a thread, as parallel arrays: names of object members would be copied with each attempt. */
export interface Orders {
  /** Number of the first attempt; the others follow. */
  readonly first: number;
  readonly uuids: string[];
  /** Records. */
  readonly lines: string[];
  /** Numbers of the attempts at their tasks, from 1. */
  readonly numbers: number[];
}

/** Start of a thread. */
export interface ThreadData {
  readonly module: ModuleOptions;
  /**
   * Memory that both sides share: the number of the attempt whose function is being called, and the start of the
   * call, by `steadyNow()`. The number is -1 between calls, also while functions wait for promises.
   */
  readonly current: Float64Array;
}

/** Message to a thread: attempts to make, or a request to give up or to close. */
export type ToThread = Orders | 'give up' | 'close';

/** Attempts whose outcome is only a result, as for most attempts. */
export interface Results {
  /** Numbers of the attempts. */
  readonly ids: number[];
  readonly results: (string | undefined)[];
}

/** Other outcomes, in a form that can be sent: a `Task` is a class and would lose its type. */
export interface SettledMessage {
  readonly id: number;
  readonly outcome: Omit<Outcome, 'children'>;
  readonly children: readonly { uuid: string; line: string; front: boolean; again: boolean }[] | undefined;
}

/** Message from a thread. */
export type FromThread =
  /** The module is loaded. `thread` is the number of the thread in the system, if it is known. */
  | { readonly kind: 'ready'; readonly thread: number | undefined }
  | { readonly kind: 'settled'; readonly done: Results; readonly others: readonly SettledMessage[] }
  | { readonly kind: 'show'; readonly line: string }
  | { readonly kind: 'stop' }
  | { readonly kind: 'done'; readonly uuid: string }
  /** The thread is unusable: the module cannot be loaded, or a log not written. */
  | { readonly kind: 'failed'; readonly code: ErrorCode | undefined; readonly message: string };
