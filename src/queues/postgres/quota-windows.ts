import type { Rate } from '../../core/schedule/rate.ts';
import type { QuotaAnswer, QuotaCharge, QuotaCorrection } from '../contract.ts';

/*
 * Quotas of all machines, as `SlidingWindow` counts them, by the clock of the server. The excess over a limit is
 * charged to later windows.
 */

/** Number of parts of a window. */
const PARTS = 256;
/** Share of a limit that rounding may cost. */
const ROUNDING = 1e-9;
/** Time for which the asker that waits longest has priority, in milliseconds. */
const TURN = 3000;

/** Charges of a lane: by quota, the amount of each part. */
export type Charges = Record<string, Record<string, number>>;

/** State of a lane, which the functions change. */
export interface LaneState {
  readonly charges: Charges;
  /** Asker that waits longest, and the time until which it has priority, in milliseconds since the epoch. */
  asker: string | undefined;
  askedUntil: number;
  readonly now: number;
  /** Time for which the charges count, in milliseconds. */
  lasts: number;
}

/** Charges the costs of an attempt, if there is room for all of them. */
export function charged(state: LaneState, asker: string, charges: readonly QuotaCharge[]): QuotaAnswer {
  const isFirst = state.asker === undefined || state.asker === asker || state.askedUntil < state.now;
  const wait = Math.max(0, ...charges.map((charge) => waitOf(state, charge)));
  if (wait > 0 || !isFirst) {
    if (isFirst) Object.assign(state, { asker, askedUntil: state.now + TURN });
    return { wait: Math.max(1, Math.ceil(wait)), places: [] };
  }
  state.asker = undefined;
  return { wait: 0, places: charges.map((charge) => put(state, charge, charge.cost)) };
}

/** Corrects charges: a higher cost is charged now, a lower one is refunded. */
export function corrected(state: LaneState, corrections: readonly QuotaCorrection[]): void {
  for (const correction of corrections) {
    const { place, difference } = correction;
    const parts = partsOf(state, correction);
    if (difference > 0) put(state, correction, difference);
    else if ((parts[place] ?? 0) > 0) parts[place] = Math.max(0, (parts[place] as number) + difference);
  }
}

/** Returns the time until there is room for a charge, in milliseconds. */
function waitOf(state: LaneState, charge: QuotaCharge): number {
  const { rate, cost } = charge;
  const room = rate.count * (1 + ROUNDING) - Math.min(cost, rate.count);
  const parts = Object.entries(partsOf(state, charge)).map(
    ([part, amount]) => [endOf(part, rate), amount] as const,
  );
  let sum = parts.reduce((all, [, amount]) => all + amount, 0);
  let wait = 0;
  for (const [ends, amount] of parts.sort(([a], [b]) => a - b)) {
    if (sum <= room) break;
    sum -= amount;
    wait = Math.max(wait, ends - state.now);
  }
  return wait;
}

/** Charges an amount. Returns its part, for `corrected`. */
function put(state: LaneState, quota: Pick<QuotaCharge, 'name' | 'rate'>, cost: number): string {
  const { count, per } = quota.rate;
  const parts = partsOf(state, quota);
  const first = Math.floor((state.now * PARTS) / per);
  let sum = Object.values(parts).reduce((all, amount) => all + amount, 0);
  let left = cost;
  do {
    const later = Math.floor(sum / count + ROUNDING);
    const some = Math.min(left, (later + 1) * count - sum);
    const part = String(first + later * PARTS);
    parts[part] = (parts[part] ?? 0) + some;
    state.lasts = Math.max(state.lasts, (later + 2) * per);
    sum += some;
    left -= some;
  } while (left > count * ROUNDING);
  return String(first);
}

/** Returns the parts of a quota that still count, for reading and writing. */
function partsOf({ charges, now }: LaneState, { name, rate }: Pick<QuotaCharge, 'name' | 'rate'>) {
  const key = `${name} ${rate.per}`;
  const parts = Object.hasOwn(charges, key) ? (charges[key] as Record<string, number>) : {};
  for (const part of Object.keys(parts)) if (endOf(part, rate) <= now) delete parts[part];
  charges[key] = parts;
  return parts;
}

/** Returns the time at which a part leaves the window. */
function endOf(part: string, { per }: Rate): number {
  return ((Number(part) + 1) * per) / PARTS + per;
}
