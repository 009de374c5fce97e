import { choice, count, duration, flag, path, size, text } from '../../core/options/declare.ts';
import { MAX_LINE } from '../../core/text/lines.ts';
import { ATTEMPTS } from '../../queues/contract.ts';
import { connectionOptions, serverOptions } from '../../queues/options.ts';
import { LEASE, MISSING_AFTER, WINDOW } from '../../stages/queue/pull.ts';

/** Options of `task-queue`. */
export const options = {
  ...connectionOptions,
  idSeen: choice('push: treatment of a uuid that is already finished or dead', ['skip', 'again'], {
    default: 'skip',
  }),
  front: flag('push: before all waiting tasks'),
  priority: count('push: after all tasks without a priority; 1 comes before 2', { max: 2_000_000 }),
  delay: duration('push: wait before delivery; ack and nack: wait before a failed task is delivered again', {
    default: 0,
    defaultText: '0',
  }),
  attempts: count('push: number of deliveries before a task is dead', {
    default: ATTEMPTS,
    max: 1_000_000,
  }),
  window: count('pull: maximum number of tasks delivered and not acknowledged', { default: WINDOW }),
  lease: duration('pull: time after which the tasks of a silent worker are delivered again', {
    default: LEASE,
    defaultText: '30s',
    min: 500,
  }),
  missingAfter: duration(
    'pull: time after which a task is given back as failed if only later ones came back',
    {
      default: MISSING_AFTER,
      defaultText: '1h',
      min: 1,
    },
  ),
  untilEmpty: flag(
    'pull, watch: end once no task is waiting, delayed or with a worker; default: wait for more',
  ),
  interval: duration('watch: time between two looks', { default: 1000, defaultText: '1s', min: 100 }),
  json: flag('watch: write an object for each queue and look to stdout'),
  metrics: flag('size: write the text format of Prometheus'),
  worker: text('pull, ack, nack: name of this worker; stop: name of the worker to stop', {
    placeholder: 'NAME',
    env: 'TASK_QUEUE_WORKER', // TASK_WORKER is a kind of work
    defaultText: 'a name that pull and ack of one pipe share',
  }),
  tee: flag('ack, nack: pass on records once they are settled'),
  yes: flag('confirm clear, which forgets all tasks of the queue'),
  ...serverOptions,
  rejects: path('keep invalid input, as NDJSON with its place and the reason'),
  maxLine: size('maximum length of an input line', { default: MAX_LINE, defaultText: '16MB' }),
} as const;
