import { thrownOf } from '../../core/base/thrown.ts';
import type { Failure } from '../../core/record/task.ts';
import { missedTime } from '../../core/schedule/missed-time.ts';
import type { AtomContext, Inputs } from '../atom.ts';

/** Failure of a call, with what was thrown. */
export interface Failed {
  readonly failure: Failure;
  /** Absent if the engine itself failed the call, for example after a timeout. */
  readonly error?: unknown;
}

/** Outcome of a call. */
export type CallResult = { readonly value: unknown } | Failed;

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
  #isOver = false;
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
      if (this.#isOver) this.#timeOver.abort();
      this.#signal = AbortSignal.any([signal, this.#timeOver.signal]);
    }
    return this.#signal;
  }

  /** Aborts the signal after a timeout, also for an atom that reads it only later. */
  abandon(): void {
    this.#isOver = true;
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

/** Returns anything that was thrown as a failure. */
export function failed(error: unknown): Failed {
  const { code, message } = thrownOf(error);
  return { failure: { code, message }, error };
}
