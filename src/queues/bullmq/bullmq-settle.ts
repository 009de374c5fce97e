import type { Failure } from '../../core/record/task.ts';
import {
  ATTEMPTS,
  noCounts,
  type SETTLED,
  SETTLING,
  type SettleCounts,
  type SettleOptions,
  type Verdict,
} from '../contract.ts';
import { jobIdOf, knownKey, readToken, returnedKey, settlingKey } from '../job-keys.ts';
import type { Bull } from './bull.ts';
import { reasonOf } from './bullmq-dead.ts';
import { markFinished, markKnown } from './bullmq-finish.ts';
import { addRepeats, countRepeats } from './bullmq-repeat.ts';
import { workersOf } from './bullmq-size.ts';
import { writeEvenIfFull } from './full-memory.ts';
import { clearMarks } from './suspects.ts';

/** A verdict with the delivery that it settles. */
interface Case extends Verdict {
  readonly id: string;
  /** Lock of the worker that has the task; undefined if no worker has it. */
  token: string | undefined;
}

/** Name of a count. */
type Outcome = (typeof SETTLED)[number];

/** Maximum number of unknown tasks of a batch in a message. */
const STRANGERS = 10;
/** Maximum number of attempts to settle a task while its holder changes. */
const ROUNDS = 3;
/** Lifetime of a list without a reader, in milliseconds. */
const UNREAD = 3_600_000;

const UNKNOWN: Failure = { code: 'UNKNOWN', message: 'the record does not say why' };

/** Settlement of delivered tasks, in the process that pulled them or in another one. */
export class Settlement {
  readonly #bull: Bull;
  #fence: string | undefined;

  constructor(bull: Bull) {
    this.#bull = bull;
  }

  async settle(verdicts: readonly Verdict[], options: SettleOptions): Promise<SettleCounts> {
    const counts = noCounts();
    if (verdicts.length === 0) return counts;
    const { worker, delay = 0, onlyKnown = false } = options;
    await this.#setFence(worker);
    // Tasks are marked before they leave the queue: a crash in between repeats no work.
    const mark = onlyKnown ? markKnown : markFinished;
    const [repeats, unknown] = await Promise.all([countRepeats(this.#bull), mark(this.#bull, verdicts)]);
    counts.unknown = unknown.size;
    counts.strangers.push(...[...unknown].slice(0, STRANGERS));
    let left = verdicts
      .filter(({ uuid }) => !unknown.has(uuid))
      .map((verdict): Case => ({ ...verdict, id: jobIdOf(verdict.uuid), token: undefined }));
    for (let round = 0; left.length > 0 && round < ROUNDS; round++) {
      const cases = inTurn(left);
      await this.#findHolders(cases);
      // Sent before the job is moved, because its holder may get it again immediately; Redis keeps the order of commands.
      const telling = this.#tellHolders(cases.filter((one) => this.#isOurs(one)));
      const moving = Promise.all(cases.map((one) => this.#move(one, delay)));
      // Awaited together: during a failover both may be refused, and an unhandled refusal would end the process.
      const [kinds] = await Promise.all([moving, telling]);
      left = [];
      for (const [i, kind] of kinds.entries()) {
        if (kind === 'moved') left.push(cases[i] as Case);
        else counts[kind]++;
      }
    }
    counts.gone += left.length;
    if (repeats > 0)
      await addRepeats(
        this.#bull,
        verdicts.map(({ uuid }) => uuid),
      );
    return counts;
  }

  /** Signals the worker of this name that more verdicts may follow. */
  async keep(worker: string): Promise<void> {
    const { name, link } = this.#bull;
    await writeEvenIfFull(link, 'set', settlingKey(name, worker), '1', 'PX', SETTLING * 4);
  }

  /** Signals the worker of this name that no more verdicts follow from this process. */
  async end(worker: string): Promise<void> {
    const { name, link } = this.#bull;
    for (const [instance, state] of await workersOf(this.#bull))
      if (state.worker === worker) await writeEvenIfFull(link, 'rpush', returnedKey(name, instance), '');
  }

  /** Restricts failures and returns to deliveries of the worker of this name, if there is one. */
  async #setFence(worker: string | undefined): Promise<void> {
    if (worker === undefined || this.#fence !== undefined) return;
    const { name, link } = this.#bull;
    if ((await link.client.exists(knownKey(name, worker))) === 1) this.#fence = worker;
  }

  async #findHolders(cases: readonly Case[]): Promise<void> {
    const { link, backend } = this.#bull;
    const tokens = await link.client.mget(...cases.map(({ id }) => `${backend.toKey(id)}:lock`));
    for (const [i, one] of cases.entries()) one.token = tokens[i] ?? undefined;
  }

  /** Returns whether a verdict may take the task from its holder. A finished task is finished, whichever worker ran it. */
  #isOurs({ kind, token }: Case): boolean {
    if (token === undefined) return false;
    return kind === 'done' || this.#fence === undefined || readToken(token).worker === this.#fence;
  }

  /** Moves one job. Returns `moved` if its holder changed meanwhile, so that the caller tries again. */
  async #move(one: Case, delay: number): Promise<Outcome | 'moved'> {
    const { kind, token, id } = one;
    const { backend } = this.#bull;
    try {
      if (kind === 'done') return await this.#complete(one);
      if (token === undefined || !this.#isOurs(one)) return 'gone';
      if (kind === 'failed') return await this.#fail(one, token, delay);
      // The marks are removed first: at the front, the task may be delivered again at once.
      await Promise.all([clearMarks(this.#bull, id), backend.moveJobFromActiveToWait(id, token)]);
      return 'back';
    } catch (error) {
      if (isStale(error)) return 'moved';
      throw error;
    }
  }

  /** Completes a job, whichever worker has it. */
  async #complete({ id, token }: Case): Promise<Outcome | 'moved'> {
    const { link, backend } = this.#bull;
    if (token !== undefined) {
      await backend.moveToCompleted(jobOf(id), null, true, token, false);
      return 'done';
    }
    const there = await link.client.exists(backend.toKey(id));
    if (there === 0) return 'gone';
    return (await backend.remove(id, false)) === 0 ? 'moved' : 'done'; // 0: another worker took it meanwhile
  }

  async #fail(
    { id, error = UNKNOWN, isFinal = false }: Case,
    token: string,
    delay: number,
  ): Promise<Outcome> {
    const { link, backend } = this.#bull;
    const [atm, opts] = await link.client.hmget(backend.toKey(id), 'atm', 'opts');
    const { attempts = ATTEMPTS } = JSON.parse(opts ?? '{}') as { attempts?: number };
    if (isFinal || Number(atm ?? 0) + 1 >= attempts) {
      await backend.moveToFailed(jobOf(id, attempts), reasonOf(error), false, token, false);
      return 'dead';
    }
    await clearMarks(this.#bull, id);
    if (delay > 0) await backend.moveToDelayed(id, link.now(), delay, token);
    else await backend.retryJob(id, false, token);
    return 'again';
  }

  /** Reports to the workers which of their tasks were settled, so that these no longer count against their window. */
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
      await Promise.all([writeEvenIfFull(link, 'rpush', key, ...ids), link.client.pexpire(key, UNREAD)]);
    }
  }
}

/** Orders verdicts: tasks that go back to the front are last and reversed, so that they keep their order there. */
function inTurn(cases: readonly Case[]): readonly Case[] {
  const isBack = ({ kind }: Case): boolean => kind === 'back';
  return [...cases.filter((one) => !isBack(one)), ...cases.filter(isBack).reverse()];
}

/** Returns the parts of a job that BullMQ's scripts need to move it. */
export function jobOf(id: string, attempts: number = ATTEMPTS): never {
  return { id, opts: { attempts } } as never;
}

/** Returns whether a BullMQ script found an unexpected state: no such job, another lock, or not active. */
export function isStale(error: unknown): boolean {
  return [-1, -2, -3, -6].includes((error as { code?: number }).code ?? 0);
}
