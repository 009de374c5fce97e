import type { Causes, Queue, Size } from '../../queues/index.ts';

/** State of a queue at one moment, with its rates. */
export interface QueueLook extends Size {
  readonly name: string;
  /** Numbers of dead tasks by the code of their last failure. */
  readonly deadByCause: Causes;
  /** Tasks finished per minute, over the last minute; null until it is known. */
  readonly donePerMinute: number | null;
  /** Estimated time until no task is left, in seconds; null if it is unknown. */
  readonly secondsLeft: number | null;
}

/** Numbers at one time, in milliseconds. */
interface Sample {
  readonly at: number;
  readonly finished: number;
  /** Finished and dead tasks. */
  readonly ended: number;
}

/** Time over which rates are averaged, in milliseconds. */
const WINDOW = 60_000;
/** Minimum ratio of the time between two counts of the causes to the duration of a count. */
const REST = 10;
/** Time after which the causes are counted again even if the number of dead tasks is the same, in milliseconds. */
const RECOUNT = 10_000;

/** Watch that reads the state of one queue repeatedly, and computes its rates. */
export class QueueWatch {
  readonly #queue: Queue;
  readonly #samples: Sample[] = [];
  #causes: Causes = {};
  /** Number of dead tasks for which the causes were counted, and the time of that. */
  #counted = 0;
  #countedAt = 0;
  /** Time at which the causes may be counted again. */
  #countAt = 0;

  constructor(queue: Queue) {
    this.#queue = queue;
  }

  /** @throws {TaskpipeError} `IO` */
  async look(): Promise<QueueLook> {
    const size = await this.#queue.size();
    const now = performance.now();
    await this.#count(size.dead, now);
    const { done, ended } = this.#ratesAt({
      at: now,
      finished: size.finished,
      ended: size.finished + size.dead,
    });
    const left = size.waiting + size.delayed + size.active;
    return {
      name: this.#queue.name,
      ...size,
      workers: byName(size.workers),
      deadByCause: this.#causes,
      donePerMinute: done === undefined ? null : Number((done * 60_000).toFixed(1)),
      secondsLeft:
        left === 0 ? 0 : ended === undefined || ended === 0 ? null : Math.ceil(left / ended / 1000),
    };
  }

  /** Counts the causes if they may have changed, but not too often: counting reads each dead task. */
  async #count(dead: number, now: number): Promise<void> {
    const isKnown = dead === this.#counted && (dead === 0 || now - this.#countedAt < RECOUNT);
    if (isKnown || now < this.#countAt) return;
    this.#causes = dead === 0 ? {} : await this.#queue.causes();
    this.#counted = dead;
    this.#countedAt = now;
    const took = performance.now() - now;
    this.#countAt = performance.now() + took * REST;
  }

  /** Adds a sample. Returns the numbers of tasks done and ended per millisecond; undefined at the first one. */
  #ratesAt(sample: Sample): { done: number | undefined; ended: number | undefined } {
    const samples = this.#samples;
    const last = samples.at(-1);
    // Finished or dead tasks were deleted from the queue.
    if (last !== undefined && (sample.finished < last.finished || sample.ended < last.ended))
      samples.length = 0;
    samples.push(sample);
    while (samples.length > 2 && sample.at - (samples[1] as Sample).at >= WINDOW) samples.shift();
    const [first] = samples as [Sample];
    const time = sample.at - first.at;
    if (time <= 0) return { done: undefined, ended: undefined };
    return { done: (sample.finished - first.finished) / time, ended: (sample.ended - first.ended) / time };
  }
}

/** Adds up the tasks of workers with the same name, in order of the names. */
export function byName(workers: Size['workers']): Size['workers'] {
  const sums = new Map<string, number>();
  for (const { worker, out } of workers) sums.set(worker, (sums.get(worker) ?? 0) + out);
  return [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([worker, out]) => ({ worker, out }));
}
