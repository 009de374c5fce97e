import { kill } from 'node:process';

/** Time between SIGTERM and SIGKILL for a process group, in milliseconds. */
export const MERCY = 2000;

/**
 * Sends a signal to all processes of a group; 0 only tests whether the group exists.
 * @param leader process that was started with `detached`
 * @returns whether the group has a process
 */
export function signalGroup(leader: number | undefined, signal: NodeJS.Signals | 0): boolean {
  if (leader === undefined) return false; // the process was never started
  try {
    return kill(-leader, signal);
  } catch {
    return false; // no process is left, or we may not signal it
  }
}
