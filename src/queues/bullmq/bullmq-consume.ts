import { randomUUID } from 'node:crypto';
import { counted } from '../../core/base/format.ts';
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
import { type Bull, backendOf, nameConnection } from './bull.ts';
import { reasonOf } from './bullmq-dead.ts';
import { addAllRepeats, countRepeats } from './bullmq-repeat.ts';
import { isStale, jobOf } from './bullmq-settle.ts';
import { writeEvenIfFull } from './full-memory.ts';
import { countDeath, endTrial, type JobCounts, judge, marksOf, Suspects } from './suspects.ts';

/** Leases renewed by one command. */
const RENEWED = 1000;
/** Time for which a worker's name is remembered after it was last seen, in milliseconds. */
const KNOWN = 86_400_000;
/** Delay of a task that cannot be taken yet, in milliseconds. */
const LATER = 1000;

/** Script that locks an active job without a lock, in one atomic step, because it may be settled at any time. */
const TAKE_UP = `
if not redis.call('LPOS', KEYS[1], ARGV[1]) then return 0 end
return redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3], 'NX') and 1 or 0`;

/** A job as `moveToActive` returns it. */
interface Job extends JobCounts {
  readonly id: string;
  readonly data: string;
  readonly opts: { readonly attempts?: number } | string;
}

export async function openConsumer(bull: Bull, options: ConsumeOptions): Promise<Consumer> {
  const consumer = new BullConsumer(bull, options);
  await consumer.greet();
  nameConnection(bull, options.worker);
  return consumer;
}

class BullConsumer implements Consumer {
  /** Unacknowledged uuids, in the order in which they were taken. */
  readonly out: Set<string> = new Set();
  readonly #bull: Bull;
  readonly #options: ConsumeOptions;
  readonly #instance = randomUUID();
  readonly #token: string;
  readonly #suspects: Suspects;
  /** True while a group of suspects is in flight. */
  #isTrial = false;
  /** Settled tasks that `returned()` has not reported yet. */
  #news: { uuids: string[]; isEnd: boolean } = { uuids: [], isEnd: false };
  /** Reconnections after which `#mend` ran. */
  #returns: number;
  /** Reconnections that `returned()` has reported. */
  #reported: number;

  constructor({ name, link }: Bull, options: ConsumeOptions) {
    this.#bull = { name, link, backend: backendOf(link, name, options.lease) };
    this.#suspects = new Suspects(this.#bull);
    this.#options = options;
    this.#token = tokenOf(options.worker, this.#instance);
    this.#returns = link.returns;
    this.#reported = link.returns;
  }

  async take(count: number, skip: (uuid: string) => boolean = () => false): Promise<readonly Task[]> {
    await this.#mend();
    const { link } = this.#bull;
    // Suspects run with nothing else in flight, so no other tasks are taken meanwhile.
    if (this.out.size > 0 && (this.#isTrial || this.#suspects.size > 0)) return [];
    this.#isTrial = this.#suspects.size > 0;
    const tasks = await link.run(async () => {
      if (this.#isTrial) return this.#suspects.takeGroup();
      const taken = await this.#takeJobs(count, skip);
      // One suspect often comes with others, which may run in its group.
      const more = taken.length === 0 ? this.#suspects.missing : 0;
      return more > 0 ? this.#takeJobs(more, skip) : taken;
    });
    for (const { uuid } of tasks) this.out.add(uuid);
    return tasks;
  }

  async #takeJobs(count: number, skip: (uuid: string) => boolean): Promise<readonly Task[]> {
    const { name, link, backend } = this.#bull;
    const take = async (): Promise<Job | undefined> => {
      const [job, id] = (await backend.moveToActive(this.#token, this.#options.worker)) as [
        Job | null,
        string,
      ];
      return job ? { ...job, id: String(id) } : undefined;
    };
    const jobs = (await Promise.all(Array.from({ length: count }, take))).filter((job) => job !== undefined);
    if (jobs.length === 0) return [];
    const tasks = jobs.map(({ data, id }) => {
      const task = parseTask(data);
      return task instanceof Task && uuidOf(id) === task.uuid ? task : undefined;
    });
    // Another worker may have finished a task before it died, or while the task was pushed again.
    const uuids = tasks.map((task) => task?.uuid ?? '');
    const isFinished = await link.client.smismember(finishedKey(name), ...uuids);
    const accept = (job: Job, i: number): Promise<Task | undefined> =>
      this.#accept(job, tasks[i], isFinished[i] === 1, skip);
    return (await Promise.all(jobs.map(accept))).filter((task) => task !== undefined);
  }

  /** Returns the task of a job that was taken; undefined if it must not be run now. */
  async #accept(
    job: Job,
    task: Task | undefined,
    isFinished: boolean,
    skip: (uuid: string) => boolean,
  ): Promise<Task | undefined> {
    const { backend } = this.#bull;
    const { id } = job;
    if (task === undefined) {
      const message = 'the job is not a task; another program may have added it';
      return this.#bury(job, { code: 'TASK', message });
    }
    if (this.#isOurs(task.uuid)) {
      await this.#readReturned();
      // It was redelivered although it is not settled, as after a restart of Redis: it is still running here.
      if (this.#isOurs(task.uuid)) return undefined;
    }
    if (isFinished) {
      await unlessSettled(backend.moveToCompleted(jobOf(id), null, true, this.#token, false));
      return undefined;
    }
    if (skip(task.uuid)) {
      await unlessSettled(
        backend.moveToDelayed(id, this.#bull.link.now(), LATER, this.#token, { skipAttempt: true }),
      );
      return undefined;
    }
    const { attempts = ATTEMPTS } = typeof job.opts === 'string' ? JSON.parse(job.opts) : job.opts;
    const judgement = judge(job, await marksOf(this.#bull, id, job), attempts);
    if ('alone' in judgement) {
      await endTrial(this.#bull, id);
      const message = `its worker died or lost its connection ${counted(judgement.alone, 'time')} while it had only this task`;
      return this.#bury(job, { code: 'LEASE', message });
    }
    if (judgement.size === Number.POSITIVE_INFINITY) return task;
    this.#suspects.add(task, judgement.size);
    return undefined;
  }

  /** Returns whether this consumer has a task: in flight, or waiting for its delivery alone. */
  #isOurs(uuid: string): boolean {
    return this.out.has(uuid) || this.#suspects.has(uuid);
  }

  async #bury({ id }: Job, why: Failure): Promise<undefined> {
    await unlessSettled(this.#bull.backend.moveToFailed(jobOf(id), reasonOf(why), false, this.#token, false));
    return undefined;
  }

  async returned(): Promise<Returned> {
    const { link } = this.#bull;
    await link.run(() => this.#readReturned());
    const isBack = this.#reported !== link.returns;
    this.#reported = link.returns;
    const returned = { ...this.#news, isBack };
    this.#news = { uuids: [], isEnd: false };
    return returned;
  }

  async #readReturned(): Promise<void> {
    const { name, link } = this.#bull;
    for (const id of (await link.client.lpop(returnedKey(name, this.#instance), 10_000)) ?? []) {
      const uuid = uuidOf(id);
      if (uuid === undefined) this.#news.isEnd = true;
      else if (this.out.delete(uuid)) this.#news.uuids.push(uuid);
      else this.#suspects.delete(uuid);
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
    const ids = [...[...this.out].map(jobIdOf), ...this.#suspects.ids];
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

  /** Takes leases again that could not be renewed, if no other worker has them; gives up the others. */
  async #takeUp(lost: readonly string[]): Promise<void> {
    const { link, backend } = this.#bull;
    const active = backend.toKey('active');
    const takeUp = async (id: string): Promise<void> => {
      const keys = [active, `${backend.toKey(id)}:lock`];
      const isOurs = await link.client.eval(TAKE_UP, 2, ...keys, id, this.#token, this.#options.lease);
      if (isOurs === 1) return;
      const uuid = uuidOf(id) ?? '';
      this.out.delete(uuid);
      this.#suspects.delete(uuid);
    };
    await Promise.all(lost.map(takeUp));
  }

  /**
   * Returns tasks to the queue that Redis assigned to this worker without its knowledge: after a lost connection,
   * commands are sent again and replies may be missing.
   */
  async #mend(): Promise<void> {
    const { link, backend } = this.#bull;
    if (this.#returns === link.returns) return;
    this.#returns = link.returns;
    await this.renew();
    const active = await this.#bull.link.run(() => link.client.lrange(backend.toKey('active'), 0, -1));
    const unheard = active.filter((id) => !this.#isOurs(uuidOf(id) ?? ''));
    if (unheard.length === 0) return;
    const locks = await this.#bull.link.run(() =>
      link.client.mget(...unheard.map((id) => `${backend.toKey(id)}:lock`)),
    );
    await this.#putBack(unheard.filter((_, i) => locks[i] === this.#token));
  }

  async greet(): Promise<boolean> {
    const { name, link } = this.#bull;
    const { worker } = this.#options;
    const state = JSON.stringify({ worker, out: this.out.size, at: link.now() });
    const [isToStop] = await this.#bull.link.run(() =>
      Promise.all([
        link.client.sismember(stopsKey(name), this.#instance),
        writeEvenIfFull(link, 'hset', workersKey(name), this.#instance, state),
        writeEvenIfFull(link, 'set', knownKey(name, worker), '1', 'PX', KNOWN),
      ]),
    );
    return isToStop === 1;
  }

  async isEmpty(): Promise<boolean> {
    return this.#bull.link.run(async () => {
      // A task may move from the repeats to the jobs between two counts, so these are counted twice.
      if (await this.#hasJobs()) return false;
      return (await countRepeats(this.#bull)) === 0 && !(await this.#hasJobs());
    });
  }

  async #hasJobs(): Promise<boolean> {
    const states = ['wait', 'prioritized', 'delayed', 'active'];
    const counts = await this.#bull.backend.getCounts(states as never);
    return counts.some((count) => count > 0);
  }

  async giveBack(isSuspect: (uuid: string) => boolean = () => false): Promise<number> {
    const uuids = [...this.out];
    const dead = uuids.filter(isSuspect).map(jobIdOf);
    await this.#bull.link.run(() => countDeath(this.#bull, dead));
    // They go behind other tasks, whose success shows that the pipe works.
    await this.#putLast(dead);
    const others = uuids.filter((uuid) => !isSuspect(uuid)).map(jobIdOf);
    // In reverse, so that the first one taken is at the front again.
    await this.#putBack([...others, ...this.#suspects.ids].reverse());
    const count = uuids.length + this.#suspects.size;
    this.out.clear();
    this.#suspects.clear();
    return count;
  }

  async #putBack(ids: readonly string[]): Promise<void> {
    const { backend, link } = this.#bull;
    await link.run(() =>
      Promise.all(ids.map((id) => unlessSettled(backend.moveJobFromActiveToWait(id, this.#token)))),
    );
  }

  async #putLast(ids: readonly string[]): Promise<void> {
    const { backend, link } = this.#bull;
    const now = link.now();
    const move = (id: string): Promise<void> =>
      unlessSettled(backend.moveToDelayed(id, now, 1, this.#token, { skipAttempt: true }));
    await link.run(() => Promise.all(ids.map(move)));
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

/**
 * Waits for a move of a job. If another process has settled the job meanwhile, no move is needed: the error is
 * ignored.
 */
async function unlessSettled(move: Promise<unknown>): Promise<void> {
  try {
    await move;
  } catch (error) {
    if (!isStale(error)) throw error;
  }
}
