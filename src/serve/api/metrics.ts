import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { runOf } from '../../core/record/task.ts';
import type { Finished } from '../store/contract.ts';
import type { Service } from '../work/service.ts';
import { countsOf } from './watchers.ts';

export interface Metrics {
  readonly registry: Registry;
  accepted(count: number): void;
  refused(code: string): void;
  finished(end: Finished): void;
  /** Records an answer. @param seconds duration */
  answered(route: string, status: number, seconds: number): void;
}

/** Makes the metrics for Prometheus. */
export function metricsOf(service: () => Service): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const accepted = new Counter({
    name: 'taskserve_accepted_total',
    help: 'Tasks that were accepted',
    registers,
  });
  const refused = new Counter({
    ...{ name: 'taskserve_refused_total', help: 'Requests that were refused, by code', registers },
    labelNames: ['code'],
  });
  const finished = new Counter({
    ...{ name: 'taskserve_finished_total', help: 'Tasks that ended, by state', registers },
    labelNames: ['state'],
  });
  const seconds = new Histogram({
    ...{ name: 'taskserve_task_seconds', help: 'Duration of the work on a task', registers },
    buckets: [0.01, 0.1, 1, 10, 60, 600, 3600, 14_400],
  });
  const answers = new Histogram({
    ...{ name: 'taskserve_answer_seconds', help: 'Duration of an answer', registers },
    labelNames: ['route', 'status'],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
  });
  new Gauge({
    ...{ name: 'taskserve_tasks', help: 'Tasks, by state', registers, labelNames: ['state'] },
    collect() {
      for (const [state, count] of Object.entries(countsOf(service()))) this.set({ state }, count);
    },
  });
  return {
    registry,
    accepted: (count) => accepted.inc(count),
    refused: (code) => refused.inc({ code }),
    finished({ task, state }) {
      finished.inc({ state });
      const ms = runOf(task.fields)?.ms;
      if (typeof ms === 'number') seconds.observe(ms / 1000);
    },
    answered: (route, status, took) => answers.observe({ route, status }, took),
  };
}
