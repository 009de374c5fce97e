import type { Rate } from '../../core/schedule/rate.ts';
import type { QuotaAnswer, QuotaCharge, QuotaCorrection } from '../contract.ts';
import type { QueueLink } from './queue-link.ts';
import { type Charges, charged, corrected, type LaneState } from './quota-windows.ts';

/**
 * The generic cell rate algorithm without bursts, as in `Pacer`. Losing the last turns in a power cut is harmless, so
 * the commit does not wait for the disk.
 */
const TURN = `
  insert into taskpipe_rates as r (lane, following) values ($1, clock_timestamp() + $2::float8 * interval '1 ms')
  on conflict (lane) do update set following = greatest(r.following, clock_timestamp()) + $2 * interval '1 ms'
  returning extract(epoch from following - clock_timestamp()) * 1000 - $2,
    set_config('synchronous_commit', 'off', true)`;

/** Reserves the next start of a lane. Returns the time until then, in milliseconds. */
export async function takeTurn(link: QueueLink, lane: string, { per, count }: Rate): Promise<number> {
  const rows = await link.run((session) => session.rows(TURN, [lane, per / count]));
  return Math.max(0, Math.ceil(Number(rows[0]?.[0] ?? 0) - 0.001));
}

/** SQL that locks a lane until the end of the transaction, and reads it. */
const LOCK = `
  insert into taskpipe_quotas (lane, charges, lasts) values ($1, '{}', now())
  on conflict (lane) do update set lane = excluded.lane
  returning charges, asker, extract(epoch from asked_until) * 1000, extract(epoch from clock_timestamp()) * 1000`;

const KEEP = `
  update taskpipe_quotas set charges = $2, asker = $3, asked_until = to_timestamp($4::float8 / 1000),
    lasts = greatest(lasts, now() + $5::float8 * interval '1 ms') where lane = $1`;

/** Runs work on the state of a lane, with the lane locked. */
function inLane<T>(link: QueueLink, lane: string, work: (state: LaneState) => T): Promise<T> {
  return link.commit(async (session) => {
    const [[charges, asker, askedUntil, now] = []] = await session.rows(LOCK, [lane]);
    const state: LaneState = {
      charges: JSON.parse(charges as string) as Charges,
      asker: asker ?? undefined,
      askedUntil: Number(askedUntil ?? 0),
      now: Number(now),
      lasts: 0,
    };
    const result = work(state);
    await session.change(KEEP, [
      lane,
      JSON.stringify(state.charges),
      ...[state.asker ?? null, state.askedUntil, state.lasts],
    ]);
    return result;
  });
}

/**
 * Charges the costs of an attempt, if all quotas have room for them. @param asker identity of the caller, the same
 * each time
 */
export function chargeQuotas(
  link: QueueLink,
  lane: string,
  asker: string,
  charges: readonly QuotaCharge[],
): Promise<QuotaAnswer> {
  return inLane(link, lane, (state) => charged(state, asker, charges));
}

/** Corrects charges: a higher cost is charged now, a lower one is refunded. */
export function correctQuotas(
  link: QueueLink,
  lane: string,
  corrections: readonly QuotaCorrection[],
): Promise<void> {
  return inLane(link, lane, (state) => corrected(state, corrections));
}

/** Removes lanes that were not used for a day. */
export async function removeOldLanes(link: QueueLink): Promise<void> {
  await link.run(async (session) => {
    await session.change("delete from taskpipe_rates where following < now() - interval '1 day'");
    await session.change("delete from taskpipe_quotas where lasts < now() - interval '1 day'");
  });
}
