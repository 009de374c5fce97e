import { TaskpipeError } from '../../core/base/errors.ts';
import { limitText } from '../../core/base/format.ts';
import { thrownOf } from '../../core/base/thrown.ts';
import type { Failure } from '../../core/record/task.ts';
import { missedTime } from '../../core/schedule/missed-time.ts';
import type { AtomContext, Inputs } from '../atom.ts';
import type { AtomState } from './states.ts';

/** Failure of a call, with the thrown value. */
export interface Failed {
  readonly failure: Failure;
  /** Absent if the engine itself failed the call, for example after a timeout. */
  readonly error?: unknown;
  /** Result of an `execute` after which a hook failed. Its `revert` gets it. */
  readonly result?: unknown;
}

/** Outcome of a call. */
export type CallResult = { readonly value: unknown } | Failed;

/** Time limit and abort signal of a call. */
export interface CallLimits {
  /** Limit in milliseconds; undefined means none. */
  readonly timeout: number | undefined;
  /** Signal that is aborted if the whole run must stop. */
  readonly signal: AbortSignal | undefined;
  /** Called with the progress of an atom. */
  readonly onProgress: (call: CallOf, part: number) => void;
}

/** Call of an atom or a controller that has ended. */
export interface CallTime {
  readonly atom: string;
  /** True for a call of `revert`. */
  readonly isRevert: boolean;
  readonly isFailed: boolean;
  /** Duration in milliseconds, hooks included. */
  readonly ms: number;
}

/** Atom that is called, and its state during the call. */
export interface CallOf {
  readonly flow: string;
  readonly atom: string;
  readonly state: AtomState;
}

/** Smallest difference of progress that is reported: an atom in a loop must not fill the memory with events. */
const STEP = 0.001;

const NEVER: AbortSignal = new AbortController().signal;

/** Context of one call. It makes its signal on first use, because most atoms never use it. */
export class CallContext implements AtomContext {
  readonly flow: string;
  readonly atom: string;
  readonly store: Inputs;
  readonly isRepeated: boolean;
  readonly #of: CallOf;
  readonly #limits: CallLimits;
  #told = Number.NaN;
  #hasEnded = false;
  #timeOver: AbortController | undefined;
  #isOver = false;
  #signal: AbortSignal | undefined;

  constructor(of: CallOf, store: Inputs, isRepeated: boolean, limits: CallLimits) {
    this.flow = of.flow;
    this.atom = of.atom;
    this.#of = of;
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

  progress(part: number): void {
    if (!(typeof part === 'number' && part >= 0 && part <= 1)) {
      const got = typeof part === 'number' ? part : describe(part);
      throw new TaskpipeError('USAGE', `progress() of "${this.atom}" takes a number from 0 to 1; got ${got}`);
    }
    if (this.#hasEnded || (Math.abs(part - this.#told) < STEP && (part !== 1 || this.#told === 1))) return;
    this.#told = part;
    this.#limits.onProgress(this.#of, part);
  }

  /** Ends the call: its progress is no longer reported. */
  end(): void {
    this.#hasEnded = true;
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
  limits: CallLimits,
): CallResult | Promise<CallResult> {
  try {
    const value = work();
    if (!isThenable(value)) return { value };
    return limited(
      Promise.resolve(value).then((result) => ({ value: result }), failed),
      context,
      limits,
    );
  } catch (error) {
    return failed(error);
  }
}

/** Returns the outcome of a call, or its timeout. */
export function limited(
  settled: Promise<CallResult>,
  context: CallContext,
  { timeout }: CallLimits,
): Promise<CallResult> {
  return timeout === undefined ? settled : Promise.race([settled, timeOver(settled, context, timeout)]);
}

function describe(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : value === null ? 'null' : typeof value;
}

function timeOver(settled: Promise<CallResult>, context: CallContext, timeout: number): Promise<CallResult> {
  return new Promise((resolve) => {
    const ring = (due: number): void => {
      const missed = missedTime(due, timeout);
      if (missed > 0) {
        timer = setTimeout(ring, missed, Number.POSITIVE_INFINITY); // not extended again
        return;
      }
      resolve({ failure: { code: 'TIMEOUT', message: `it did not end within ${limitText(timeout)}` } });
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
