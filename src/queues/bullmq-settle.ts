import { finishedKey, undoneKey } from '../core/redis-keys.ts';
import type { Failure } from '../core/task.ts';
import type { Bull } from './bullmq.ts';
import { workersOf } from './bullmq.ts';
import { reasonOf } from './bullmq-dead.ts';
import { jobIdOf, knownKey, readToken, returnedKey, settlingKey } from './keys.ts';
import { ATTEMPTS, SETTLING, type SettleCounts, type SettleOptions, type Verdict } from './queue.ts';

/** A verdict, and the delivery that it is about. */
interface Case extends Verdict {
  readonly id: string;
  /** Whose it is; undefined where nobody has it. */
  token: string | undefined;
}

/** How often a task is looked at whose holder changes meanwhile. */
const ROUNDS = 3;
/** A list that nobody reads goes away after so many milliseconds. */
const UNREAD = 3_600_000;

const UNKNOWN: Failure = { code: 'UNKNOWN', message: 'the record does not say why' };

/** Settles tasks that were delivered, by whatever process knows what came of them. */
export class Settlement {
  readonly #bull: Bull;
  #fence: string | undefined;

  constructor(bull: Bull) {
    this.#bull = bull;
  }

  async settle(verdicts: readonly Verdict[], { worker, delay = 0 }: SettleOptions): Promise<SettleCounts> {
    const counts: SettleCounts = { done: 0, back: 0, again: 0, dead: 0, gone: 0 };
    if (verdicts.length === 0) return counts;
    await this.#setFence(worker);
    let left = verdicts.map((verdict): Case => ({ ...verdict, id: jobIdOf(verdict.uuid), token: undefined }));
    await this.#markFinished(left);
    for (let round = 0; left.length > 0 && round < ROUNDS; round++) {
      const cases = inTurn(left);
      await this.#findHolders(cases);
      // Told before it is moved, by commands that stay in order: its holder may get it again at once.
      const telling = this.#tellHolders(cases.filter((one) => this.#isOurs(one)));
      const kinds = await Promise.all(cases.map((one) => this.#move(one, delay)));
      await telling;
      left = [];
      for (const [i, kind] of kinds.entries()) {
        if (kind === 'moved') left.push(cases[i] as Case);
        else counts[kind]++;
      }
    }
    counts.gone += left.length;
    return counts;
  }

  /** Tells the worker of that name that more verdicts may come. */
  async keep(worker: string): Promise<void> {
    const { name, link } = this.#bull;
    await link.client.set(settlingKey(name, worker), '1', 'PX', SETTLING * 4);
  }

  /** Tells the worker of that name that no more come from here. */
  async end(worker: string): Promise<void> {
    const { name, link } = this.#bull;
    for (const [instance, state] of await workersOf(this.#bull))
      if (state.worker === worker) await link.client.rpush(returnedKey(name, instance), '');
  }

  /** From here on, only deliveries to a worker of that name can fail, or be given back; if there is such a worker. */
  async #setFence(worker: string | undefined): Promise<void> {
    if (worker === undefined || this.#fence !== undefined) return;
    const { name, link } = this.#bull;
    if ((await link.client.exists(knownKey(name, worker))) === 1) this.#fence = worker;
  }

  /** Finished before it leaves the queue: a crash in between repeats no work. */
  async #markFinished(cases: readonly Case[]): Promise<void> {
    const { name, link } = this.#bull;
    const uuids = cases.filter(({ kind }) => kind === 'done').map(({ uuid }) => uuid);
    if (uuids.length === 0) return;
    await Promise.all([
      link.client.sadd(finishedKey(name), ...uuids),
      link.client.srem(undoneKey(name), ...uuids),
    ]);
  }

  async #findHolders(cases: readonly Case[]): Promise<void> {
    const { link, backend } = this.#bull;
    const tokens = await link.client.mget(...cases.map(({ id }) => `${backend.toKey(id)}:lock`));
    for (const [i, one] of cases.entries()) one.token = tokens[i] ?? undefined;
  }

  /** Whether somebody has it, and it is for us to take away: what is done is done, whoever did it. */
  #isOurs({ kind, token }: Case): boolean {
    if (token === undefined) return false;
    return kind === 'done' || this.#fence === undefined || readToken(token).worker === this.#fence;
  }

  /** Moves one. `moved`: somebody else was faster, so look again. */
  async #move(one: Case, delay: number): Promise<keyof SettleCounts | 'moved'> {
    const { kind, token, id } = one;
    const { backend } = this.#bull;
    try {
      if (kind === 'done') return await this.#complete(one);
      if (token === undefined || !this.#isOurs(one)) return 'gone';
      if (kind === 'failed') return await this.#fail(one, token, delay);
      await backend.moveJobFromActiveToWait(id, token);
      return 'back';
    } catch (error) {
      if (isStale(error)) return 'moved';
      throw error;
    }
  }

  /** Whoever has it: it is done, and nobody need do it again. */
  async #complete({ id, token }: Case): Promise<keyof SettleCounts | 'moved'> {
    const { link, backend } = this.#bull;
    if (token !== undefined) {
      await backend.moveToCompleted(jobOf(id), null, true, token, false);
      return 'done';
    }
    const there = await link.client.exists(backend.toKey(id));
    if (there === 0) return 'gone';
    return (await backend.remove(id, false)) === 0 ? 'moved' : 'done'; // 0: somebody has it again
  }

  async #fail({ id, error = UNKNOWN }: Case, token: string, delay: number): Promise<keyof SettleCounts> {
    const { link, backend } = this.#bull;
    const [atm, stc, opts] = await link.client.hmget(backend.toKey(id), 'atm', 'stc', 'opts');
    const { attempts = ATTEMPTS } = JSON.parse(opts ?? '{}') as { attempts?: number };
    if (Number(atm ?? 0) + Number(stc ?? 0) + 1 >= attempts) {
      await backend.moveToFailed(jobOf(id, attempts), reasonOf(error), false, token, false);
      return 'dead';
    }
    if (delay > 0) await backend.moveToDelayed(id, Date.now(), delay, token);
    else await backend.retryJob(id, false, token);
    return 'again';
  }

  /** What was settled no longer counts against the window of whoever pulled it. */
  async #tellHolders(cases: readonly Case[]): Promise<void> {
    const { name, link } = this.#bull;
    const byInstance = new Map<string, string[]>();
    for (const { id, token } of cases) {
      const { instance } = readToken(token as string);
      const ids = byInstance.get(instance);
      if (ids === undefined) byInstance.set(instance, [id]);
      else ids.push(id);
    }
    for (const [instance, ids] of byInstance) {
      const key = returnedKey(name, instance);
      await Promise.all([link.client.rpush(key, ...ids), link.client.pexpire(key, UNREAD)]);
    }
  }
}

/** Of what goes to the front, the last goes there first. The rest in order: BullMQ looks for the oldest first. */
function inTurn(cases: readonly Case[]): readonly Case[] {
  const isBack = ({ kind }: Case): boolean => kind === 'back';
  return [...cases.filter((one) => !isBack(one)), ...cases.filter(isBack).reverse()];
}

/** What BullMQ's scripts want to know of a job that they move. */
export function jobOf(id: string, attempts: number = ATTEMPTS): never {
  return { id, opts: { attempts } } as never;
}

/** Whether a script of BullMQ's found another state than was expected: no such job, another lock, not active. */
export function isStale(error: unknown): boolean {
  return [-1, -2, -3, -6].includes((error as { code?: number }).code ?? 0);
}
