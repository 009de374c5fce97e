import type { Lane } from '../../../core/schedule/lanes/lane.ts';
import { Pacer, type Rate } from '../../../core/schedule/rate.ts';

/** Limits of calls. */
export interface CallRates {
  readonly rate?: Rate | undefined;
  /** Rate of each lane. */
  readonly hostRate?: Rate | undefined;
  /** Maximum number of running calls of one lane. */
  readonly perHost?: number | undefined;
}

interface LaneCalls {
  running: number;
  readonly pacer: Pacer | undefined;
}

/** Number of lanes from which idle ones are forgotten. */
const MANY = 10_000;

/** Limits of calls, by their lanes. */
export class CallPacing {
  readonly #options: CallRates;
  readonly #pacer: Pacer | undefined;
  readonly #lanes = new Map<string, LaneCalls>();
  readonly #hasLimits: boolean;

  constructor(options: CallRates) {
    const { rate, hostRate, perHost } = options;
    this.#options = options;
    this.#pacer = rate === undefined ? undefined : new Pacer(rate);
    this.#hasLimits = rate !== undefined || hostRate !== undefined || perHost !== undefined;
  }

  /** Returns the time to the next call of a lane, in milliseconds; `Infinity` if one has to end first. */
  wait(lane: Lane, now: number): number {
    const paused = lane.pausedUntil - now;
    if (!this.#hasLimits) return paused;
    const { running, pacer } = this.#of(lane);
    if (running >= (this.#options.perHost ?? Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY;
    return Math.max(paused, this.#pacer?.wait(now) ?? 0, pacer?.wait(now) ?? 0);
  }

  /** Returns the time to a further call of a batch that is running, in milliseconds. */
  waitAgain(lane: Lane, now: number): number {
    const pacer = this.#hasLimits ? this.#of(lane).pacer : undefined;
    return Math.max(lane.pausedUntil - now, this.#pacer?.wait(now) ?? 0, pacer?.wait(now) ?? 0);
  }

  /** Counts a call against the rates. */
  called(lane: Lane, now: number): void {
    if (!this.#hasLimits) return;
    this.#pacer?.start(now);
    this.#of(lane).pacer?.start(now);
  }

  /** Counts a batch that begins (1) or ends (-1). */
  count(lane: Lane, change: 1 | -1): void {
    if (this.#hasLimits) this.#of(lane).running += change;
  }

  #of({ key }: Lane): LaneCalls {
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    if (this.#lanes.size >= MANY) this.#forgetIdle();
    const { hostRate } = this.#options;
    const made = { running: 0, pacer: hostRate === undefined ? undefined : new Pacer(hostRate) };
    this.#lanes.set(key, made);
    return made;
  }

  #forgetIdle(): void {
    const now = performance.now();
    for (const [key, { running, pacer }] of this.#lanes)
      if (running === 0 && (pacer?.wait(now) ?? 0) <= 0) this.#lanes.delete(key);
  }
}
