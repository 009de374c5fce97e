import { type Fields, type Run, runOf, Task, timestamp } from '../core/task.ts';

/** The states that a task of the service can be in. */
export const STATES = [
  'PENDING',
  'RUNNING',
  'SUCCESS',
  'FAILURE',
  'REVERTED',
  'REVERT_FAILURE',
  'CANCELLED',
] as const;

export type ServeState = (typeof STATES)[number];

/** Whether a task has come to its end. */
export function isFinal(state: string): boolean {
  return state !== 'PENDING' && state !== 'RUNNING';
}

/** The state that a record came back with; a record without `run` went well. */
export function stateOf(fields: Fields): ServeState {
  const state = runOf(fields)?.state ?? 'SUCCESS';
  return STATES.find((known) => known === state) ?? 'FAILURE';
}

/** A record of a task that could not be done, or not be kept. */
export function failed(uuid: string, code: string, message: string): Task {
  const run: Run = {
    ...{ state: 'FAILURE', as: 'result', attempts: 0, at: timestamp(Date.now()), ms: 0 },
    error: { code, message },
  };
  return new Task(uuid, JSON.stringify({ uuid, run }));
}
