import { durationWords } from '../../../reports/report-words.ts';

/** Wait that is worth a message, in milliseconds. */
const LONG = 60_000;

/** Reason for a possible shorter wait for a quota. */
export const CHEAPER = 'running tasks cost less than estimated';

/** Messages about long waits for limits, one for each limit of a run: later waits for it are as long. */
export class LongWaits {
  readonly #info: (message: string) => void;
  readonly #said = new Set<string>();

  constructor(info: (message: string) => void) {
    this.#info = info;
  }

  /**
   * Notes that tasks wait.
   * @param ms longest time of the wait
   * @param limitOf returns the name of the limit; called only for a long wait
   * @param end reason for a possible earlier end of the wait
   */
  note(ms: number, lane: string, limitOf: () => string, end?: string): void {
    if (ms < LONG || ms === Number.POSITIVE_INFINITY) return;
    const limit = limitOf();
    if (this.#said.has(limit)) return;
    this.#said.add(limit);
    const until = new Date(Date.now() + ms).toISOString().replace(/\.\d+/, '');
    const whose = lane === '' ? '' : ` (${lane})`;
    const before = end === undefined ? '' : `, or before if ${end}`;
    this.#info(
      `waiting for ${limit}${whose}: the next task starts in ${durationWords(ms)}, at ${until}${before}`,
    );
  }
}
