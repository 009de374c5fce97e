import type { ErrorCode } from '../../core/errors.ts';
import type { Outcome } from '../executor.ts';
import type { HttpOptions } from '../http/options.ts';
import type { ModuleOptions } from '../module/index.ts';

/** What a thread is for. */
export type ThreadWork =
  | { readonly kind: 'module'; readonly options: ModuleOptions }
  | { readonly kind: 'http'; readonly options: HttpOptions };

/** An attempt that a thread is to make. */
export interface Order {
  readonly id: number;
  readonly uuid: string;
  /** The record. */
  readonly line: string;
  readonly number: number;
}

/** What this thread tells another one: attempts to make, or to give all up. */
export type ToThread = readonly Order[] | 'give up' | 'close';

/** What came of an attempt, fit to be sent: a `Task` among its children is a class, and would not arrive as one. */
export interface Settled {
  readonly id: number;
  readonly outcome: Omit<Outcome, 'children'>;
  readonly children: readonly { uuid: string; line: string; front: boolean; again: boolean }[] | undefined;
}

/** What a thread tells. */
export type FromThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'settled'; readonly settled: readonly Settled[] }
  | { readonly kind: 'show'; readonly line: string }
  | { readonly kind: 'stop' }
  | { readonly kind: 'done'; readonly uuid: string }
  /** The thread is of no use: the module can't be loaded, or a log not written. */
  | { readonly kind: 'failed'; readonly code: ErrorCode | undefined; readonly message: string };
