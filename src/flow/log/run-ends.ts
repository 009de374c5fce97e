import { IdMap } from '../../core/ids/index.ts';

/** Returns a key that is unique for a flow and a task. */
export function runKey(flow: string, uuid: string): string {
  return `${uuid}\n${flow}`; // a uuid has no newline
}

/** Places in a log at which runs have ended for good. An entry takes some 15 bytes. */
export class RunEnds {
  readonly #places = new IdMap();
  /** Flow of the first run: its runs are stored by uuid alone, which is faster. Most logs have no other flow. */
  #flow: string | undefined;

  #keyOf(flow: string, uuid: string): string {
    this.#flow ??= flow;
    return flow === this.#flow ? uuid : runKey(flow, uuid);
  }

  /** Returns the offset of the line of a run, in bytes; undefined if the run has not ended. */
  get(flow: string, uuid: string): number | undefined {
    return this.#places.get(this.#keyOf(flow, uuid));
  }

  set(flow: string, uuid: string, place: number): void {
    this.#places.set(this.#keyOf(flow, uuid), place);
  }

  /** Forgets a run, because it was reverted afterwards. */
  delete(flow: string, uuid: string): void {
    this.#places.delete(this.#keyOf(flow, uuid));
  }
}
