import { setTimeout as sleep } from 'node:timers/promises';
import { bytesText } from '../../../../core/base/format.ts';
import { type Load, runningProcesses } from './machine-load.ts';
import { freeMemory } from './machine-memory.ts';

/** Interval of the checks of the machine, in milliseconds. */
const OFTEN = 250;

/** Duration of a shortage before a message reports it, in milliseconds. */
const LONG = 1000;

/** Limits of the machine, and functions that read its state. */
export interface MachineLimits {
  /** Free memory that a start needs, in bytes. */
  readonly memfree: number | undefined;
  readonly load: Load | undefined;
  /** Returns the number of running tasks, or calls of batches. */
  readonly running: () => number;
  /** Aborted to end all waits. */
  readonly stopping: AbortSignal;
  readonly info: (message: string) => void;
  /** Returns the free memory in bytes, and the number of running processes. Default: those of this machine. */
  readonly free?: (need: number) => number;
  readonly processes?: () => number;
}

/** Room for more tasks on this machine, by free memory and load. */
export class MachineRoom {
  readonly #limits: MachineLimits;
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** Number of running tasks or calls up to which more may start until the next check. */
  #most = 0;
  #shortage: string | undefined;
  #shortSince = 0;
  /** True if a message has named the shortage. */
  #isSaid = false;
  readonly #closed = new AbortController();

  constructor(limits: MachineLimits) {
    this.#limits = limits;
  }

  /** Returns a promise to wait for before another task starts; undefined if there is room. */
  room(): Promise<void> | undefined {
    const now = performance.now();
    if (now - this.#lookedAt >= OFTEN) this.#look(now);
    const { running, stopping } = this.#limits;
    if (stopping.aborted || (this.#shortage === undefined && running() < this.#most)) return undefined;
    return sleep(OFTEN, undefined, { signal: AbortSignal.any([stopping, this.#closed.signal]) }).catch(
      () => {},
    );
  }

  /** Ends all waits. */
  close(): void {
    this.#closed.abort();
  }

  #look(now: number): void {
    const { memfree, load, running, free = freeMemory, processes = runningProcesses } = this.#limits;
    this.#lookedAt = now;
    this.#most = Number.POSITIVE_INFINITY;
    let shortage: string | undefined;
    if (load !== undefined) {
      const count = processes();
      // New programs are not counted before they run, so the number of starts until the next check is limited.
      this.#most = running() + Math.max(1, Math.floor(load.most - count));
      if (count >= load.most)
        shortage = `${Math.round(count * 10) / 10} processes run on this machine (--load ${load.typed})`;
    }
    if (memfree !== undefined) {
      const left = free(memfree);
      if (left < memfree)
        shortage = `${bytesText(left)} of memory are free (--memfree ${bytesText(memfree)})`;
    }
    this.#note(shortage, now);
  }

  #note(shortage: string | undefined, now: number): void {
    if (shortage === undefined) {
      if (this.#isSaid) this.#limits.info('the machine has room again; tasks start');
      this.#isSaid = false;
    } else if (this.#shortage === undefined) this.#shortSince = now;
    else if (!this.#isSaid && now - this.#shortSince >= LONG) {
      this.#limits.info(`waiting to start tasks: ${shortage}`);
      this.#isSaid = true;
    }
    this.#shortage = shortage;
  }
}
