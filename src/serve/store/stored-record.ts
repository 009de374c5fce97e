import { type Fields, type Run, runOf, Task, timestamp } from '../../core/record/task.ts';

/** States of a task of the service. */
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

export function isFinal(state: string): boolean {
  return state !== 'PENDING' && state !== 'RUNNING';
}

/** Returns the state of a record; one without `run` has succeeded. */
export function stateOf(fields: Fields): ServeState {
  const state = runOf(fields)?.state ?? 'SUCCESS';
  return STATES.find((known) => known === state) ?? 'FAILURE';
}

/** Makes the record of a task that could not be run or stored. @param run known members of its `run` */
export function failed(
  uuid: string,
  code: string,
  message: string,
  { attempts = 0, at = timestamp(Date.now()), ms = 0 }: Partial<Pick<Run, 'attempts' | 'at' | 'ms'>> = {},
): Task {
  const run: Run = { state: 'FAILURE', as: 'result', attempts, at, ms, error: { code, message } };
  return new Task(uuid, JSON.stringify({ uuid, run }));
}
