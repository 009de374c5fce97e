import { uuidFault } from '../../core/record/task.ts';
import { LONGEST_KEY, type S3Address } from '../../core/s3/s3-address.ts';
import type { Misfit } from '../contract.ts';

const ENDING = '.json';

/** Keys of the objects of tasks: `PREFIX/UUID.json`. Characters that may not be safe in a name are `%` and their bytes. */
export class ObjectKeys {
  readonly #prefix: string;
  readonly #place: string;

  constructor({ key, place }: S3Address) {
    this.#prefix = key;
    this.#place = place;
  }

  keyOf(uuid: string): string {
    return `${this.#prefix}${encoded(uuid)}${ENDING}`;
  }

  /** Returns the uuid of the task of an object; undefined if the object has another name than `keyOf` gives. */
  uuidOf(key: string): string | undefined {
    if (!key.startsWith(this.#prefix) || !key.endsWith(ENDING)) return undefined;
    const name = key.slice(this.#prefix.length, -ENDING.length);
    try {
      const uuid = decodeURIComponent(name);
      return encoded(uuid) === name && uuidFault(uuid) === undefined ? uuid : undefined;
    } catch {
      return undefined; // a lone `%`
    }
  }

  /** Returns the reason a task cannot have an object; undefined if it can. */
  misfitOf(uuid: string): Misfit | undefined {
    const length = Buffer.byteLength(this.keyOf(uuid));
    if (length <= LONGEST_KEY) return undefined;
    const message = `the uuid makes a key of ${length} bytes in ${this.#place}, and S3 takes ${LONGEST_KEY}; save to a shorter prefix`;
    return { code: 'VALUE', message, columns: [] };
  }
}

/** Encodes a uuid by letters, digits, `-`, `_`, `.` and `%`. */
function encoded(uuid: string): string {
  return encodeURIComponent(uuid).replace(
    /[!'()*~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
