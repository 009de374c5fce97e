import { number } from '../../core/base/format.ts';
import { Pairs } from '../../core/ids/id-pairs.ts';
import { IdSet } from '../../core/ids/id-set.ts';

/**
 * The uuids of a load so far. For a uuid that is not made of the whole record it also keeps a checksum and the place of
 * the first record, to tell whether later ones with that uuid are the same. Both are in a temporary file for the most
 * part; see `Pairs`.
 */
export class Seen {
  readonly #ids = new IdSet();
  /** Of the first record of each uuid, by the number of the uuid: the checksum (0: not known) and the line. */
  readonly #firsts = new Pairs();
  /** The files that were read, each with the number of its first uuid. */
  readonly #files: { readonly source: string; readonly from: number }[] = [];
  /** The last of them. */
  #source: string | undefined;
  #duplicates = 0;
  #differing = 0;
  #example: string | undefined;

  /** Adds a uuid. Returns whether it is new. */
  add(uuid: string): boolean {
    return this.#counted(this.#ids.add(uuid));
  }

  /** Adds the UUID of these 16 bytes. Returns whether it is new. */
  addUuid(uuid: DataView): boolean {
    return this.#counted(this.#ids.addUuid(uuid));
  }

  /** Keeps the place and the checksum of the record whose uuid was added last, which was new. */
  keepFirst(source: string, line: number, checksum: number): void {
    const { added } = this.#ids;
    if (this.#source !== source) {
      this.#source = source;
      this.#files.push({ source, from: added });
    }
    this.#firsts.set(added, checksum, line);
  }

  /** Compares the record whose uuid was added last, which was not new, with the first one. */
  compare(source: string, line: number, checksum: number): void {
    const [first] = this.#firsts.get(this.#ids.added);
    if (checksum === 0 || first === 0 || first === checksum) return;
    this.#differing++;
    this.#example ??= `${source}:${line} (loaded: ${this.firstPlace})`;
  }

  /** The place of the first record with the uuid that was added last. */
  get firstPlace(): string {
    const { added } = this.#ids;
    const [, line] = this.#firsts.get(added);
    const file = this.#files.findLast(({ from }) => from <= added);
    return `${file?.source}:${line >>> 0}`;
  }

  /** The warning about duplicates that are not the same as the task that was loaded; undefined if there are none. */
  get warning(): string | undefined {
    if (this.#differing === 0) return undefined;
    return (
      `${number(this.#differing)} of ${number(this.#duplicates)} duplicates left out differ from the task that was ` +
      `loaded with the same uuid, first ${this.#example}; name more attributes with --uuid-fields to load them too`
    );
  }

  #counted(isNew: boolean): boolean {
    if (!isNew) this.#duplicates++;
    return isNew;
  }
}
