import type { Io } from '../core/command.ts';
import { TaskpipeError } from '../core/errors.ts';
import { readTasks } from '../core/ndjson.ts';
import { flushed, type Rejects } from '../core/rejects.ts';
import { type Task, timestamp, withRun } from '../core/task.ts';
import { counted, number, textOf } from '../core/words.ts';
import type { PushCounts, Queue, SettleCounts } from '../queues/index.ts';
import { SETTLING } from '../queues/queue.ts';
import { Pull } from '../stages/pull.ts';
import { inChunks, shareOut } from '../stages/push.ts';
import { asFailed, type Judged, readJudged, settle } from '../stages/settle.ts';

/** The values of the options that verbs look at. */
export interface VerbValues {
  readonly idSeen: 'skip' | 'again';
  readonly front: boolean;
  readonly priority: number | undefined;
  readonly delay: number;
  readonly attempts: number;
  readonly window: number;
  readonly lease: number;
  readonly untilEmpty: boolean;
  readonly worker: string | undefined;
  readonly tee: boolean;
  readonly yes: boolean;
  readonly maxLine: number;
}

/** What a verb has to work with. */
interface Context {
  readonly queues: readonly Queue[];
  /** Where they are, in words. */
  readonly place: string;
  readonly values: VerbValues;
  readonly io: Io;
  /** Those of the command line. */
  readonly uuids: readonly string[];
  readonly rejects: Rejects;
}

interface Verb {
  /** Whether all that it does is for who reads its output. */
  readonly emits?: true;
  /** @throws {TaskpipeError} `USAGE`, before anything is connected */
  check?(values: VerbValues): void;
  /** Returns the exit code. */
  run(context: Context): Promise<0 | 1>;
}

/** The verbs that take uuids in place of the standard input. */
export const takesUuids: readonly string[] = ['ack', 'nack', 'retry'];

/** The verbs: what each does with the queues. */
export const verbs: Readonly<Record<string, Verb>> = {
  push: { run: push },
  pull: { emits: true, run: pull },
  ack: { run: (context) => giveBack(context, (batches) => batches) },
  nack: { run: (context) => giveBack(context, asFailed) },
  size: {
    emits: true,
    run: (context) =>
      each(context, async (queue) => {
        await context.io.write(`${JSON.stringify({ name: queue.name, ...(await queue.size()) })}\n`);
      }),
  },
  dead: { emits: true, run: (context) => each(context, (queue) => listDead(queue, context.io)) },
  retry: {
    run: (context) =>
      each(context, async (queue) => {
        const { uuids, io } = context;
        const count = await queue.retry(uuids.length > 0 ? uuids : undefined);
        io.note(`${queue.name}: ${counted(count, 'dead task')} let in again`);
      }),
  },
  clear: {
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
        const ledger = `${context.place}#${queue.name}`;
        context.io.note(
          `${queue.name} is empty now; what was finished is still known (task-done clear ${ledger} --yes forgets it)`,
        );
      }),
  },
  pause: { run: (context) => each(context, (queue) => queue.pause()) },
  resume: { run: (context) => each(context, (queue) => queue.resume()) },
  stop: { run: stop },
};

async function each({ queues }: Context, work: (queue: Queue) => Promise<void>): Promise<0> {
  for (const queue of queues) await work(queue);
  return 0;
}

async function push({ queues, values, io, rejects }: Context): Promise<0> {
  const input = readTasks(io.stdin(io.stopping), {
    source: 'stdin',
    reject: rejects.reject,
    cut: AbortSignal.any([io.stopping, io.cut]),
    maxLine: values.maxLine,
  });
  const counts: PushCounts = { added: 0, seen: 0, done: 0 };
  const options = { ...values, again: values.idSeen === 'again' };
  try {
    for await (const batch of flushed(input, rejects)) {
      for (const tasks of inChunks(batch)) await shareOut(tasks, queues, options, counts);
    }
  } finally {
    const parts = [`${number(counts.added)} added`];
    if (counts.seen > 0) parts.push(`${number(counts.seen)} seen already`);
    if (counts.done > 0) parts.push(`${number(counts.done)} finished already`);
    if (rejects.count > 0) parts.push(counted(rejects.count, 'bad line'));
    io.note(parts.join(', '));
  }
  return 0;
}

async function pull({ queues, values, io }: Context): Promise<0> {
  const { stopping, leaving, say, note } = io;
  const worker = values.worker ?? io.pipe;
  const ending = AbortSignal.any([stopping, leaving]);
  const pulling = await Pull.open(queues, { ...values, worker, stopping: ending, say });
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
    // Where the reader left, what it had already handed on may still come back.
    const hurry = gone === undefined || stopping.aborted ? leaving : stopping;
    putBack = await pulling.settle(hurry, gone !== undefined);
    if (gone !== undefined) throw gone;
  } finally {
    await pulling.close();
    const back = putBack > 0 ? `, ${number(putBack)} put back` : '';
    note(`${worker}: ${counted(pulling.delivered, 'task')} delivered${back}`);
  }
  return 0;
}

type Judge = (batches: AsyncIterable<readonly Judged[]>) => AsyncIterable<readonly Judged[]>;

async function giveBack({ queues, values, io, uuids, rejects }: Context, judge: Judge): Promise<0 | 1> {
  const counts: SettleCounts = { done: 0, back: 0, again: 0, dead: 0, gone: 0 };
  const input =
    uuids.length > 0
      ? fromOperands(uuids)
      : readJudged(io.stdin(io.leaving), {
          source: 'stdin',
          reject: rejects.reject,
          cut: io.cut,
          maxLine: values.maxLine,
        });
  const options = { worker: values.worker ?? io.pipe, delay: values.delay };
  const telling = setInterval(() => {
    for (const queue of queues) queue.keepSettling(options.worker).catch(() => {}); // what comes next tells why
  }, SETTLING);
  try {
    for await (const batch of settle(flushed(judge(input), rejects), queues, options, counts))
      if (values.tee) await io.write(textOf(batch));
    // The last of its pipe: what has not come by now will not come.
    if (uuids.length === 0) for (const queue of queues) await queue.endSettling(options.worker);
  } finally {
    clearInterval(telling);
    io.note(inWords(counts, rejects.count));
  }
  return counts.again + counts.dead > 0 ? 1 : 0;
}

async function* fromOperands(uuids: readonly string[]): AsyncGenerator<readonly Judged[]> {
  yield uuids.map((uuid): Judged => ({ uuid, kind: 'done', line: uuid }));
}

function inWords({ done, back, again, dead, gone }: SettleCounts, bad: number): string {
  const parts = [`${number(done)} done`];
  if (again > 0) parts.push(`${number(again)} failed, to be delivered again`);
  if (dead > 0) parts.push(`${number(dead)} failed for the last time (task-queue dead lists them)`);
  if (back > 0) parts.push(`${number(back)} back to the front`);
  if (gone > 0) parts.push(`${number(gone)} settled before, or with another worker`);
  if (bad > 0) parts.push(counted(bad, 'bad line'));
  return parts.join(', ');
}

async function listDead(queue: Queue, io: Io): Promise<void> {
  for await (const batch of queue.dead()) {
    if (io.leaving.aborted) return;
    const records = batch.map(
      ({ task, deliveries, at, error }): Task =>
        withRun(task, {
          ...{ state: 'FAILURE', as: 'result', attempts: deliveries, at: timestamp(at), ms: 0, error },
        }),
    );
    await io.write(textOf(records));
  }
}

async function stop({ queues, values, io }: Context): Promise<0 | 1> {
  let count = 0;
  for (const queue of queues) count += await queue.stop(values.worker);
  const { worker } = values;
  if (count > 0) io.note(`asked ${counted(count, 'worker')} to stop`);
  else io.say(worker === undefined ? 'there is no worker to stop' : `there is no worker called ${worker}`);
  return count > 0 ? 0 : 1;
}
