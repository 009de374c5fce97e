import type { Task } from '../../core/record/task.ts';
import { finishedKey } from '../../core/redis/redis-keys.ts';
import type { Bull } from './bull.ts';

/*
 * Suspects are tasks that were in flight when a process of a pipe died. One of them may have killed it, for example by
 * running out of memory; the others only waited. They are delivered again in smaller and smaller groups, with nothing else
 * in flight, and in the end alone: only a task that kills its worker alone, as often as `--attempts` allows, is dead.
 */

/** Field of a job: number of tasks that were in flight together at its last delivery. */
const GROUP = 'tpGroup';
/**
 * Field of a job: deaths that its consumer noticed; BullMQ counts expired leases in `stc`. A death counts half if no task of
 * the queue was finished since the first one: then the pipe itself may be broken, for example by a module that cannot be
 * loaded.
 */
const DEATHS = 'tpDeaths';
/** Field of a job: number of finished tasks at its first death. */
const SEEN = 'tpSeen';
/** Field of a job: number of deliveries alone that have no verdict. */
const ALONE = 'tpAlone';

/** Factor by which the groups of suspects become smaller. */
const SHRINK = 4;
/** Size of the first group of a task whose lease expired: it is unknown how many were in flight with it. */
const FIRST = 16;

/** Records the size of the group in which a job is delivered, unless the job is gone. */
const MARK_GROUP = `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], '${GROUP}', ARGV[1])
if ARGV[1] == '1' then redis.call('HINCRBY', KEYS[1], '${ALONE}', 1) end
return 1`;

/** Counts a death, unless the job is gone. */
const COUNT_DEATH = `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], '${GROUP}', ARGV[1])
redis.call('HSETNX', KEYS[1], '${SEEN}', ARGV[2])
local isFirst = redis.call('HEXISTS', KEYS[1], '${DEATHS}') == 0
local isWorking = tonumber(ARGV[2]) > tonumber(redis.call('HGET', KEYS[1], '${SEEN}'))
redis.call('HINCRBYFLOAT', KEYS[1], '${DEATHS}', (isFirst or isWorking) and '1' or '0.5')
return 1`;

/** Counts of BullMQ for a job. */
export interface JobCounts {
  /** Expired leases. */
  readonly stalledCounter?: number;
  /** Verdicts of failure. */
  readonly attemptsMade?: number;
  /** Deliveries, the current one included. */
  readonly attemptsStarted?: number;
}

/** Marks of the code in this file, in the order of `MARKS`. */
type Marks = readonly (string | null)[];

const MARKS = [GROUP, DEATHS, ALONE] as const;

/** Returns the marks of a job; none at its first delivery. */
export async function marksOf(
  { link, backend }: Bull,
  id: string,
  { attemptsStarted }: JobCounts,
): Promise<Marks> {
  return Number(attemptsStarted ?? 0) > 1 ? link.client.hmget(backend.toKey(id), ...MARKS) : [];
}

/** Decision on a job: deliver it in a group of at most `size`, or call it dead after this many deliveries alone. */
export type Judgement = { readonly size: number } | { readonly alone: number };

/** Judges a job by its deliveries. The size is infinite for a task that is not a suspect. */
export function judge(history: JobCounts, marks: Marks, attempts: number): Judgement {
  const [group = 0, died = 0, alone = 0] = marks.map(Number);
  const deaths = Number(history.stalledCounter ?? 0) + died;
  if (deaths === 0) return { size: Number.POSITIVE_INFINITY };
  const spent = Number(history.attemptsMade ?? 0) + deaths;
  if (spent >= attempts && alone > 0) return { alone };
  // The last attempt is made alone: else a neighbour could be called dead.
  if (spent + 1 >= attempts) return { size: 1 };
  return { size: group > 0 ? Math.max(1, Math.floor(group / SHRINK)) : FIRST };
}

/** Suspect that waits for its delivery. */
interface Suspect {
  readonly task: Task;
  readonly id: string;
  readonly size: number;
}

/** Suspects that a consumer has taken and not delivered yet. Their leases are renewed like those of other tasks. */
export class Suspects {
  readonly #bull: Bull;
  readonly #waiting = new Map<string, Suspect>();

  constructor(bull: Bull) {
    this.#bull = bull;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Number of suspects that could be delivered together with those that wait. */
  get missing(): number {
    const [first] = this.#waiting.values();
    return first === undefined ? 0 : Math.max(0, first.size - this.#waiting.size);
  }

  /** Job ids of the waiting suspects. */
  get ids(): string[] {
    return Array.from(this.#waiting.values(), ({ id }) => id);
  }

  has(uuid: string): boolean {
    return this.#waiting.has(uuid);
  }

  delete(uuid: string): void {
    this.#waiting.delete(uuid);
  }

  clear(): void {
    this.#waiting.clear();
  }

  /** @param size maximum size of the group in which the task is delivered */
  add(task: Task, id: string, size: number): void {
    this.#waiting.set(task.uuid, { task, id, size });
  }

  /** Takes the next group out, and records its size before it is delivered. */
  async nextGroup(): Promise<readonly Task[]> {
    const group: Suspect[] = [];
    let limit = Number.POSITIVE_INFINITY;
    for (const suspect of this.#waiting.values()) {
      limit = Math.min(limit, suspect.size);
      if (group.length >= limit) break;
      group.push(suspect);
    }
    const { link, backend } = this.#bull;
    const keys = group.map(({ id }) => backend.toKey(id));
    await Promise.all(keys.map((key) => link.client.eval(MARK_GROUP, 1, key, group.length)));
    for (const { task } of group) this.#waiting.delete(task.uuid);
    return group.map(({ task }) => task);
  }
}

/** Counts the death of a process against the jobs that were in flight together. */
export async function countDeath({ name, link, backend }: Bull, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const finished = await link.client.scard(finishedKey(name));
  const count = (id: string): Promise<unknown> =>
    link.client.eval(COUNT_DEATH, 1, backend.toKey(id), ids.length, finished);
  await Promise.all(ids.map(count));
}

/** Removes the marks of a job whose worker gave a verdict, and so survived. */
export async function clearMarks({ link, backend }: Bull, id: string): Promise<void> {
  await link.client.hdel(backend.toKey(id), 'stc', GROUP, DEATHS, SEEN, ALONE);
}

/** Lets a dead job be tried alone again if someone retries it. */
export async function endTrial({ link, backend }: Bull, id: string): Promise<void> {
  await link.client.hdel(backend.toKey(id), ALONE);
}

/** Fields of a job whose sum is the number of its deliveries. */
export const DELIVERIES = ['atm', 'stc', DEATHS] as const;
