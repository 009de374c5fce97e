import { isDeepStrictEqual } from 'node:util';
import { TaskpipeError } from '../core/base/errors.ts';
import { userJson } from '../core/base/user-json.ts';
import { checkOptions, type Names } from '../core/options/library-options.ts';
import { mustBeWhole } from '../core/options/option.ts';
import type { Failure } from '../core/record/task.ts';
import { type AtomContext, type Inputs, SIGNATURE_NAMES, type Signature } from './atom.ts';

/**
 * Action after an atom of a flow failed.
 * - `RETRY`: reverts the flow and runs it again.
 * - `REVERT`: reverts the flow, unless the controller of the flow around it decides otherwise.
 * - `REVERT_ALL`: reverts everything, including the flows around it.
 */
export type Decision = 'RETRY' | 'REVERT' | 'REVERT_ALL';

/** One try of a flow. */
export interface Try {
  /** Value that `execute` of the controller returned for this try. */
  readonly result: unknown;
  /** Failures in this try, by atom name. */
  readonly failures: Readonly<Record<string, Failure>>;
}

/** All tries so far, the current one last. Empty before the first try. */
export type History = readonly Try[];

/**
 * Controller that decides what to do with a flow when an atom in it fails. It is an atom itself: its
 * `execute` runs before each try, and may provide a different value for each.
 */
export interface Retry extends Signature {
  /** Default: the name of its flow and `_retry`. */
  readonly name?: string;
  /** Decides what to do; the failure is in the last try. An error counts as `REVERT_ALL`. */
  onFailure(history: History, inputs: Inputs): Decision | Promise<Decision>;
  /** Runs before each try; `history` has the earlier tries. */
  execute?(history: History, inputs: Inputs, context: AtomContext): unknown;
  /** Runs when its flow is reverted for good, after all atoms in the flow. It does not run before a retry. */
  revert?(
    history: History,
    inputs: Inputs,
    undoing: { readonly failures: Readonly<Record<string, Failure>> },
    context: AtomContext,
  ): unknown;
}

/** Options of every controller. */
export interface RetryOptions extends Signature {
  readonly name?: string;
}

/** Options of controllers that give up. */
export interface GivingUp extends RetryOptions {
  /** True if the controller answers `REVERT_ALL` when it gives up, instead of `REVERT`. Default: false. */
  readonly revertAll?: boolean;
}

const RETRY_NAMES: Names<Retry> = {
  ...SIGNATURE_NAMES,
  name: true,
  onFailure: true,
  execute: true,
  revert: true,
};

/**
 * Checks a controller. An instance of a class may have further members.
 * @throws {TaskpipeError} `USAGE` if it has no `onFailure`, or an unknown member
 */
export function checkRetry(flow: string, retry: Retry): void {
  if (typeof retry?.onFailure !== 'function') {
    throw new TaskpipeError(
      'USAGE',
      `flow "${flow}": retry must be a controller such as times(3), or an object with onFailure`,
    );
  }
  if (Object.getPrototypeOf(retry) === Object.prototype)
    checkOptions(`flow "${flow}": its retry controller`, retry, {}, RETRY_NAMES);
}

/** Makes a controller that reverts its flow. */
export function alwaysRevert(options: RetryOptions = {}): Retry {
  return { ...options, onFailure: () => 'REVERT' };
}

/** Makes a controller that reverts everything, including the flows around its own. */
export function alwaysRevertAll(options: RetryOptions = {}): Retry {
  return { ...options, onFailure: () => 'REVERT_ALL' };
}

/**
 * Makes a controller that runs its flow up to `attempts` times. It provides the number of the try, from 1.
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

/**
 * Makes a controller that tries one value after another until its flow succeeds. It provides the value.
 * @throws {TaskpipeError} `USAGE` if a value is not JSON
 */
export function forEach(values: Iterable<unknown>, { revertAll = false, ...options }: GivingUp = {}): Retry {
  const { text = '[]', fault } = userJson([...values]);
  if (fault !== undefined)
    throw new TaskpipeError('USAGE', `the values of forEach() must be JSON; got ${fault}`);
  const all = JSON.parse(text) as unknown[]; // values as JSON, like the results of earlier tries
  const givenUp = givingUp(revertAll);
  return {
    ...options,
    execute: (history) => nextOf(all, history),
    onFailure: (history) => (remaining(all, history).length > 0 ? 'RETRY' : givenUp),
  };
}

/**
 * Makes a controller like that of `forEach`, with the values of an input.
 * @param input name of an array in the store, or of one that an earlier atom provides
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
  const { text = '[]' } = userJson(values); // values as JSON, like the results of earlier tries
  if (Array.isArray(values)) return JSON.parse(text) as unknown[];
  throw Object.assign(new Error(`"${input}" must be an array to try its values`), { code: 'INPUT' });
}

/** Returns the values not tried yet. Each try removes one equal value, so duplicates are tried again. */
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
