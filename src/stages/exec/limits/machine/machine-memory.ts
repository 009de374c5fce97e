import { readFileSync } from 'node:fs';
import { availableMemory } from 'node:process';

/** Paths of the files with figures about memory; tests use other paths. */
export interface MemoryFiles {
  /** File with the name of the cgroup of this process. */
  readonly cgroup: string;
  /** Folder of all cgroups. */
  readonly root: string;
}

const FILES: MemoryFiles = { cgroup: '/proc/self/cgroup', root: '/sys/fs/cgroup' };

/**
 * Returns the free memory, in bytes: that of the machine, or of the cgroup if that is less. Node counts the cache of files
 * in a cgroup as used; the part of it that the kernel can drop is free, as Kubernetes counts it.
 */
export function freeMemory(
  need: number,
  available: () => number = availableMemory,
  files: MemoryFiles = FILES,
): number {
  const free = available();
  return free >= need ? free : free + droppableCache(files);
}

/** Returns the size of the unused cache of files that counts against the limit of the cgroup, in bytes. */
function droppableCache({ cgroup, root }: MemoryFiles): number {
  try {
    const [, folder = ''] = /^0::(.*)$/m.exec(readFileSync(cgroup, 'utf8')) ?? [];
    // In a container its own cgroup is the root.
    for (const place of [`${root}${folder}`, root]) {
      const limit = textOf(`${place}/memory.max`);
      if (limit === undefined || limit.trim() === 'max') continue;
      return Number(/^inactive_file (\d+)$/m.exec(textOf(`${place}/memory.stat`) ?? '')?.[1] ?? 0);
    }
  } catch {
    // not Linux, or cgroups of version 1
  }
  return 0;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
