import type { Job } from '../../../core/schedule/lanes/lane.ts';

/** Further call for tasks of a batch that failed. */
export interface FurtherCall {
  /** Tasks of the call; those that are cancelled while it waits are taken out. */
  jobs: readonly Job[];
}

interface Wait {
  readonly lane: string;
  readonly isForBudget: boolean;
}

/** Further calls that wait for a quota or a budget, in order. No task overtakes them, so that none waits forever. */
export class WaitingCalls {
  readonly #calls = new Map<FurtherCall, Wait>();

  /** Adds a call, or changes what it waits for. */
  add(call: FurtherCall, wait: Wait): void {
    this.#calls.set(call, wait);
  }

  /** Removes a call. Returns whether it waited. */
  remove(call: FurtherCall): boolean {
    return this.#calls.delete(call);
  }

  /** Returns whether a waiting call goes first. @param before call that asks; undefined for a task of the input */
  hasPriority(lane: string, before?: FurtherCall): boolean {
    for (const [call, wait] of this.#calls) {
      if (call === before) return false;
      if (wait.isForBudget || wait.lane === lane) return true;
    }
    return false;
  }
}
