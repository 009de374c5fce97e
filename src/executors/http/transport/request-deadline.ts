import { missedTime } from '../../../core/schedule/missed-time.ts';
import type { Exchange } from './exchange.ts';
import { type HttpFault, silenceFault, timeoutFault } from './http-failure.ts';

/**
 * Deadlines that end when a signal is aborted: one listener per signal, not per deadline. Arrays, because entries of
 * a `Set` survive many young garbage collections in its old tables.
 */
const underway = new WeakMap<AbortSignal, Deadline[]>();

const ABORTED: HttpFault = { code: 'ABORTED', message: 'given up', again: 'never' };

/** Deadline of one attempt over all its redirects. It also ends when the stage leaves. */
export class Deadline {
  readonly #timeout: number;
  #timer: NodeJS.Timeout;
  /** Time for which the timer is set; undefined after the timer fired late. */
  #due: number | undefined;
  readonly #others: Deadline[];
  /** Index among the others. */
  #place: number;
  #exchange: Exchange | undefined;
  #silence: Silence | undefined;
  #onEnd: ((fault: HttpFault) => void) | undefined;
  #over: HttpFault | undefined;

  /**
   * @param timeout first to last byte, in milliseconds
   * @param left time that is left of it
   * @param idle longest time without a byte, in milliseconds. Default: no limit
   */
  constructor(timeout: number, signal: AbortSignal, left: number = timeout, idle?: number) {
    this.#timeout = timeout;
    if (idle !== undefined) this.#silence = new Silence(idle, (fault) => this.#end(fault));
    this.#due = performance.now() + left;
    this.#timer = setTimeout(Deadline.#ring, left, this);
    this.#others = tripsOf(signal);
    this.#place = this.#others.push(this) - 1;
    if (signal.aborted) this.abort();
  }

  /** Reason it has ended, if it has. */
  get over(): HttpFault | undefined {
    return this.#over;
  }

  /** Sets the running exchange, which ends with the deadline. */
  enter(exchange: Exchange): void {
    this.#exchange = exchange;
    this.#silence?.watch(exchange);
  }

  /** Waits for something other than an exchange, at most until the deadline. */
  async wait<T>(going: Promise<T>): Promise<T | HttpFault> {
    if (this.#over !== undefined) return this.#over;
    const ended = new Promise<HttpFault>((resolve) => {
      this.#onEnd = resolve;
    });
    return Promise.race([going, ended]);
  }

  /** Ends the deadline now. */
  abort(): void {
    this.#end(ABORTED);
  }

  #end(fault: HttpFault): void {
    this.#over ??= fault;
    this.#exchange?.giveUp(this.#over);
    this.#onEnd?.(this.#over);
  }

  /** Releases the timer and the listener. */
  end(): void {
    clearTimeout(this.#timer);
    this.#silence?.end();
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
    trip.#end(timeoutFault(trip.#timeout, progress));
  }
}

/** Limit for the time in which no byte is sent or received. */
class Silence {
  readonly #limit: number;
  readonly #onEnd: (fault: HttpFault) => void;
  #exchange: Exchange | undefined;
  #latest = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(limit: number, onEnd: (fault: HttpFault) => void) {
    this.#limit = limit;
    this.#onEnd = onEnd;
  }

  watch(exchange: Exchange): void {
    this.#exchange = exchange;
    const note = (): void => {
      this.#latest = performance.now();
    };
    exchange.onProgress = note;
    note();
    this.#timer ??= setTimeout(this.#look, this.#limit);
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  readonly #look = (): void => {
    const due = this.#latest + this.#limit;
    const exchange = this.#exchange as Exchange;
    // A server that waits for the disk of this machine does not count as silent.
    const isOurs = exchange.line?.isPaused === true;
    const wait = isOurs ? this.#limit : Math.max(due - performance.now(), this.#lateness(due));
    if (wait > 1) this.#timer = setTimeout(this.#look, wait);
    else this.#onEnd(silenceFault(this.#limit, exchange));
  };

  /** Returns the additional time to wait if this process was suspended: unread bytes may have arrived. */
  #lateness(due: number): number {
    const missed = missedTime(due, this.#limit);
    if (missed > 0) this.#latest = performance.now() - this.#limit + missed;
    return missed;
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
