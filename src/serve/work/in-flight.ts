import type { RunningTask, RunningTasks } from './running-tasks.ts';

/** Time that a task has to end once it was given up, in milliseconds. */
export const STUCK = 5000;

/** A task that is in the stage, though its result is no longer wanted. */
interface Abandoned {
  /** Time by `performance.now()`. */
  readonly since: number;
  /** True if the work on it is to end now; otherwise its record comes when its turn does. */
  readonly isUrgent: boolean;
}

/** Tasks in flight in the stage: those that run, those that wait in it, and those that were given up. */
export class InFlight {
  readonly running: RunningTasks;
  readonly #given = new Set<string>();
  readonly #abandoned = new Map<string, Abandoned>();
  /** Tasks that were in flight when the stage first returned an unfinished one: it is ending. */
  #last: Set<string> | undefined;

  constructor(running: RunningTasks) {
    this.running = running;
  }

  get size(): number {
    return this.#given.size;
  }

  /** True if the stage has returned an unfinished task. */
  get isEnding(): boolean {
    return this.#last !== undefined;
  }

  has(uuid: string): boolean {
    return this.#given.has(uuid);
  }

  isAbandoned(uuid: string): boolean {
    return this.#abandoned.has(uuid);
  }

  add(uuid: string): void {
    this.#given.add(uuid);
  }

  /** Notes the start of an attempt. Returns whether it is the first one of a task that is still wanted. */
  began(uuid: string, attempt: number, since: number): boolean {
    if (!this.#given.has(uuid) || this.#abandoned.has(uuid)) return false;
    const task = this.running.get(uuid);
    if (task === undefined) {
      this.running.add(uuid, attempt, since);
      return true;
    }
    task.attempts = attempt;
    task.isWaiting = false;
    return false;
  }

  /** Notes that a task waits for another attempt. */
  waits(uuid: string): void {
    const task = this.running.get(uuid);
    if (task !== undefined) task.isWaiting = true;
  }

  /** Gives up a task. @param task undefined if it has not started */
  abandon(uuid: string, task: RunningTask | undefined): void {
    const isUrgent = task !== undefined && !task.isWaiting;
    this.#abandoned.set(uuid, { since: performance.now(), isUrgent });
    this.running.delete(uuid);
  }

  /** Removes a task that came out of the stage. Returns whether it was given up before. */
  returned(uuid: string, isFinal: boolean): boolean {
    if (isFinal) this.#last?.delete(uuid);
    else this.#last ??= new Set(this.#given);
    this.#given.delete(uuid);
    this.running.delete(uuid);
    return this.#abandoned.delete(uuid);
  }

  /** Returns the task that blocks the stage, if the stage could not report its start: tasks start in their order. */
  blocker(): string | undefined {
    if (this.running.size > 0 || this.#abandoned.size > 0) return undefined;
    const [first] = this.#given;
    return first;
  }

  /** Returns a task that was given up and does not end. */
  stuck(): string | undefined {
    const latest = performance.now() - STUCK;
    for (const [uuid, { isUrgent, since }] of this.#abandoned) if (isUrgent && since <= latest) return uuid;
    return undefined;
  }

  /** Returns the tasks that the stage had when it died. */
  atDeath(): { readonly count: number; readonly wanted: readonly string[] } {
    const tasks = this.#last ?? this.#given;
    return { count: tasks.size, wanted: [...tasks].filter((uuid) => !this.#abandoned.has(uuid)) };
  }

  clear(): void {
    this.running.clear();
    this.#given.clear();
    this.#abandoned.clear();
    this.#last = undefined;
  }
}
