import type { Rate } from '../core/rate.ts';
import type { Failure, Task } from '../core/task.ts';

/** How often a task is delivered, where nothing else is said. */
export const ATTEMPTS = 3;

/** How tasks are put into a queue. */
export interface PushOptions {
  /** Before all that waits. Default false. */
  readonly front?: boolean | undefined;
  /** After all tasks without one; 1 comes before 2. Default: none. */
  readonly priority?: number | undefined;
  /** Not before so many milliseconds are over. Default 0. */
  readonly delay?: number | undefined;
  /** How often it is delivered at most. Default `ATTEMPTS`. */
  readonly attempts?: number | undefined;
  /** Also what is finished, or dead. Default false. */
  readonly again?: boolean | undefined;
}

export interface PushCounts {
  added: number;
  /** In the queue already, or dead. */
  seen: number;
  /** Finished already. */
  done: number;
}

/** What came of a task that was delivered. */
export interface Verdict {
  readonly uuid: string;
  /** `done`: it is finished. `back`: to the front, as if it had not been delivered. `failed`: the attempt counts. */
  readonly kind: 'done' | 'back' | 'failed';
  /** Why it failed. */
  readonly error?: Failure | undefined;
}

export interface SettleCounts {
  done: number;
  back: number;
  /** Failed, and to be delivered again. */
  again: number;
  /** Failed, and for the last time. */
  dead: number;
  /** Not ours to settle: somebody else has it now, or nobody any more. */
  gone: number;
}

export interface SettleOptions {
  /** Settles failures of this worker's deliveries alone; where it is no worker's name, of everybody's. */
  readonly worker?: string | undefined;
  /** How long a failed task waits before it is delivered again, in milliseconds. Default 0. */
  readonly delay?: number | undefined;
}

/** How many tasks are where. */
export interface Size {
  readonly waiting: number;
  readonly delayed: number;
  /** Delivered, and not settled. */
  readonly active: number;
  readonly dead: number;
  readonly finished: number;
  readonly paused: boolean;
  readonly workers: readonly WorkerState[];
}

/** A `pull` that runs. */
export interface WorkerState {
  readonly worker: string;
  /** How many of its tasks are not settled. */
  readonly out: number;
}

/** A task that was delivered for the last time. */
export interface DeadTask {
  readonly task: Task;
  readonly deliveries: number;
  /** When it died, in milliseconds. */
  readonly at: number;
  readonly error: Failure;
}

/** One queue of tasks that many machines share. Whatever it throws is a `TaskpipeError` with code `IO`. */
export interface Queue {
  readonly name: string;
  push(tasks: readonly Task[], options?: PushOptions): Promise<PushCounts>;
  /** Marks as finished, and takes out of the queue what nobody has. */
  finish(uuids: readonly string[]): Promise<void>;
  /** Settles what was delivered; a verdict that comes twice does no harm. */
  settle(verdicts: readonly Verdict[], options?: SettleOptions): Promise<SettleCounts>;
  /** How well each is known here. 2: a worker of that name has it; 1: it is in the queue; 0: it is not. */
  claims(uuids: readonly string[], worker: string | undefined): Promise<readonly number[]>;
  /** Tells a worker that verdicts may still come from here. To be called every `SETTLING` milliseconds. */
  keepSettling(worker: string): Promise<void>;
  /** Tells it that no more come. */
  endSettling(worker: string): Promise<void>;
  /** Begins to deliver. */
  consume(options: ConsumeOptions): Promise<Consumer>;
  size(): Promise<Size>;
  dead(): AsyncIterable<readonly DeadTask[]>;
  /** Lets dead tasks in again, as if they had never been delivered. Returns how many. @param uuids default: all */
  retry(uuids?: readonly string[]): Promise<number>;
  /** Forgets all tasks. What is finished stays known. */
  clear(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Asks workers to stop in good order. Returns how many were asked. @param worker default: all */
  stop(worker?: string): Promise<number>;
}

export interface ConsumeOptions {
  readonly worker: string;
  /** How long a task is left to a worker of which nothing is heard, in milliseconds. */
  readonly lease: number;
}

/** What came back since it was last asked for. */
export interface Returned {
  readonly uuids: readonly string[];
  /** Whether whoever settles has come to its end. */
  readonly isEnd: boolean;
}

/** How often whoever settles tells that it is there, in milliseconds. */
export const SETTLING = 500;

/** Takes tasks for one worker, and keeps them leased. */
export interface Consumer {
  /** The uuids of what it has out. */
  readonly out: Iterable<string> & { readonly size: number; has(uuid: string): boolean };
  /** Takes up to so many tasks. @param skip those that it must not take now; they go back */
  take(count: number, skip?: (uuid: string) => boolean): Promise<readonly Task[]>;
  /** What was settled elsewhere. */
  returned(): Promise<Returned>;
  /** Whether somebody is there who may still settle what is out. */
  isHeardOf(): Promise<boolean>;
  /** Renews all leases, and returns what others have left to wait. To be called a few times in each lease. */
  renew(): Promise<void>;
  /** Tells that it is there. Returns whether it was asked to stop. */
  greet(): Promise<boolean>;
  /** Whether nothing waits, is delayed, or is with anybody. */
  isEmpty(): Promise<boolean>;
  /** Puts what is out back to the front, uncounted. Returns how many there were. */
  giveBack(): Promise<number>;
  /** Is there no more. What is out stays leased until its lease ends. */
  close(): Promise<void>;
}

/** Several queues over one connection. */
export interface Queues {
  readonly all: readonly Queue[];
  readonly place: string;
  /** Takes the next turn of a lane, of which there are so many for everybody. Returns how long it is until then, in ms. */
  turn(lane: string, rate: Rate): Promise<number>;
  close(): void;
}
