import type { NatsSession } from '../../core/nats/contract.ts';
import {
  deleteMessage,
  lastMessage,
  publish,
  type StoredMessage,
  scan,
  textOf,
} from '../../core/nats/jetstream.ts';
import { isSubjectTaken } from '../../core/nats/nats-faults.ts';
import { parseTask } from '../../core/record/ndjson.ts';
import { type Failure, Task } from '../../core/record/task.ts';
import { ATTEMPTS, type Causes, type DeadTask } from '../contract.ts';
import { acknowledge, type Claim, deleteClaim, type StoredClaim, writeClaim } from './nats-claims.ts';
import type { Hub } from './nats-hub.ts';
import { tokenOf } from './nats-names.ts';
import { ATTEMPTS_HEADER } from './nats-push.ts';

/** Header of a dead task: how it died, as JSON in base64. */
const DEATH_HEADER = 'Taskpipe-Death';
/** Maximum length of the message of a failure: headers count against the largest message that the server takes. */
const LONGEST = 1000;

/** Circumstances of a death. */
interface Death {
  readonly deliveries: number;
  readonly error: Failure;
  readonly attempts: number;
}

/** Returns a failure whose message is short enough to be kept. */
export function shortened({ code, message }: Failure): Failure {
  return { code, message: message.length > LONGEST ? `${message.slice(0, LONGEST)}…` : message };
}

/**
 * Moves a task to the dead. The claim decides, so that a task dies once; then the task is stored as dead before it leaves
 * the queue.
 * @param last the claim that is replaced
 * @param data line of the task
 * @returns false if another process has changed the claim meanwhile
 */
export async function bury(
  session: NatsSession,
  hub: Hub,
  claim: Claim & { readonly error: Failure },
  last: number,
  data: Uint8Array,
): Promise<boolean> {
  const dead: Claim = { ...claim, state: 'dead', error: shortened(claim.error) };
  const seq = await writeClaim(session, hub.names, dead, last);
  if (seq === undefined) return false;
  await finishBurial(session, hub, { ...dead, seq, time: 0 }, data);
  return true;
}

/** Does the rest of `bury` for a claim of the state `dead`. */
export async function finishBurial(
  session: NatsSession,
  { names }: Hub,
  claim: StoredClaim,
  data: Uint8Array,
): Promise<void> {
  const { uuid, tries, deaths, attempts, error = { code: 'UNKNOWN', message: '' } } = claim;
  const death: Death = { deliveries: Math.max(1, tries + deaths), error, attempts };
  const headers = { [DEATH_HEADER]: Buffer.from(JSON.stringify(death)).toString('base64') };
  await publish(session, names.of('dead', uuid), data, headers);
  await acknowledge(session, claim.ack);
  await deleteClaim(session, names, claim.seq);
}

function deathOf(message: StoredMessage): Death {
  return JSON.parse(Buffer.from(message.header(DEATH_HEADER), 'base64').toString());
}

/** Returns a dead task. A message of another program that is not a task has the end of its subject as uuid. */
function deadTaskOf(message: StoredMessage): DeadTask {
  const { error, deliveries } = deathOf(message);
  const token = message.subject.slice(message.subject.lastIndexOf('.') + 1);
  const text = textOf(message.data);
  const task = taskOf(text, token) ?? new Task(token, JSON.stringify({ uuid: token, job: jsonOf(text) }));
  return { task, deliveries, at: message.time, error };
}

/** Returns the task of a message; undefined if it is not one. @param token last part of its subject */
export function taskOf(text: string, token: string): Task | undefined {
  const task = parseTask(text);
  return task instanceof Task && tokenOf(task.uuid) === token ? task : undefined;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Yields the dead tasks, oldest first. */
export async function* deadTasks({ link, names }: Hub): AsyncGenerator<readonly DeadTask[]> {
  // Collected first: the connection may be lost while the caller is busy.
  const batches = await link.run(async (session) => {
    const all: DeadTask[][] = [];
    for await (const batch of scan(session, names.streams.dead, names.all('dead')))
      all.push(batch.map(deadTaskOf));
    return all;
  });
  yield* batches;
}

/** Returns the numbers of dead tasks by the code of their failure, the most frequent first. */
export async function causesOf(session: NatsSession, { names }: Hub): Promise<Causes> {
  const counts = new Map<string, number>();
  for await (const batch of scan(session, names.streams.dead, names.all('dead')))
    for (const message of batch) {
      const { code } = deathOf(message).error;
      counts.set(code, (counts.get(code) ?? 0) + 1);
    }
  return Object.fromEntries([...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)));
}

/** Returns all dead tasks to the queue. Returns their number. */
export async function retryDead(session: NatsSession, hub: Hub): Promise<number> {
  let count = 0;
  for await (const batch of scan(session, hub.names.streams.dead, hub.names.all('dead')))
    count += (await Promise.all(batch.map((message) => retry(session, hub, message)))).filter(Boolean).length;
  return count;
}

/** Returns the dead tasks with these uuids to the queue. Returns their uuids. */
export async function retryThese(
  session: NatsSession,
  hub: Hub,
  uuids: readonly string[],
): Promise<readonly string[]> {
  const { names } = hub;
  const retried = await Promise.all(
    uuids.map(async (uuid) => {
      const message = await lastMessage(session, names.streams.dead, names.of('dead', uuid));
      return message !== undefined && (await retry(session, hub, message));
    }),
  );
  return uuids.filter((_, i) => retried[i]);
}

/** Returns a dead task to the queue, and then removes it from the dead. A crash in between loses nothing. */
async function retry(session: NatsSession, { names }: Hub, message: StoredMessage): Promise<boolean> {
  const { attempts = ATTEMPTS } = deathOf(message);
  const token = message.subject.slice(message.subject.lastIndexOf('.') + 1);
  try {
    const subject = names.all('tasks').replace('>', token);
    await publish(session, subject, message.data, { [ATTEMPTS_HEADER]: attempts });
  } catch (error) {
    if (!isSubjectTaken(error)) throw error;
  }
  return deleteMessage(session, names.streams.dead, message.seq);
}
