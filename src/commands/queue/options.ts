import { choice, count, duration, flag, path, size, text } from '../../core/options/declare.ts';
import { MAX_LINE } from '../../core/text/lines.ts';
import { ATTEMPTS } from '../../queues/contract.ts';
import { connectionOptions, serverOptions } from '../../queues/options.ts';
import { LEASE, WINDOW } from '../../stages/queue/pull.ts';

/** Options of `task-queue`. */
export const options = {
  ...connectionOptions,
  idSeen: choice('push: what to do with a uuid that is finished or dead already', ['skip', 'again'], {
    default: 'skip',
  }),
  front: flag('push: before all that waits'),
  priority: count('push: after all tasks without one; 1 comes before 2'),
  delay: duration('push: deliver no sooner; ack and nack: deliver what failed again no sooner', {
    default: 0,
    defaultText: '0',
  }),
  attempts: count('push: how often a task is delivered before it is dead', { default: ATTEMPTS }),
  window: count('pull: how many tasks are out at most, delivered and not acknowledged', { default: WINDOW }),
  lease: duration('pull: how long a task is left to a worker of which nothing is heard', {
    default: LEASE,
    defaultText: '30s',
    min: 500,
  }),
  untilEmpty: flag('pull: end once nothing waits, is delayed or is with any worker; default: wait for more'),
  worker: text('pull, ack, nack: the name of this worker; stop: of the one to stop', {
    placeholder: 'NAME',
    env: 'TASK_QUEUE_WORKER', // TASK_WORKER is a kind of work
    defaultText: 'one that pull and ack of one pipe share',
  }),
  tee: flag('ack, nack: pass on what was read, once it is settled'),
  yes: flag('with clear: yes, forget all tasks of the queue'),
  ...serverOptions,
  rejects: path('keep invalid input, as NDJSON with its place and the reason'),
  maxLine: size('the longest line of the input', { default: MAX_LINE, defaultText: '16MB' }),
} as const;
