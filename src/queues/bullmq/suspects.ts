import type { Task } from '../../core/record/task.ts';
import { finishedKey } from '../../core/redis/redis-keys.ts';
import { jobIdOf } from '../job-keys.ts';
import { type Judgement, judgeCounts, WaitingSuspects } from '../suspicion.ts';
import type { Bull } from './bull.ts';

/* Marks of suspects in the fields of their jobs; see `suspicion.ts`. */

/** Field of a job: number of tasks that were in flight together at its last delivery. */
const GROUP = 'tpGroup';
/**
 * Field of a job: deaths that its consumer noticed; BullMQ counts expired leases in `stc`. A death counts half if no
 * task of the queue has finished since the first death: then the pipe itself may be broken, for example by a module
 * that cannot be loaded.
 */
const DEATHS = 'tpDeaths';
/** Field of a job: number of finished tasks at its first death. */
const SEEN = 'tpSeen';
/** Field of a job: number of deliveries alone without a verdict. */
const ALONE = 'tpAlone';

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

/** Judges a job by its deliveries. The size is infinite for a task that is not a suspect. */
export function judge(history: JobCounts, marks: Marks, attempts: number): Judgement {
  const [group = 0, died = 0, alone = 0] = marks.map(Number);
  const deaths = Number(history.stalledCounter ?? 0) + died;
  return judgeCounts({ failures: Number(history.attemptsMade ?? 0), deaths, group, alone, attempts });
}

/** Suspects that a consumer has taken and not delivered yet, as jobs. */
export class Suspects extends WaitingSuspects {
  readonly #bull: Bull;

  constructor(bull: Bull) {
    super();
    this.#bull = bull;
  }

  /** Job ids of the waiting suspects. */
  get ids(): string[] {
    return this.uuids.map(jobIdOf);
  }

  /** Removes the next group, and records its size before it is delivered. */
  async takeGroup(): Promise<readonly Task[]> {
    const group = this.nextGroup();
    const { link, backend } = this.#bull;
    const keys = group.map(({ uuid }) => backend.toKey(jobIdOf(uuid)));
    await Promise.all(keys.map((key) => link.client.eval(MARK_GROUP, 1, key, group.length)));
    for (const { uuid } of group) this.delete(uuid);
    return group;
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

/** Removes the marks of a job after a verdict: its worker survived the job. */
export async function clearMarks({ link, backend }: Bull, id: string): Promise<void> {
  await link.client.hdel(backend.toKey(id), 'stc', GROUP, DEATHS, SEEN, ALONE);
}

/** Resets the deliveries alone of a dead job that is retried. */
export async function endTrial({ link, backend }: Bull, id: string): Promise<void> {
  await link.client.hdel(backend.toKey(id), ALONE);
}

/** Fields of a job that add up to the number of its deliveries. */
export const DELIVERIES = ['atm', 'stc', DEATHS] as const;
