import type { Failure } from './task.ts';

/**
 * A change of state of a task, or of a flow or an atom in it. A file of events adds `at`, the time in ISO
 * 8601 (UTC).
 *
 * | key | meaning |
 * | --- | --- |
 * | `uuid` | uuid of the task |
 * | `flow`, `atom` | names of the flow and the atom, if the change is theirs |
 * | `old_state`, `state` | states before and after the change |
 * | `attempt` | number of the attempt, from 1; only for a task |
 * | `error`, `stack` | reason of a failure or a retry, and the stack of the error |
 * | `result` | result of an atom |
 * | `progress` | part of the work of an atom that is done, from 0 to 1; the state does not change then |
 *
 * A task begins as `PENDING`, is `RUNNING` during an attempt and `RETRYING` between two, and then has a final
 * state. A task to revert begins as `FAILURE` and is `REVERTING` during an attempt. A retry that is dropped
 * makes a task `PENDING`.
 */
export interface Event {
  readonly uuid: string;
  readonly flow?: string;
  readonly atom?: string;
  readonly old_state: string;
  readonly state: string;
  readonly attempt?: number;
  readonly error?: Failure;
  readonly stack?: string;
  readonly result?: unknown;
  readonly progress?: number;
}

/** Function that receives events in their order. */
export type Notify = (event: Event) => void;
