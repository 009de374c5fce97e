import { readdirSync, readFileSync } from 'node:fs';
import { kill, pid } from 'node:process';

/**
 * Kills the processes that a thread of this process started, and those that they started: a remaining process
 * could hold the pipe that the thread reads from. Does nothing if the system has no /proc.
 * @param thread number of the thread in the system; the number of the main thread is the process id
 */
export function killDescendants(thread: number): void {
  const found = new Set<number>();
  collect(pid, thread, found);
  for (const child of found) {
    try {
      kill(child, 'SIGKILL');
    } catch {} // it has ended
  }
}

/** Collects the descendants of one thread of a process. */
function collect(parent: number, thread: number | string, found: Set<number>): void {
  for (const child of childrenOf(`/proc/${parent}/task/${thread}/children`)) {
    if (found.has(child)) continue;
    found.add(child);
    for (const one of threadsOf(child)) collect(child, one, found);
  }
}

function childrenOf(file: string): number[] {
  try {
    return (readFileSync(file, 'utf8').match(/\d+/g) ?? []).map(Number);
  } catch {
    return []; // it has ended, or the system has no such file
  }
}

function threadsOf(child: number): string[] {
  try {
    return readdirSync(`/proc/${child}/task`);
  } catch {
    return [];
  }
}
