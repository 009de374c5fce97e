import { isDeepStrictEqual } from 'node:util';
import { mustBeWhole } from '../core/options/option.ts';
import type { Failure } from '../core/record/task.ts';
import type { AtomContext, Inputs, Signature } from './atom.ts';

/**
 * What becomes of a flow in which an atom failed: it is reverted and run again; it is reverted, unless the controller
 * of the flow around it says otherwise; or all is reverted, whatever is around it.
 */
export type Decision = 'RETRY' | 'REVERT' | 'REVERT_ALL';

/** One try of a flow. */
export interface Try {
  /** What the controller's `execute` gave for it. */
  readonly result: unknown;
  /** What failed in it, by the names of the atoms. */
  readonly failures: Readonly<Record<string, Failure>>;
}

/** All tries so far, the current one last. Empty before the first. */
export type History = readonly Try[];

/**
 * Decides what becomes of a flow when an atom in it fails. It is an atom itself: its `execute` runs before each try,
 * and what that provides may differ from try to try.
 */
export interface Retry extends Signature {
  /** Default: the name of its flow and `_retry`. */
  readonly name?: string;
  /** What to do now; the failure is in the last try. What it throws is taken for `REVERT_ALL`. */
  onFailure(history: History, inputs: Inputs): Decision | Promise<Decision>;
  /** Runs before each try; `history` has the tries before it. */
  execute?(history: History, inputs: Inputs, context: AtomContext): unknown;
  /** Runs where its flow is reverted for good, after all in it. */
  revert?(
    history: History,
    inputs: Inputs,
    undoing: { readonly failures: Readonly<Record<string, Failure>> },
    context: AtomContext,
  ): unknown;
}

/** What every controller can be told. */
export interface RetryOptions extends Signature {
  readonly name?: string;
}

/** What controllers that give up can be told. */
export interface GivingUp extends RetryOptions {
  /** Reverts all when it gives up, not its own flow alone. Default: no. */
  readonly revertAll?: boolean;
}

/** Reverts its flow. */
export function alwaysRevert(options: RetryOptions = {}): Retry {
  return { ...options, onFailure: () => 'REVERT' };
}

/** Reverts all, whatever its flow is nested in. */
export function alwaysRevertAll(options: RetryOptions = {}): Retry {
  return { ...options, onFailure: () => 'REVERT_ALL' };
}

/**
 * Runs its flow up to so many times. It provides the number of the try, from 1.
 * @throws {TaskpipeError} `USAGE` if `attempts` is not a whole number of at least 1
 */
export function times(attempts: number, { revertAll = false, ...options }: GivingUp = {}): Retry {
  mustBeWhole('the attempts of times()', attempts, 1);
  const givenUp = givingUp(revertAll);
  return {
    ...options,
    execute: (history) => history.length + 1,
    onFailure: (history) => (history.length < attempts ? 'RETRY' : givenUp),
  };
}

/** Runs its flow with one value after the other until it succeeds. It provides the value. */
export function forEach(values: Iterable<unknown>, { revertAll = false, ...options }: GivingUp = {}): Retry {
  const all = [...values];
  const givenUp = givingUp(revertAll);
  return {
    ...options,
    execute: (history) => nextOf(all, history),
    onFailure: (history) => (remaining(all, history).length > 0 ? 'RETRY' : givenUp),
  };
}

/**
 * The same, with values that are an input.
 * @param input its name, as in the store, or as an atom provides it
 */
export function parameterizedForEach(
  input: string,
  { revertAll = false, rebind = {}, ...options }: GivingUp = {},
): Retry {
  const givenUp = givingUp(revertAll);
  return {
    ...options,
    rebind: { ...rebind, values: input },
    execute: (history, { values }) => nextOf(listOf(input, values), history),
    onFailure: (history, { values }) =>
      remaining(listOf(input, values), history).length > 0 ? 'RETRY' : givenUp,
  };
}

function givingUp(revertAll: boolean): Decision {
  return revertAll ? 'REVERT_ALL' : 'REVERT';
}

function listOf(input: string, values: unknown): unknown[] {
  if (Array.isArray(values)) return values;
  throw Object.assign(new Error(`"${input}" must be an array to try its values`), { code: 'INPUT' });
}

/** What was not tried: each try takes one away, so a value that is there twice is tried twice. */
function remaining(values: readonly unknown[], history: History): unknown[] {
  const left = [...values];
  for (const { result } of history) {
    const place = left.findIndex((value) => isDeepStrictEqual(value, result));
    if (place >= 0) left.splice(place, 1);
  }
  return left;
}

function nextOf(values: readonly unknown[], history: History): unknown {
  const left = remaining(values, history);
  if (left.length > 0) return left[0];
  throw Object.assign(new Error('there is no value left to try'), { code: 'EXHAUSTED' });
}
