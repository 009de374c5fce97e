import { durationWords } from '../../../reports/report-words.ts';

/** Wait that is worth a message, in milliseconds. */
const LONG = 60_000;

/** Messages about long waits for limits, one for each limit of a run: later waits for it are as long. */
export class LongWaits {
  readonly #info: (message: string) => void;
  readonly #said = new Set<string>();

  constructor(info: (message: string) => void) {
    this.#info = info;
  }

  /**
   * Notes that tasks wait.
   * @param ms length of the wait, unless running tasks give something back
   * @param limitOf returns the name of the limit; called only for a long wait
   */
  note(ms: number, lane: string, limitOf: () => string): void {
    if (ms < LONG || ms === Number.POSITIVE_INFINITY) return;
    const limit = limitOf();
    if (this.#said.has(limit)) return;
    this.#said.add(limit);
    const until = new Date(Date.now() + ms).toISOString().replace(/\.\d+/, '');
    const whose = lane === '' ? '' : ` of ${lane}`;
    this.#info(
      `waiting for ${limit}${whose}: the next task starts in ${durationWords(ms)}, at ${until}, or before if running tasks cost less than estimated`,
    );
  }
}
