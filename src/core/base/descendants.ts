import { readdirSync, readFileSync } from 'node:fs';

/**
 * Kills the processes that a thread of this process started, and those that they started: one that is left could hold
 * the pipe that the thread reads from. Does nothing if the system has no /proc.
 * @param thread number of the thread in the system; the main thread has that of the process
 */
export function killDescendants(thread: number): void {
  const found = new Set<number>();
  collect(process.pid, thread, found);
  for (const pid of found) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {} // it has ended
  }
}

/** Collects the descendants of one thread of a process. */
function collect(pid: number, thread: number | string, found: Set<number>): void {
  for (const child of childrenOf(`/proc/${pid}/task/${thread}/children`)) {
    if (found.has(child)) continue;
    found.add(child);
    for (const one of threadsOf(child)) collect(child, one, found);
  }
}

function childrenOf(file: string): number[] {
  try {
    return (readFileSync(file, 'utf8').match(/\d+/g) ?? []).map(Number);
  } catch {
    return []; // it has ended, or the system does not tell
  }
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}
