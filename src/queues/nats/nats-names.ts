import { createHash } from 'node:crypto';

/** Length above which a name is shortened: names of streams are names of folders on the server. */
const LONG = 100;

/**
 * Returns a text as one token of a subject: it may hold neither spaces nor `.`, `*` and `>`. All but letters, digits and `-`
 * are written as `_` with the two hexadecimal digits of each byte, so that different texts have different tokens.
 */
export function tokenOf(text: string): string {
  return /^[\dA-Za-z-]*$/.test(text) ? text : text.replace(/[^\dA-Za-z-]/gu, hex);
}

function hex(character: string): string {
  return Array.from(Buffer.from(character), (byte) => `_${byte.toString(16).padStart(2, '0')}`).join('');
}

/** Streams of a queue, and its consumer. */
export interface Streams {
  /** Tasks that wait or are with a worker, as their lines. Retention by work: an acknowledged task leaves it. */
  readonly tasks: string;
  /** Marks of finished tasks. */
  readonly done: string;
  /** Dead tasks. */
  readonly dead: string;
  /** Claims: who has a task that was delivered, and its history. See `nats-claims.ts`. */
  readonly claims: string;
  /** States of workers, and the mark of a paused queue. */
  readonly live: string;
}

/** Consumer of the tasks, which all workers share. */
export const CONSUMER = 'workers';

/**
 * Tasks whose claims share a part of their subject: the server removes the claims of a bucket in one step, for a twentieth
 * of the cost of removing each.
 */
export const BUCKET = 1000;

/** Names of the streams and subjects of a queue. */
export class QueueNames {
  readonly streams: Streams;
  readonly #prefix: string;

  constructor(name: string) {
    const whole = tokenOf(name);
    const hash = createHash('sha256').update(name).digest('hex').slice(0, 32);
    const token = whole.length > LONG ? `${whole.slice(0, LONG / 2)}=${hash}` : whole;
    this.#prefix = `taskpipe.${token}`;
    const stream = (kind: string): string => `taskpipe_${token}_${kind}`;
    this.streams = {
      ...{ tasks: stream('tasks'), done: stream('done'), dead: stream('dead') },
      ...{ claims: stream('claims'), live: stream('live') },
    };
  }

  /** Returns the subject of a task in one of the streams. */
  of(kind: 'tasks' | 'done' | 'dead', uuid: string): string {
    return `${this.#prefix}.${kind}.${tokenOf(uuid)}`;
  }

  /** Returns the pattern of all subjects of a stream. */
  all(kind: keyof Streams): string {
    return `${this.#prefix}.${kind}.>`;
  }

  /** Returns the subject of the claims on a task. @param task number of its message */
  claim(task: number, uuid: string): string {
    return `${this.#prefix}.claims.${bucketOf(task)}.${tokenOf(uuid)}`;
  }

  /** Returns the pattern of the claims on the tasks of a bucket. */
  claimsIn(bucket: number): string {
    return `${this.#prefix}.claims.${bucket}.>`;
  }

  /** Returns the subject of the state of a running `pull`. */
  worker(instance: string): string {
    return `${this.#prefix}.live.worker.${instance}`;
  }

  /** Returns the subject of the request to stop. */
  stop(instance: string): string {
    return `${this.#prefix}.live.stop.${instance}`;
  }

  /** Returns the subject that has a message while a worker of this name was seen lately. */
  known(worker: string): string {
    return `${this.#prefix}.live.known.${tokenOf(worker)}`;
  }

  get paused(): string {
    return `${this.#prefix}.live.paused`;
  }

  /** Returns the subject whose message names the server for whose start the consumer was made. */
  get server(): string {
    return `${this.#prefix}.live.server`;
  }

  /** Returns the subject that has a message once a task was marked as finished that no worker had. */
  get marked(): string {
    return `${this.#prefix}.live.marked`;
  }

  /** Returns the subject whose message has the number of the last task when the consumer was created again. */
  get renewed(): string {
    return `${this.#prefix}.live.renewed`;
  }

  /** Returns the subject whose message tells the time of the server. */
  get clock(): string {
    return `${this.#prefix}.live.clock`;
  }

  /** Returns the subject of settled tasks of a running `pull`. It is not stored. */
  settled(instance: string): string {
    return `${this.#prefix}.told.settled.${instance}`;
  }

  /** Returns the subject of tasks that a worker takes. It is not stored. */
  taken(worker: string): string {
    return `${this.#prefix}.told.taken.${tokenOf(worker)}`;
  }

  /** Returns the subject of signs of life of a settling process. It is not stored. */
  settling(worker: string): string {
    return `${this.#prefix}.told.settling.${tokenOf(worker)}`;
  }
}

/** Returns the bucket of a task. @param task number of its message */
export function bucketOf(task: number): number {
  return Math.floor(task / BUCKET);
}
