import { missedTime } from '../../../core/schedule/missed-time.ts';
import type { Exchange } from './exchange.ts';
import { type HttpFault, timeoutFault } from './http-failure.ts';

/**
 * Trips that end when a signal is aborted: one listener per signal, not per trip. Arrays, because entries of a
 * `Set` survive many young garbage collections in its old tables.
 */
const underway = new WeakMap<AbortSignal, Deadline[]>();

const ABORTED: HttpFault = { code: 'ABORTED', message: 'given up', again: 'never' };

/** Deadline of one attempt over all its redirects. It also ends when the stage leaves. */
export class Deadline {
  readonly #timeout: number;
  #timer: NodeJS.Timeout;
  /** Time for which the timer is set; undefined after time that was missed. */
  #due: number | undefined;
  readonly #others: Deadline[];
  /** Index among the others. */
  #place: number;
  #exchange: Exchange | undefined;
  #over: HttpFault | undefined;

  /** @param timeout first to last byte, in milliseconds */
  constructor(timeout: number, signal: AbortSignal) {
    this.#timeout = timeout;
    this.#due = performance.now() + timeout;
    this.#timer = setTimeout(Deadline.#ring, timeout, this);
    this.#others = tripsOf(signal);
    this.#place = this.#others.push(this) - 1;
    if (signal.aborted) this.abort();
  }

  /** Reason why it is over, if it is. */
  get over(): HttpFault | undefined {
    return this.#over;
  }

  /** Sets the running exchange, which ends with the trip. */
  enter(exchange: Exchange): void {
    this.#exchange = exchange;
  }

  /** Ends the trip now. */
  abort(): void {
    this.#over ??= ABORTED;
    this.#exchange?.giveUp(this.#over);
  }

  /** Releases the timer and the listener. */
  end(): void {
    clearTimeout(this.#timer);
    const last = this.#others.pop() as Deadline;
    if (last === this) return;
    this.#others[this.#place] = last;
    last.#place = this.#place;
  }

  static #ring(trip: Deadline): void {
    const missed = trip.#due === undefined ? 0 : missedTime(trip.#due, trip.#timeout);
    if (missed > 0) {
      trip.#due = undefined;
      trip.#timer = setTimeout(Deadline.#ring, missed, trip);
      return;
    }
    const nothing = { host: 'the host', isSent: true, isAnswered: false, received: 0, announced: undefined };
    const progress = trip.#exchange ?? nothing;
    trip.#over ??= timeoutFault(trip.#timeout, progress);
    trip.#exchange?.giveUp(trip.#over);
  }
}

function tripsOf(signal: AbortSignal): Deadline[] {
  let trips = underway.get(signal);
  if (trips === undefined) {
    const made: Deadline[] = [];
    underway.set(signal, made);
    signal.addEventListener('abort', () => void made.slice().map((trip) => trip.abort()), { once: true });
    trips = made;
  }
  return trips;
}
