import { messageOf } from '../../core/base/errors.ts';
import type { Failure } from '../../core/record/task.ts';
import { missedTime } from '../../core/schedule/missed-time.ts';
import type { AtomContext, Inputs } from '../atom.ts';

/** Outcome of a call. */
export type CallResult = { readonly value: unknown } | { readonly failure: Failure };

/** Time limit and abort signal of a call. */
export interface CallLimits {
  /** Limit in milliseconds; undefined means none. */
  readonly timeout: number | undefined;
  /** Signal that is aborted if the whole run must stop. */
  readonly signal: AbortSignal | undefined;
}

const NEVER: AbortSignal = new AbortController().signal;

/** Context of one call. It makes its signal on first use, because most atoms never use it. */
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

  /** Aborts the signal after a timeout, if the atom has read it. */
  abandon(): void {
    this.#timeOver?.abort();
  }
}

/** Calls a function of the user. It never throws, and returns a promise only if the function does. */
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
    const ring = (due: number): void => {
      const missed = missedTime(due, timeout);
      if (missed > 0) {
        timer = setTimeout(ring, missed, Number.POSITIVE_INFINITY); // once
        return;
      }
      resolve({ failure: { code: 'TIMEOUT', message: `it did not end within ${timeout} ms` } });
      context.abandon();
    };
    let timer = setTimeout(ring, timeout, performance.now() + timeout);
    settled.then(() => clearTimeout(timer));
  });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}

/** Returns a thrown value as a failure, with its own `code` if it has one, else `ERROR`. */
export function failureOf(error: unknown): Failure {
  const code = typeof error === 'object' && error !== null ? (error as { code?: unknown }).code : undefined;
  return { code: typeof code === 'string' && code !== '' ? code : 'ERROR', message: messageOf(error) };
}

function failed(error: unknown): CallResult {
  return { failure: failureOf(error) };
}
