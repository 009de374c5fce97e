import { messageOf } from '../../core/base/errors.ts';
import type { Failure } from '../../core/record/task.ts';
import type { AtomContext, Inputs } from '../atom.ts';

/** How a call ended. */
export type CallResult = { readonly value: unknown } | { readonly failure: Failure };

/** What a call may take, and what gives it up. */
export interface CallLimits {
  /** In milliseconds; undefined: as long as it takes. */
  readonly timeout: number | undefined;
  /** Aborted where all is to be given up. */
  readonly signal: AbortSignal | undefined;
}

const NEVER: AbortSignal = new AbortController().signal;

/** What an atom is told. Its signal is made when it is asked for: most atoms never do. */
export class CallContext implements AtomContext {
  readonly flow: string;
  readonly atom: string;
  readonly store: Inputs;
  readonly isRepeated: boolean;
  readonly #limits: CallLimits;
  #timeOver: AbortController | undefined;
  #signal: AbortSignal | undefined;

  constructor(names: { flow: string; atom: string }, store: Inputs, isRepeated: boolean, limits: CallLimits) {
    this.flow = names.flow;
    this.atom = names.atom;
    this.store = store;
    this.isRepeated = isRepeated;
    this.#limits = limits;
  }

  get signal(): AbortSignal {
    const { timeout, signal = NEVER } = this.#limits;
    if (this.#signal === undefined && timeout === undefined) this.#signal = signal;
    if (this.#signal === undefined) {
      this.#timeOver = new AbortController();
      this.#signal = AbortSignal.any([signal, this.#timeOver.signal]);
    }
    return this.#signal;
  }

  /** Tells the atom that its time is over. */
  abandon(): void {
    this.#timeOver?.abort();
  }
}

/** Does work of a user's. Whatever it does, nothing is thrown; where it is synchronous, no promise is made. */
export function call(
  work: () => unknown,
  context: CallContext,
  { timeout }: CallLimits,
): CallResult | Promise<CallResult> {
  try {
    const value = work();
    if (!isThenable(value)) return { value };
    const settled = Promise.resolve(value).then((result) => ({ value: result }), failed);
    return timeout === undefined ? settled : Promise.race([settled, timeOver(settled, context, timeout)]);
  } catch (error) {
    return failed(error);
  }
}

function timeOver(settled: Promise<CallResult>, context: CallContext, timeout: number): Promise<CallResult> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve({ failure: { code: 'TIMEOUT', message: `it did not end within ${timeout} ms` } });
      context.abandon();
    }, timeout);
    settled.then(() => clearTimeout(timer));
  });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}

/** What was thrown, as a failure: with its own `code` where it has one, else `ERROR`. */
export function failureOf(error: unknown): Failure {
  const code = typeof error === 'object' && error !== null ? (error as { code?: unknown }).code : undefined;
  return { code: typeof code === 'string' && code !== '' ? code : 'ERROR', message: messageOf(error) };
}

function failed(error: unknown): CallResult {
  return { failure: failureOf(error) };
}
