import type { PostgresSession } from '../../core/postgres/contract.ts';
import { markTasks } from '../../core/postgres/postgres-marks.ts';
import type { Failure } from '../../core/record/task.ts';
import { noCounts, SETTLING, type SettleCounts, type SettleOptions, type Verdict } from '../contract.ts';
import { addRepeats } from './postgres-push.ts';
import { isFinished, NO_MARKS, placesAt, type QueueTables, storable } from './queue-tables.ts';

/** Maximum number of unknown tasks of a batch in a message. */
const STRANGERS = 10;
/** Time for which a worker's name is remembered after it was last seen, as an interval of SQL. */
const KNOWN = "interval '1 day'";

const UNKNOWN: Failure = { code: 'UNKNOWN', message: 'the record does not say why' };

/** A task in the queue, as far as a verdict depends on it. */
interface Holding {
  readonly isActive: boolean;
  readonly worker: string | undefined;
  readonly instance: string;
  readonly failures: number;
  readonly attempts: number;
}

/** Settlement of delivered tasks, in the process that pulled them or in another one. */
export class PostgresSettlement {
  readonly #queue: QueueTables;
  /** Worker of this name, once one is known. */
  #fence: string | undefined;

  constructor(queue: QueueTables) {
    this.#queue = queue;
  }

  async settle(verdicts: readonly Verdict[], options: SettleOptions): Promise<SettleCounts> {
    if (verdicts.length === 0) return noCounts();
    const { link, name } = this.#queue;
    return link.commit(async (session) => {
      await this.#setFence(session, options.worker);
      const counts = noCounts();
      for (let left = verdicts; left.length > 0; ) {
        const first = new Map<string, Verdict>();
        const later: Verdict[] = [];
        for (const verdict of left) {
          if (first.has(verdict.uuid)) later.push(verdict);
          else first.set(verdict.uuid, verdict);
        }
        await new Batch(session, name, options, this.#fence, counts).settle(first);
        left = later;
      }
      return counts;
    });
  }

  /** Signals the worker of this name that more verdicts may follow. */
  async keep(worker: string): Promise<void> {
    const { link, name } = this.#queue;
    const sql = `
      insert into taskpipe_queue_names (queue, worker, settling) values ($1, $2, now() + $3 * interval '1 ms')
      on conflict (queue, worker) do update set settling = excluded.settling`;
    await link.run((session) => session.change(sql, [name, worker, SETTLING * 4]));
  }

  /** Signals the worker of this name that no more verdicts follow from this process. */
  async end(worker: string): Promise<void> {
    const { link, name } = this.#queue;
    const sql = `
      insert into taskpipe_queue_news (instance, uuids, is_lost)
      select instance, '{}', false from taskpipe_queue_workers where queue = $1 and worker = $2`;
    await link.run((session) => session.change(sql, [name, worker]));
  }

  /** Restricts failures and returns to deliveries of the worker of this name, if there is one. */
  async #setFence(session: PostgresSession, worker: string | undefined): Promise<void> {
    if (worker === undefined || this.#fence !== undefined) return;
    const sql = `select from taskpipe_queue_names where queue = $1 and worker = $2 and known > now() - ${KNOWN}`;
    if ((await session.rows(sql, [this.#queue.name, worker])).length > 0) this.#fence = worker;
  }
}

/** Verdicts that are settled together, each on another task. */
class Batch {
  readonly #session: PostgresSession;
  readonly #name: string;
  readonly #options: SettleOptions;
  readonly #fence: string | undefined;
  readonly #counts: SettleCounts;

  constructor(
    session: PostgresSession,
    name: string,
    options: SettleOptions,
    fence: string | undefined,
    counts: SettleCounts,
  ) {
    this.#session = session;
    this.#name = name;
    this.#options = options;
    this.#fence = fence;
    this.#counts = counts;
  }

  async settle(verdicts: ReadonlyMap<string, Verdict>): Promise<void> {
    const uuids = [...verdicts.keys()].sort();
    const holdings = await this.#lock(uuids);
    const unknown = await this.#unknown(uuids.filter((uuid) => !holdings.has(uuid)));
    this.#counts.unknown += unknown.size;
    const room = Math.max(0, STRANGERS - this.#counts.strangers.length);
    this.#counts.strangers.push(...[...unknown].slice(0, room));
    const known = [...verdicts.values()].filter(({ uuid }) => !unknown.has(uuid));
    const done = known.filter(({ kind }) => kind === 'done').map(({ uuid }) => uuid);
    const failed: Verdict[] = [];
    const back: string[] = [];
    for (const verdict of known) {
      const { uuid, kind } = verdict;
      if (kind === 'done') this.#counts[holdings.has(uuid) ? 'done' : 'gone']++;
      else if (!this.#isOurs(holdings.get(uuid))) this.#counts.gone++;
      else if (kind === 'back') back.push(uuid);
      else failed.push(verdict);
    }
    const isLast = ({ uuid, isFinal = false }: Verdict): boolean => {
      const { failures, attempts } = holdings.get(uuid) as Holding;
      return isFinal || failures + 1 >= attempts;
    };
    const again = failed.filter((one) => !isLast(one)).map(({ uuid }) => uuid);
    await this.#finish(done);
    await this.#bury(failed.filter(isLast));
    await this.#again(again);
    await this.#back(back);
    await this.#tellHolders([...done, ...back, ...failed.map(({ uuid }) => uuid)], holdings);
    await addRepeats(this.#session, this.#name, uuids);
  }

  /** Locks the tasks that are in the queue, in the order of their uuids, so that two processes do not wait for each other. */
  async #lock(uuids: readonly string[]): Promise<ReadonlyMap<string, Holding>> {
    const sql = `
      select uuid, state = 'active', worker, instance, failures, attempts from taskpipe_queue_tasks
      where queue = $1 and uuid = any($2) order by uuid for update`;
    const rows = await this.#session.rows(sql, [this.#name, uuids]);
    return new Map(
      rows.map(([uuid, isActive, worker, instance, failures, attempts]): [string, Holding] => [
        uuid as string,
        {
          isActive: isActive === 't',
          worker: worker ?? undefined,
          instance: instance ?? '',
          failures: Number(failures),
          attempts: Number(attempts),
        },
      ]),
    );
  }

  /** Returns the tasks that are not finished, of those that are not in the queue. */
  async #unknown(uuids: readonly string[]): Promise<ReadonlySet<string>> {
    if (this.#options.onlyKnown !== true || uuids.length === 0) return new Set();
    const sql = `select n.uuid from unnest($2::text[]) n (uuid) where ${isFinished('n.uuid')}`;
    const rows = await this.#session.rows(sql, [this.#name, uuids]);
    const finished = new Set(rows.map(([uuid]) => uuid));
    return new Set(uuids.filter((uuid) => !finished.has(uuid)));
  }

  /** Returns whether a failure may take the task from its holder. */
  #isOurs(holding: Holding | undefined): boolean {
    if (holding?.isActive !== true) return false;
    return this.#fence === undefined || holding.worker === this.#fence;
  }

  async #finish(uuids: readonly string[]): Promise<void> {
    if (uuids.length === 0) return;
    await markTasks(this.#session, this.#name, new Map(uuids.map((uuid) => [uuid, true])));
    await this.#session.change('delete from taskpipe_queue_tasks where queue = $1 and uuid = any($2)', [
      this.#name,
      uuids,
    ]);
  }

  async #bury(verdicts: readonly Verdict[]): Promise<void> {
    this.#counts.dead += verdicts.length;
    const failures = verdicts.map(({ uuid, error = UNKNOWN }) => ({ uuid, error }));
    await buryTasks(this.#session, this.#name, failures, 1);
  }

  async #again(uuids: readonly string[]): Promise<void> {
    this.#counts.again += uuids.length;
    if (uuids.length === 0) return;
    const sql = `
      update taskpipe_queue_tasks t set failures = failures + 1, ${NO_MARKS}, place = n.place,
        state = case when $3::float8 > 0 then 'delayed' else 'waiting' end,
        due = case when $3 > 0 then now() + $3 * interval '1 ms' end
      from ${placesAt('back', '$2')} n where t.queue = $1 and t.uuid = any($2) and t.uuid = n.uuid`;
    await this.#session.change(sql, [this.#name, uuids, this.#options.delay ?? 0]);
  }

  async #back(uuids: readonly string[]): Promise<void> {
    this.#counts.back += uuids.length;
    if (uuids.length === 0) return;
    const sql = `
      update taskpipe_queue_tasks t set state = 'waiting', ${NO_MARKS}, place = n.place
      from ${placesAt('front', '$2')} n where t.queue = $1 and t.uuid = any($2) and t.uuid = n.uuid`;
    await this.#session.change(sql, [this.#name, uuids]);
  }

  /** Reports to the workers which of their tasks were settled, so that these no longer count against their window. */
  async #tellHolders(uuids: readonly string[], holdings: ReadonlyMap<string, Holding>): Promise<void> {
    const byInstance = new Map<string, string[]>();
    for (const uuid of uuids) {
      const holding = holdings.get(uuid);
      if (holding?.isActive !== true) continue;
      const others = byInstance.get(holding.instance);
      if (others === undefined) byInstance.set(holding.instance, [uuid]);
      else others.push(uuid);
    }
    for (const [instance, some] of byInstance)
      await this.#session.change(
        'insert into taskpipe_queue_news (instance, uuids, is_lost) values ($1, $2, false)',
        [instance, some],
      );
  }
}

/** Marks tasks as dead. @param counted number that is added to their failures */
export async function buryTasks(
  session: PostgresSession,
  name: string,
  failures: readonly { readonly uuid: string; readonly error: Failure }[],
  counted: 0 | 1,
): Promise<void> {
  if (failures.length === 0) return;
  const sql = `
    update taskpipe_queue_tasks t set state = 'dead', failures = failures + $5::int, died = clock_timestamp(),
      code = n.code, message = n.message
    from unnest($2::text[], $3::text[], $4::text[]) n (uuid, code, message)
    where t.queue = $1 and t.uuid = any($2) and t.uuid = n.uuid`;
  await session.change(sql, [
    name,
    failures.map(({ uuid }) => uuid),
    failures.map(({ error }) => storable(error.code)),
    failures.map(({ error }) => storable(error.message)),
    counted,
  ]);
}
