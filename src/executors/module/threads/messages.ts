import type { ErrorCode } from '../../../core/base/errors.ts';
import type { Outcome } from '../../contract.ts';

/**
 * Attempts that a thread is to make: arrays with a place for each, as names in an object each would be copied with
 * every one of them.
 */
export interface Orders {
  /** The number of the first; the others follow. */
  readonly first: number;
  readonly uuids: string[];
  /** The records. */
  readonly lines: string[];
  /** Which attempt at its task each is, from 1. */
  readonly numbers: number[];
}

/** What this thread tells another one: attempts to make, or to give all up. */
export type ToThread = Orders | 'give up' | 'close';

/** What came of attempts that gave a result and nothing else, as of most. */
export interface Results {
  /** The numbers of their orders. */
  readonly ids: number[];
  readonly results: (string | undefined)[];
}

/** What came of another attempt, fit to be sent: a `Task` among its children is a class, and would not arrive as one. */
export interface SettledMessage {
  readonly id: number;
  readonly outcome: Omit<Outcome, 'children'>;
  readonly children: readonly { uuid: string; line: string; front: boolean; again: boolean }[] | undefined;
}

/** What a thread tells. */
export type FromThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'settled'; readonly done: Results; readonly others: readonly SettledMessage[] }
  | { readonly kind: 'show'; readonly line: string }
  | { readonly kind: 'stop' }
  | { readonly kind: 'done'; readonly uuid: string }
  /** The thread is of no use: the module can't be loaded, or a log not written. */
  | { readonly kind: 'failed'; readonly code: ErrorCode | undefined; readonly message: string };
