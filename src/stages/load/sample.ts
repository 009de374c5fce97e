import type { Task } from '../../core/record/task.ts';

/** Tasks chosen evenly from all that were added. */
export interface Sample {
  add(tasks: readonly Task[]): void;
  /** Returns the chosen tasks in the order in which they were added. */
  tasks(): Task[];
}

/**
 * Chooses tasks by reservoir sampling (algorithm R: Vitter, "Random Sampling with a Reservoir", 1985). The
 * random numbers are the same each time, so the same input gives the same sample.
 */
export function sampleOf(size: number): Sample {
  const chosen: { task: Task; ordinal: number }[] = [];
  const random = mulberry32(0x7461736b);
  let count = 0;
  return {
    add(tasks) {
      for (const task of tasks) {
        const ordinal = count++;
        const place = ordinal < size ? ordinal : Math.floor(random() * count);
        if (place < size) chosen[place] = { task, ordinal };
      }
    },
    tasks: () => chosen.sort((a, b) => a.ordinal - b.ordinal).map(({ task }) => task),
  };
}

/** Returns a generator of numbers from 0 up to 1 (Tommy Ettinger's mulberry32, public domain). */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
