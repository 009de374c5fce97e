import type { News } from './contract.ts';

/** Makes a meter of finished tasks and their durations. */
export function meterOf(): {
  add(news: News): void;
  take(): { finished: number; median: number | undefined };
  isStale(): boolean;
} {
  const since = new Map<string, number>();
  let total: number | undefined;
  /** Finished tasks at the last `take`, or when the page was opened. */
  let before: number | undefined;
  let times: number[] = [];
  let isStale = false;
  return {
    add({ counts, changes }) {
      isStale ||= changes.length > 0;
      const { PENDING = 0, RUNNING = 0, ...ends } = counts;
      total = Object.values(ends).reduce((sum, count) => sum + count, 0);
      before ??= total;
      if (PENDING + RUNNING === 0) since.clear();
      for (const { task_id, status } of changes) {
        if (status === 'PENDING') since.set(task_id, performance.now());
        else if (status !== 'RUNNING') {
          const start = since.get(task_id);
          if (start !== undefined) times.push(performance.now() - start);
          since.delete(task_id);
        }
      }
    },
    take() {
      const finished = Math.max(0, (total ?? 0) - (before ?? 0));
      before = total;
      const median = times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
      times = [];
      return { finished, median };
    },
    isStale() {
      const was = isStale;
      isStale = false;
      return was;
    },
  };
}
