import { kill } from 'node:process';

/** How long a process group has from SIGTERM to SIGKILL, in milliseconds. */
export const MERCY = 2000;

/**
 * Sends a signal to all processes of a group; 0 only asks whether there is one.
 * @param leader the process that was started with `detached`
 * @returns whether the group has a process
 */
export function signalGroup(leader: number | undefined, signal: NodeJS.Signals | 0): boolean {
  if (leader === undefined) return false; // it was never started
  try {
    return kill(-leader, signal);
  } catch {
    return false; // nobody is left, or nobody that we may signal
  }
}
