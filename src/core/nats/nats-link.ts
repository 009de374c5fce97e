import { TaskpipeError } from '../base/errors.ts';
import { PATIENCE } from '../options/server-patience.ts';
import type { NatsLink, NatsSession, NatsSettings } from './contract.ts';
import type { NatsAddress } from './nats-address.ts';
import { isPassing, LOST, natsFault, reasonOf, SILENT } from './nats-faults.ts';
import { type OwnedSession, openSession } from './nats-session.ts';

/** Longest wait for an unavailable server after a stop was requested, in milliseconds. */
const STOPPING = 2000;
/** Pause before another attempt, in milliseconds. */
const PAUSE = 250;
/** Maximum time of one attempt to connect, and maximum silence of a server that owes an answer, in milliseconds. */
const SLOW = 5000;

/** Returns a link to a server. It connects when it is first used. */
export function openNats(address: NatsAddress, settings: NatsSettings = {}): NatsLink {
  return new Link(address, settings);
}

class Link implements NatsLink {
  readonly address: NatsAddress;
  readonly #settings: NatsSettings;
  readonly #patience: number;
  readonly #greeters: ((session: NatsSession) => void)[] = [];
  #session: OwnedSession | undefined;
  /** Attempt to connect that all callers share. */
  #connecting: Promise<OwnedSession> | undefined;
  #connections = 0;
  /** Time since which the server is unavailable; undefined while it answers. */
  #awaySince: number | undefined;
  #stoppedAt: number | undefined;
  #isClosed = false;
  /** Ends of waits that a signal or `close` cuts short. */
  readonly #wakes = new Set<() => void>();

  constructor(address: NatsAddress, settings: NatsSettings) {
    this.address = address;
    this.#settings = settings;
    this.#patience = settings.patience ?? PATIENCE;
    settings.stopping?.addEventListener('abort', this.#onStop, { once: true });
    settings.aborting?.addEventListener('abort', this.#onAbort, { once: true });
    if (settings.stopping?.aborted) this.#onStop();
  }

  get returns(): number {
    return Math.max(0, this.#connections - 1);
  }

  fault(error: unknown): TaskpipeError {
    return natsFault(error, this.address);
  }

  onConnection(greet: (session: NatsSession) => void): void {
    this.#greeters.push(greet);
    if (this.#session !== undefined) greet(this.#session);
  }

  async run<T>(work: (session: NatsSession) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const session = await this.#connected();
        const result = await work(session);
        this.#noteAnswer();
        return result;
      } catch (error) {
        const isFirst = this.#connections === 0;
        if (isFirst && this.#settings.aborting?.aborted) throw new TaskpipeError('PIPE', 'the reader left');
        if (this.#isClosed || !isPassing(error)) throw this.fault(error);
        this.#noteFault(error);
        if (this.#isOver()) throw this.fault(error);
        await this.#pause(Math.min(PAUSE, this.#patience));
      }
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#settings.stopping?.removeEventListener('abort', this.#onStop);
    this.#settings.aborting?.removeEventListener('abort', this.#onAbort);
    this.#session?.close();
    this.#session = undefined;
    for (const wake of this.#wakes) wake();
  }

  /** Longest wait for an unavailable server, in milliseconds. */
  #limit(): number {
    return this.#stoppedAt === undefined ? this.#patience : Math.min(this.#patience, STOPPING);
  }

  #isOver(): boolean {
    if (this.#settings.aborting?.aborted) return true;
    const since = Math.max(this.#awaySince ?? 0, this.#stoppedAt ?? 0);
    const now = performance.now();
    return (
      now - (this.#awaySince ?? now) >= this.#patience ||
      (this.#stoppedAt !== undefined && now - since >= STOPPING)
    );
  }

  readonly #onStop = (): void => {
    this.#stoppedAt = performance.now();
    // An attempt to connect may last longer.
    setTimeout(() => {
      if (this.#session === undefined || this.#awaySince !== undefined) this.#onAbort();
    }, STOPPING).unref();
  };

  /** Gives up what the server owes, if it is away: a server that works answers at once. */
  readonly #onAbort = (): void => {
    for (const wake of this.#wakes) wake();
  };

  async #connected(): Promise<OwnedSession> {
    if (this.#session !== undefined) return this.#session;
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#unlessAborted(this.#connecting);
  }

  async #connect(): Promise<OwnedSession> {
    const { aborting } = this.#settings;
    const session = await openSession(this.address, {
      timeout: Math.max(1, Math.min(this.#limit(), SLOW)),
      silence: () => (aborting?.aborted ? 0 : Math.max(1, Math.min(this.#limit(), SLOW))),
      patience: () => Math.max(1, this.#limit()),
      onLost: (error) => this.#onLost(error),
    });
    if (this.#isClosed) {
      session.close();
      throw new Error(LOST);
    }
    this.#session = session;
    this.#connections++;
    for (const greet of this.#greeters) greet(session);
    return session;
  }

  #onLost(error: Error): void {
    this.#session = undefined;
    if (isPassing(error)) this.#noteFault(error);
  }

  /** Says once that the server is unavailable. */
  #noteFault(error: unknown): void {
    if (this.#awaySince !== undefined || this.#isClosed) return;
    // The silence of a frozen server has lasted for some time when it is noticed.
    const silence = error instanceof Error && error.message === SILENT ? Math.min(this.#limit(), SLOW) : 0;
    this.#awaySince = performance.now() - silence;
    const seconds = this.#patience / 1000;
    const reason = reasonOf(error, this.address);
    if (this.#connections === 0)
      this.#settings.warn?.(`cannot reach ${this.address.place}: ${reason}; trying for ${seconds} s`);
    else
      this.#settings.warn?.(`${this.address.place} went away (${reason}); waiting for it up to ${seconds} s`);
  }

  #noteAnswer(): void {
    if (this.#awaySince === undefined) return;
    this.#awaySince = undefined;
    this.#settings.warn?.(`${this.address.place} is back`);
  }

  /** Waits for a promise; rejects at once if the run is aborted or the link closed. */
  #unlessAborted<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const wake = (): void => reject(new Error(SILENT));
      this.#wakes.add(wake);
      if (this.#settings.aborting?.aborted || this.#isClosed) wake();
      promise.then(resolve, reject).finally(() => this.#wakes.delete(wake));
    });
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#wakes.delete(end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      this.#wakes.add(end);
    });
  }
}
