import type { Causes, Queue, Size } from '../../queues/index.ts';
import { byName } from '../../stages/queue/queue-look.ts';

/** State of a queue for its metrics. */
interface QueueState {
  readonly name: string;
  readonly size: Size;
  readonly causes: Causes;
  /** Time since the next task was added, in milliseconds. */
  readonly latency: number;
}

type Labels = Readonly<Record<string, string>>;

/** Family of metrics: its name after the prefix, its help, and its samples for one queue. All are gauges. */
interface Family {
  readonly name: string;
  readonly help: string;
  samples(state: QueueState): readonly (readonly [labels: Labels, value: number])[];
}

const PREFIX = 'taskpipe_queue_';

const FAMILIES: readonly Family[] = [
  {
    name: 'tasks',
    help: 'Tasks in the queue by state. A task whose lease has expired is waiting.',
    samples: ({ size: { waiting, delayed, active, dead } }) =>
      Object.entries({ waiting, delayed, active, dead }).map(([state, count]) => [{ state }, count]),
  },
  {
    name: 'dead_tasks',
    help: 'Dead tasks by the code of their last failure.',
    samples: ({ causes }) => Object.entries(causes).map(([code, count]) => [{ code }, count]),
  },
  {
    name: 'finished_tasks',
    help: 'Finished tasks. Falls only if some are forgotten, as by task-done unmark.',
    samples: ({ size }) => [[{}, size.finished]],
  },
  {
    name: 'latency_seconds',
    help: 'Time since the task that is delivered next was added; 0 if none waits.',
    samples: ({ latency }) => [[{}, latency / 1000]],
  },
  {
    name: 'paused',
    help: '1 if no tasks are delivered until task-queue resume, else 0.',
    samples: ({ size }) => [[{}, size.paused ? 1 : 0]],
  },
  {
    name: 'workers',
    help: 'Running task-queue pull processes.',
    samples: ({ size }) => [[{}, size.workers.length]],
  },
  {
    name: 'worker_tasks',
    help: 'Tasks that a worker has, by its name.',
    // Workers may share a name, and no two samples may have the same labels.
    samples: ({ size }) => byName(size.workers).map(({ worker, out }) => [{ worker }, out]),
  },
];

/** Returns the state of the queues in the text format of Prometheus, version 0.0.4. @throws {TaskpipeError} `IO` */
export async function metricsOf(queues: readonly Queue[]): Promise<string> {
  const states = await Promise.all(
    queues.map(async (queue): Promise<QueueState> => {
      const [size, causes, latency] = await Promise.all([queue.size(), queue.causes(), queue.latency()]);
      return { name: queue.name, size, causes, latency };
    }),
  );
  return FAMILIES.map((family) => familyText(family, states)).join('');
}

/** Returns a family. All its samples stand together, as the format demands. */
function familyText({ name, help, samples }: Family, states: readonly QueueState[]): string {
  const full = PREFIX + name;
  const lines = states.flatMap((state) =>
    samples(state).map(
      ([labels, value]) => `${full}${labelText({ queue: state.name, ...labels })} ${value}\n`,
    ),
  );
  return `# HELP ${full} ${help}\n# TYPE ${full} gauge\n${lines.join('')}`;
}

function labelText(labels: Labels): string {
  return `{${Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)}}`;
}

/** Escapes the value of a label: backslash, quotation mark and newline. */
function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}
