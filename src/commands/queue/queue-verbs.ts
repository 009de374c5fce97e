import { TaskpipeError } from '../../core/base/errors.ts';
import { counted, number, textOf } from '../../core/base/format.ts';
import type { Io } from '../../core/options/command.ts';
import { readTasks } from '../../core/record/ndjson.ts';
import { type Task, timestamp, withRun } from '../../core/record/task.ts';
import { flushed } from '../../core/text/rejects.ts';
import { ledgerOf, type PushCounts, type Queue } from '../../queues/index.ts';
import { Pull } from '../../stages/queue/pull.ts';
import { inChunks, shareOut } from '../../stages/queue/push.ts';
import { asFailed } from '../../stages/queue/settle.ts';
import type { VerbContext, VerbValues } from './contract.ts';
import { metricsOf } from './queue-metrics.ts';
import { giveBack } from './queue-settle.ts';
import { watch } from './queue-watch.ts';

interface Verb {
  /** Description for the help, on one line. */
  readonly words: string;
  /** Set if the verb works only for the reader of its output. */
  readonly isFilter?: true;
  /** Checks options before a connection is made. @throws {TaskpipeError} `USAGE` */
  check?(values: VerbValues): void;
  /** Returns the exit code. */
  run(context: VerbContext): Promise<0 | 1>;
}

/** Verbs that take uuids as operands. */
export const takesUuids: readonly string[] = ['ack', 'nack', 'retry', 'remove', 'front'];

/** Verbs by name. */
export const verbs: Readonly<Record<string, Verb>> = {
  push: {
    words: 'adds the tasks it reads; reports how many were added, known and finished already',
    run: push,
  },
  pull: {
    words: 'writes tasks, at most --window at a time, and renews their leases while they run',
    isFilter: true,
    run: pull,
  },
  ack: {
    words:
      'settles records: SUCCESS is finished, FAILURE is delivered again, PENDING is delivered again first',
    run: (context) => giveBack(context, (batches) => batches),
  },
  nack: {
    words: 'returns the tasks it reads to the queue as failed',
    run: (context) => giveBack(context, asFailed),
  },
  size: {
    words: 'writes the number of tasks in each state, and the workers, as JSON or as --metrics',
    isFilter: true,
    run: size,
  },
  watch: {
    words: 'shows the state of the queue every second, and how fast it goes; --json writes it to stdout',
    isFilter: true,
    run: watch,
  },
  dead: {
    words: 'writes the dead tasks, which are not delivered again, with the reason',
    isFilter: true,
    run: (context) => each(context, (queue) => listDead(queue, context.io)),
  },
  retry: {
    words: 'adds the dead tasks again, or those with the given UUIDs',
    run: retry,
  },
  remove: {
    words: 'removes the tasks with the given UUIDs, also dead ones; a task that a worker has stays',
    run: (context) =>
      change(context, (queue, uuids) => queue.remove(uuids), 'removed', 'not in the queue, or with a worker'),
  },
  front: {
    words: 'moves the waiting tasks with the given UUIDs to the front',
    run: (context) =>
      change(context, (queue, uuids) => queue.front(uuids), 'moved to the front', 'not waiting'),
  },
  clear: {
    words: 'forgets all tasks (with --yes), but not which ones are finished',
    check({ yes }) {
      if (!yes)
        throw new TaskpipeError(
          'USAGE',
          'clear forgets all tasks of the queue, also those at work; if that is meant, add --yes',
        );
    },
    run: (context) =>
      each(context, async (queue) => {
        await queue.clear();
        const ledger = ledgerOf(context.place, queue.name);
        const more = ledger === undefined ? '' : ` (task-done clear ${ledger} --yes forgets it)`;
        context.io.info(`${queue.name} is empty now; finished tasks are still known${more}`);
      }),
  },
  pause: {
    words: 'stops deliveries until resume',
    run: (context) => each(context, (queue) => queue.pause()),
  },
  resume: {
    words: 'continues deliveries after pause',
    run: (context) => each(context, (queue) => queue.resume()),
  },
  stop: { words: 'asks the pulls of --worker, or all, to stop gracefully', run: stop },
};

async function each({ queues }: VerbContext, work: (queue: Queue) => Promise<void>): Promise<0> {
  for (const queue of queues) await work(queue);
  return 0;
}

/**
 * Changes the tasks with the given uuids, each in the queue that has it.
 * @param work returns the uuids that it changed
 * @returns the exit code: 1 if some were not changed
 */
async function change(
  { queues, uuids, io }: VerbContext,
  work: (queue: Queue, uuids: readonly string[]) => Promise<readonly string[]>,
  done: string,
  left: string,
): Promise<0 | 1> {
  if (uuids.length === 0) throw new TaskpipeError('USAGE', 'give the uuids of the tasks after the url');
  const changed = new Set<string>();
  for (const queue of queues)
    for (const uuid of await work(
      queue,
      uuids.filter((one) => !changed.has(one)),
    ))
      changed.add(uuid);
  const others = uuids.filter((uuid) => !changed.has(uuid));
  io.info(`${counted(changed.size, 'task')} ${done}`);
  if (others.length > 0) io.warn(`${left}: ${others.join(', ')}`);
  return others.length > 0 ? 1 : 0;
}

function retry(context: VerbContext): Promise<0 | 1> {
  if (context.uuids.length > 0)
    return change(context, (queue, uuids) => queue.retryThese(uuids), 'let in again', 'not dead');
  return each(context, async (queue) => {
    const count = await queue.retry();
    context.io.info(`${queue.name}: ${counted(count, 'dead task')} let in again`);
  });
}

async function push({ queues, values, io, rejects }: VerbContext): Promise<0> {
  const input = readTasks(io.stdin(io.stopping), {
    source: 'stdin',
    reject: rejects.reject,
    truncated: AbortSignal.any([io.stopping, io.truncated]),
    maxLine: values.maxLine,
  });
  const counts: PushCounts = { added: 0, seen: 0, done: 0 };
  const options = { ...values, again: values.idSeen === 'again' };
  io.progress(() => ({
    through: counts.added + counts.seen + counts.done,
    counts: [
      { count: counts.added, words: 'added' },
      { count: counts.seen, words: 'seen already' },
      { count: counts.done, words: 'finished already' },
    ],
  }));
  try {
    for await (const batch of flushed(input, rejects)) {
      for (const tasks of inChunks(batch)) await shareOut(tasks, queues, options, counts);
    }
  } finally {
    const parts = [`${number(counts.added)} added`];
    if (counts.seen > 0) parts.push(`${number(counts.seen)} seen already`);
    if (counts.done > 0) parts.push(`${number(counts.done)} finished already`);
    if (rejects.count > 0) parts.push(counted(rejects.count, 'bad line'));
    io.info(parts.join(', '));
  }
  return 0;
}

async function pull({ queues, values, io }: VerbContext): Promise<0> {
  const { stopping, aborting, warn, info } = io;
  const worker = values.worker ?? io.pipe;
  const ending = AbortSignal.any([stopping, aborting]);
  const pulling = await Pull.open(queues, { ...values, worker, stopping: ending, warn, info });
  io.progress(() => ({
    through: pulling.delivered,
    counts: [{ count: pulling.delivered, words: 'delivered' }],
  }));
  let putBack = 0;
  try {
    let gone: unknown;
    try {
      for await (const batch of pulling.tasks()) await io.write(textOf(batch));
      await io.end();
      if (pulling.isAbandoned) gone = new TaskpipeError('PIPE', 'task-queue ack went away');
    } catch (error) {
      if (!(error instanceof TaskpipeError) || error.code !== 'PIPE') throw error;
      gone = error;
    }
    // After the reader has left, tasks that it passed on before may still be acknowledged.
    const hurry = gone === undefined || stopping.aborted ? aborting : stopping;
    putBack = await pulling.settle(hurry, gone !== undefined, stopping);
    if (gone !== undefined) throw gone;
  } finally {
    await pulling.close();
    const back = putBack > 0 ? `, ${number(putBack)} put back` : '';
    info(`${worker}: ${counted(pulling.delivered, 'task')} delivered${back}`);
  }
  return 0;
}

async function size(context: VerbContext): Promise<0> {
  const { queues, values, io } = context;
  if (values.metrics) {
    await io.write(await metricsOf(queues));
    return 0;
  }
  return each(context, async (queue) => {
    await io.write(`${JSON.stringify({ name: queue.name, ...(await queue.size()) })}\n`);
  });
}

async function listDead(queue: Queue, io: Io): Promise<void> {
  for await (const batch of queue.dead()) {
    if (io.aborting.aborted) return;
    const records = batch.map(
      ({ task, deliveries, at, error }): Task =>
        withRun(task, {
          ...{ state: 'FAILURE', as: 'result', attempts: deliveries, at: timestamp(at), ms: 0, error },
        }),
    );
    await io.write(textOf(records));
  }
}

async function stop({ queues, values, io }: VerbContext): Promise<0 | 1> {
  let count = 0;
  for (const queue of queues) count += await queue.stop(values.worker);
  const { worker } = values;
  if (count > 0) io.info(`asked ${counted(count, 'worker')} to stop`);
  else io.warn(worker === undefined ? 'there is no worker to stop' : `there is no worker called ${worker}`);
  return count > 0 ? 0 : 1;
}
