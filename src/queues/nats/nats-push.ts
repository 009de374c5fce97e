import { randomUUID } from 'node:crypto';
import { TaskpipeError } from '../../core/base/errors.ts';
import type { NatsHeaders, NatsSession } from '../../core/nats/contract.ts';
import { deleteMessage, lastMessage, publish, stateOf } from '../../core/nats/jetstream.ts';
import { isSubjectTaken } from '../../core/nats/nats-faults.ts';
import { stateOf as runStateOf, type Task, withRun } from '../../core/record/task.ts';
import { ATTEMPTS, type PushCounts, type PushOptions } from '../contract.ts';
import type { Hub } from './nats-hub.ts';

/** Header of a task: number of deliveries before it is dead. */
export const ATTEMPTS_HEADER = 'Taskpipe-Attempts';
/** Header of a task: the push that added it, so that a push that is repeated after a lost connection knows its own. */
const PUSH_HEADER = 'Taskpipe-Push';
/** Room for the headers of a message, in bytes. */
const ROOM = 4096;

/** Reasons to refuse an option of a push, by its name. */
const REFUSED: Readonly<Record<string, string>> = {
  front: 'NATS delivers tasks in the order in which they came, and cannot put one in front',
  priority: 'NATS has no priorities',
  delay: 'NATS 2.9 cannot keep a task back from its first delivery; only ack --delay and nack --delay can',
  repeat:
    'NATS keeps one message for each task, and cannot add a task once more while it is in the queue (ctx.add with again)',
};

/** @throws {TaskpipeError} `USAGE` if an option is one that NATS cannot do */
function refuse(options: PushOptions): void {
  for (const [key, words] of Object.entries(REFUSED)) {
    if (!options[key as keyof PushOptions]) continue;
    const name = key === 'repeat' ? '' : ` for push --${key}`;
    throw new TaskpipeError('USAGE', `${words}; use a queue in Redis or PostgreSQL${name}`);
  }
}

type Answer = keyof PushCounts;

/** Adds tasks to a queue, each uuid once. The server refuses a second message of a subject, and so of a uuid. */
export async function push(hub: Hub, tasks: readonly Task[], options: PushOptions): Promise<PushCounts> {
  refuse(options);
  const id = randomUUID();
  const counts: PushCounts = { added: 0, seen: 0, done: 0 };
  const byUuid = new Map<string, Task>();
  for (const task of tasks) {
    if (byUuid.has(task.uuid)) counts.seen++;
    else byUuid.set(task.uuid, task);
  }
  const { attempts = ATTEMPTS, again = false } = options;
  const headers = {
    [PUSH_HEADER]: id,
    ...(attempts === ATTEMPTS ? {} : { [ATTEMPTS_HEADER]: attempts }),
  };
  const answers = await hub.link.run(async (session) => {
    const { names } = hub;
    const all = [...byUuid.values()];
    checkSizes(session, hub, all);
    // Streams without messages need no question for each task.
    const [done, dead] = await Promise.all(
      [names.streams.done, names.streams.dead].map(
        async (stream) => (await stateOf(session, stream)).messages > 0,
      ),
    );
    const kinds = [...(done ? ['done' as const] : []), ...(dead ? ['dead' as const] : [])];
    return Promise.all(all.map((task) => add(session, hub, task, { headers, again, kinds })));
  });
  for (const answer of answers) counts[answer]++;
  return counts;
}

/** Parts of a push that concern each task. */
interface Adding {
  readonly headers: NatsHeaders;
  readonly again: boolean;
  /** Streams in which the task may be known. */
  readonly kinds: readonly ('done' | 'dead')[];
}

async function add(
  session: NatsSession,
  { names }: Hub,
  task: Task,
  { headers, again, kinds }: Adding,
): Promise<Answer> {
  const { uuid } = task;
  const marks = await Promise.all(
    kinds.map((kind) => lastMessage(session, names.streams[kind], names.of(kind, uuid))),
  );
  for (const [i, mark] of marks.entries()) {
    const kind = kinds[i] as 'done' | 'dead';
    if (mark === undefined) continue;
    if (!again) return kind === 'done' ? 'done' : 'seen';
    await deleteMessage(session, names.streams[kind], mark.seq);
  }
  try {
    await publish(session, names.of('tasks', uuid), fresh(task).line, headers);
    return 'added';
  } catch (error) {
    if (!isSubjectTaken(error)) throw error;
    const present = await lastMessage(session, names.streams.tasks, names.of('tasks', uuid));
    return present?.header(PUSH_HEADER) === headers[PUSH_HEADER] ? 'added' : 'seen';
  }
}

/** @throws {TaskpipeError} `DATA` if a task is too large for the server */
function checkSizes({ maxPayload }: NatsSession, { link }: Hub, tasks: readonly Task[]): void {
  const most = maxPayload - ROOM;
  for (const { uuid, line } of tasks)
    if (line.length > most / 3 && Buffer.byteLength(line) > most)
      throw new TaskpipeError(
        'DATA',
        `${link.address.place}: the task ${JSON.stringify(uuid)} has ${Buffer.byteLength(line)} bytes, and the server takes ${most} (max_payload in its configuration)`,
      );
}

/** Removes the `run` of a failed task, so that it is run again. */
function fresh(task: Task): Task {
  const state = runStateOf(task);
  return state === undefined || state === 'SUCCESS' ? task : withRun(task, undefined);
}
