import { IdMap } from '../../core/ids/index.ts';

/** Returns a key that is unique for a flow and a task. */
export function runKey(flow: string, uuid: string): string {
  return `${uuid}\n${flow}`; // a uuid has no newline
}

/**
 * Short keys of runs. Runs of the first flow in the log have their uuid as key, which is faster: it is a string
 * already, and its hash is known. Most logs have no other flow.
 */
export class RunKeys {
  #first: string | undefined;

  of(flow: string, uuid: string): string {
    this.#first ??= flow;
    return flow === this.#first ? uuid : runKey(flow, uuid);
  }

  /** Returns what `runKey()` returns for the run of a short key. */
  long(key: string): string {
    return key.includes('\n') ? key : runKey(this.#first as string, key);
  }
}

/** Places in a log at which runs have ended for good. An entry takes about 15 bytes. */
export class RunEnds {
  readonly #places = new IdMap();
  readonly #keys = new RunKeys();

  /** Returns the offset of the line of a run, in bytes; undefined if the run has not ended. */
  get(flow: string, uuid: string): number | undefined {
    return this.#places.get(this.#keys.of(flow, uuid));
  }

  set(flow: string, uuid: string, place: number): void {
    this.#places.set(this.#keys.of(flow, uuid), place);
  }

  /** Forgets a run, because it was reverted afterwards. */
  delete(flow: string, uuid: string): void {
    this.#places.delete(this.#keys.of(flow, uuid));
  }
}
