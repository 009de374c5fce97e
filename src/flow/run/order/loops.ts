import type { EndedCall } from '../atom-calls.ts';
import type { Steps } from '../steps.ts';

/** Source of the next atoms of a run, and receiver of ended calls. */
export interface Turns {
  /** Returns the atom to start next; undefined if none may start now. */
  next(): number | undefined;
  /** Processes an ended call; a promise if it failed, as retry controllers are asked then. */
  ended(call: EndedCall): Promise<void> | undefined;
}

/**
 * Starts one atom after another, and processes ended calls when no atom may start: as TaskFlow does. It awaits each
 * call itself, which costs less than the loop of a parallel engine; most flows are serial.
 */
export async function runSerial(steps: Steps, turns: Turns): Promise<void> {
  let calls: EndedCall[] = [];
  for (;;) {
    const index = turns.next();
    if (index !== undefined) {
      if (!steps.begin(index)) continue;
      const stored = steps.stored();
      if (stored !== undefined) await stored;
      calls.push(await steps.call(index));
      continue;
    }
    if (calls.length === 0) return;
    const all = calls;
    calls = [];
    for (const call of all) {
      const decided = turns.ended(call);
      if (decided !== undefined) await decided;
    }
  }
}

/** Loop of a parallel engine. */
export class ParallelLoop {
  readonly #steps: Steps;
  readonly #turns: Turns;
  readonly #jobs: number;
  /** Number of calls that are under way. */
  #calls = 0;
  /** Calls that have ended and are not processed yet. */
  readonly #ended: EndedCall[] = [];
  #wake: (() => void) | undefined;
  #defect: unknown;

  /** @param jobs maximum number of atoms that run at once */
  constructor(steps: Steps, turns: Turns, jobs: number) {
    this.#steps = steps;
    this.#turns = turns;
    this.#jobs = jobs;
  }

  /** Processes ended calls, and starts atoms when no ended call is left, until there are neither. */
  async run(): Promise<void> {
    for (;;) {
      if (this.#ended.length === 0) this.#start();
      if (this.#ended.length > 0) for (const call of this.#ended.splice(0)) await this.#turns.ended(call);
      else if (this.#calls > 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        if (this.#defect !== undefined) throw this.#defect;
      } else return;
    }
  }

  /** Starts atoms, until one of them ends immediately or no more may start. */
  #start(): void {
    while (this.#calls < this.#jobs) {
      const index = this.#turns.next();
      if (index === undefined) return;
      if (!this.#steps.begin(index)) continue;
      const stored = this.#steps.stored();
      const call = stored === undefined ? this.#steps.call(index) : this.#callAfter(stored, index);
      if (!(call instanceof Promise)) {
        this.#ended.push(call);
        return;
      }
      this.#calls++;
      this.#waitFor(call);
    }
  }

  async #callAfter(stored: Promise<void>, index: number): Promise<EndedCall> {
    await stored;
    return this.#steps.call(index);
  }

  #waitFor(call: Promise<EndedCall>): void {
    const over = (): void => {
      this.#calls--;
      this.#wake?.();
    };
    call.then(
      (end) => {
        this.#ended.push(end);
        over();
      },
      (error) => {
        this.#defect = error;
        over();
      },
    );
  }
}
