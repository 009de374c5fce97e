import { randomUUID } from 'node:crypto';
import { parseTask } from '../../core/record/ndjson.ts';
import { type Failure, Task } from '../../core/record/task.ts';
import { finishedKey } from '../../core/redis/redis-keys.ts';
import { ATTEMPTS, type ConsumeOptions, type Consumer, type Returned } from '../contract.ts';
import {
  jobIdOf,
  knownKey,
  returnedKey,
  settlingKey,
  stopsKey,
  tokenOf,
  uuidOf,
  workersKey,
} from '../job-keys.ts';
import { type Bull, backendOf } from './bull.ts';
import { reasonOf } from './bullmq-dead.ts';
import { addAllRepeats, countRepeats } from './bullmq-repeat.ts';
import { isStale, jobOf } from './bullmq-settle.ts';

/** Leases renewed by one command. */
const RENEWED = 1000;
/** Time for which a worker's name is remembered after it was last seen, in milliseconds. */
const KNOWN = 86_400_000;
/** Delay of a task that cannot be taken yet, in milliseconds. */
const LATER = 1000;

/** Locks an active job that has no lock, in one atomic step, as it may be settled at any time. */
const TAKE_UP = `
if not redis.call('LPOS', KEYS[1], ARGV[1]) then return 0 end
return redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3], 'NX') and 1 or 0`;

/** A job as `moveToActive` returns it. */
interface Job {
  readonly id: string;
  readonly data: string;
  readonly opts: { readonly attempts?: number } | string;
  readonly attemptsMade?: number;
  readonly attemptsStarted?: number;
  readonly stalledCounter?: number;
}

export async function openConsumer(bull: Bull, options: ConsumeOptions): Promise<Consumer> {
  const consumer = new BullConsumer(bull, options);
  await consumer.greet();
  return consumer;
}

class BullConsumer implements Consumer {
  /** Unacknowledged uuids, in the order in which they were taken. */
  readonly out: Set<string> = new Set();
  readonly #bull: Bull;
  readonly #options: ConsumeOptions;
  readonly #instance = randomUUID();
  readonly #token: string;
  /** Settled tasks that `returned()` has not reported yet. */
  #news: { uuids: string[]; isEnd: boolean } = { uuids: [], isEnd: false };
  #returns: number;

  constructor({ name, link }: Bull, options: ConsumeOptions) {
    this.#bull = { name, link, backend: backendOf(link, name, options.lease) };
    this.#options = options;
    this.#token = tokenOf(options.worker, this.#instance);
    this.#returns = link.returns;
  }

  async take(count: number, skip: (uuid: string) => boolean = () => false): Promise<readonly Task[]> {
    const { backend } = this.#bull;
    await this.#mend();
    const take = async (): Promise<Task | undefined> => {
      const [job, id] = (await backend.moveToActive(this.#token, this.#options.worker)) as [
        Job | null,
        string,
      ];
      return job ? this.#accept({ ...job, id: String(id) }, skip) : undefined;
    };
    const taken = await this.#bull.link.run(() => Promise.all(Array.from({ length: count }, take)));
    const tasks = taken.filter((task) => task !== undefined);
    for (const { uuid } of tasks) this.out.add(uuid);
    return tasks;
  }

  /** Returns the task of a job that was taken; undefined if it must not be run. */
  async #accept(job: Job, skip: (uuid: string) => boolean): Promise<Task | undefined> {
    const { name, link, backend } = this.#bull;
    const { id } = job;
    const task = parseTask(job.data);
    if (!(task instanceof Task) || uuidOf(id) !== task.uuid) {
      const message = 'the job is not a task; another program may have added it';
      return this.#bury(job, { code: 'TASK', message });
    }
    if (this.out.has(task.uuid)) {
      await this.#readReturned();
      // It was delivered again although nothing has settled it, as after a restart of Redis: it is still running here.
      if (this.out.has(task.uuid)) return undefined;
    }
    if (skip(task.uuid)) {
      await unlessSettled(backend.moveToDelayed(id, Date.now(), LATER, this.#token, { skipAttempt: true }));
      return undefined;
    }
    const { attempts = ATTEMPTS } = typeof job.opts === 'string' ? JSON.parse(job.opts) : job.opts;
    const stalled = Number(job.stalledCounter ?? 0);
    if (Number(job.attemptsMade ?? 0) + stalled >= attempts) {
      const message = `its lease expired ${stalled} times: the worker died or lost its connection`;
      return this.#bury(job, { code: 'LEASE', message });
    }
    // An earlier worker may have marked it as finished before it died.
    const isAgain = Number(job.attemptsStarted ?? 0) > 1;
    if (!isAgain || (await link.client.sismember(finishedKey(name), task.uuid)) === 0) return task;
    await unlessSettled(backend.moveToCompleted(jobOf(id), null, true, this.#token, false));
    return undefined;
  }

  async #bury({ id }: Job, why: Failure): Promise<undefined> {
    await unlessSettled(this.#bull.backend.moveToFailed(jobOf(id), reasonOf(why), false, this.#token, false));
    return undefined;
  }

  async returned(): Promise<Returned> {
    await this.#bull.link.run(() => this.#readReturned());
    const returned = this.#news;
    this.#news = { uuids: [], isEnd: false };
    return returned;
  }

  async #readReturned(): Promise<void> {
    const { name, link } = this.#bull;
    for (const id of (await link.client.lpop(returnedKey(name, this.#instance), 10_000)) ?? []) {
      const uuid = uuidOf(id);
      if (uuid === undefined) this.#news.isEnd = true;
      else if (this.out.delete(uuid)) this.#news.uuids.push(uuid);
    }
  }

  async isHeardOf(): Promise<boolean> {
    const { name, link } = this.#bull;
    return (await this.#bull.link.run(() => link.client.exists(settlingKey(name, this.#options.worker)))) > 0;
  }

  async renew(): Promise<void> {
    await this.#bull.link.run(() => this.#renewAll());
  }

  async #renewAll(): Promise<void> {
    const { backend } = this.#bull;
    const ids = [...this.out].map(jobIdOf);
    const lost: string[] = [];
    for (let i = 0; i < ids.length; i += RENEWED) {
      const some = ids.slice(i, i + RENEWED);
      const tokens = some.map(() => this.#token);
      lost.push(...((await backend.extendLocks(some, tokens, this.#options.lease)) as string[]));
    }
    if (lost.length > 0) await this.#takeUp(lost);
    await backend.moveStalledJobsToWait();
    await addAllRepeats(this.#bull);
  }

  /** Takes leases that could not be renewed again if no other worker has them; gives up the others. */
  async #takeUp(lost: readonly string[]): Promise<void> {
    const { link, backend } = this.#bull;
    const active = backend.toKey('active');
    const takeUp = async (id: string): Promise<void> => {
      const keys = [active, `${backend.toKey(id)}:lock`];
      const isOurs = await link.client.eval(TAKE_UP, 2, ...keys, id, this.#token, this.#options.lease);
      if (isOurs !== 1) this.out.delete(uuidOf(id) ?? '');
    };
    await Promise.all(lost.map(takeUp));
  }

  /**
   * Gives back tasks that Redis assigned to this worker without its knowledge: after a lost connection, commands are sent
   * again and replies may be missing.
   */
  async #mend(): Promise<void> {
    const { link, backend } = this.#bull;
    if (this.#returns === link.returns) return;
    this.#returns = link.returns;
    await this.renew();
    const active = await this.#bull.link.run(() => link.client.lrange(backend.toKey('active'), 0, -1));
    const unheard = active.filter((id) => !this.out.has(uuidOf(id) ?? ''));
    if (unheard.length === 0) return;
    const locks = await this.#bull.link.run(() =>
      link.client.mget(...unheard.map((id) => `${backend.toKey(id)}:lock`)),
    );
    await this.#putBack(unheard.filter((_, i) => locks[i] === this.#token));
  }

  async greet(): Promise<boolean> {
    const { name, link } = this.#bull;
    const { worker } = this.#options;
    const state = JSON.stringify({ worker, out: this.out.size, at: Date.now() });
    const [isToStop] = await this.#bull.link.run(() =>
      Promise.all([
        link.client.sismember(stopsKey(name), this.#instance),
        link.client.hset(workersKey(name), this.#instance, state),
        link.client.set(knownKey(name, worker), '1', 'PX', KNOWN),
      ]),
    );
    return isToStop === 1;
  }

  async isEmpty(): Promise<boolean> {
    return this.#bull.link.run(async () => {
      // A task may move from the repeats to the jobs between two looks, so these are counted twice.
      if (await this.#hasJobs()) return false;
      return (await countRepeats(this.#bull)) === 0 && !(await this.#hasJobs());
    });
  }

  async #hasJobs(): Promise<boolean> {
    const states = ['wait', 'prioritized', 'delayed', 'active'];
    const counts = await this.#bull.backend.getCounts(states as never);
    return counts.some((count) => count > 0);
  }

  async giveBack(): Promise<number> {
    const count = this.out.size;
    // In reverse, so that the first one taken is at the front again.
    await this.#putBack([...this.out].reverse().map(jobIdOf));
    this.out.clear();
    return count;
  }

  async #putBack(ids: readonly string[]): Promise<void> {
    const { backend, link } = this.#bull;
    await link.run(() =>
      Promise.all(ids.map((id) => unlessSettled(backend.moveJobFromActiveToWait(id, this.#token)))),
    );
  }

  async close(): Promise<void> {
    const { name, link } = this.#bull;
    await this.#bull.link.run(() =>
      Promise.all([
        link.client.hdel(workersKey(name), this.#instance),
        link.client.srem(stopsKey(name), this.#instance),
        link.client.del(returnedKey(name, this.#instance)),
      ]),
    );
  }
}

/** Waits for a move of a job. A job that another process has settled meanwhile needs none: the error is ignored. */
async function unlessSettled(move: Promise<unknown>): Promise<void> {
  try {
    await move;
  } catch (error) {
    if (!isStale(error)) throw error;
  }
}
