import type { Failure } from './task.ts';

/**
 * A change of state: of a task, or of a flow or an atom in it.
 *
 * | key | what it is |
 * | --- | --- |
 * | `at` | when, ISO 8601 in UTC |
 * | `uuid` | of the task |
 * | `flow`, `atom` | their names, where the change is theirs |
 * | `old_state`, `state` | a task begins as `PENDING`; then `RUNNING`, `RETRYING`, and an end |
 * | `attempt` | which one, from 1; with `RUNNING`, `RETRYING` and the ends |
 * | `error`, `stack` | why it failed or is tried again, and where that was thrown |
 * | `result` | of an atom |
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
}

/** Takes events, in their order. */
export type Notify = (event: Event) => void;
