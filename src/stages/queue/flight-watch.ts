import { counted } from '../../core/base/format.ts';
import { Silence } from './silence.ts';

/** Number of uuids that a message names. */
const NAMED = 5;

/** Options of `FlightWatch`, in milliseconds. */
export interface FlightOptions {
  /** Time for which a task may be missing. */
  readonly missingAfter: number;
  /** Time without a returning task after which `info` is called. */
  readonly quiet: number;
  readonly info?: ((message: string) => void) | undefined;
}

/** A delivered task. */
interface Flight {
  readonly number: number;
  /** Time at which a task that was delivered later came back. */
  passedAt: number | undefined;
}

/**
 * Watch for tasks that left the pipe between `pull` and `ack`, for example by a filter that drops records: tasks that
 * were delivered after them came back, and they did not. If the pipe is idle, a task that was missing before is
 * missing again, even without later tasks: it may be the last one. All times are in milliseconds, by one clock.
 */
export class FlightWatch {
  readonly #options: FlightOptions;
  /** Tasks in flight, in order of delivery. */
  readonly #out = new Map<string, Flight>();
  #delivered = 0;
  /** Number of the latest delivery that came back. */
  #latestBack = -1;
  /** Time since the last delivery or return. */
  readonly #silence = new Silence();
  /** True if the current silence was reported. */
  #isTold = false;
  /** Uuids that were missing and have not come back since. */
  readonly #missedBefore = new Set<string>();

  constructor(options: FlightOptions) {
    this.#options = options;
  }

  /** Notes deliveries. A task that is still in flight came back before: nothing delivers a task twice at once. */
  delivered(uuids: readonly string[], now: number): void {
    this.returned(
      uuids.filter((uuid) => this.#out.has(uuid)),
      now,
    );
    for (const uuid of uuids) this.#out.set(uuid, { number: this.#delivered++, passedAt: undefined });
    this.#noteSign();
  }

  returned(uuids: readonly string[], now: number): void {
    if (uuids.length === 0) return;
    this.#noteSign();
    for (const uuid of uuids) {
      this.#latestBack = Math.max(this.#latestBack, this.#out.get(uuid)?.number ?? -1);
      if (this.#out.delete(uuid)) this.#missedBefore.delete(uuid);
    }
    for (const flight of this.#out.values()) {
      if (flight.number > this.#latestBack) break;
      flight.passedAt ??= now;
    }
  }

  /** Removes and returns the tasks that are missing for too long. Reports silence. */
  missing(now: number): readonly string[] {
    const silence = this.#silence.look();
    this.#tellSilence(silence);
    const { missingAfter } = this.#options;
    const missing: string[] = [];
    for (const [uuid, { passedAt }] of this.#out) {
      if (passedAt === undefined) break;
      if (now - passedAt >= missingAfter) missing.push(uuid);
    }
    if (silence >= missingAfter)
      for (const uuid of this.#missedBefore)
        if (this.#out.has(uuid) && !missing.includes(uuid)) missing.push(uuid);
    for (const uuid of missing) {
      this.#out.delete(uuid);
      this.#missedBefore.add(uuid);
    }
    return missing;
  }

  #noteSign(): void {
    this.#silence.end();
    this.#isTold = false;
  }

  #tellSilence(silence: number): void {
    const { quiet, info } = this.#options;
    if (this.#out.size === 0 || this.#isTold || silence < quiet) return;
    this.#isTold = true;
    const words = `${counted(this.#out.size, 'task')} in flight (${namesOf([...this.#out.keys()])})`;
    info?.(
      `no task came back for ${Math.round(quiet / 1000)} s; ${words}: slow, or dropped by a program of the pipe`,
    );
  }
}

/** Returns a list of uuids for a message. */
export function namesOf(uuids: readonly string[]): string {
  return uuids.length <= NAMED ? uuids.join(', ') : `${uuids.slice(0, NAMED).join(', ')}, …`;
}
