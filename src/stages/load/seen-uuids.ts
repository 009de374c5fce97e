import { number } from '../../core/base/format.ts';
import { IdSet, Pairs } from '../../core/ids/index.ts';

/**
 * Uuids of a load so far, with the place and a checksum of the first record of each. The checksum shows whether later
 * records with the uuid differ; for a uuid made of the whole record it is 0. Most of this is in a temporary file, see
 * `Pairs`.
 */
export class Seen {
  readonly #ids = new IdSet();
  /** Checksum (0: unknown) and line of the first record of each uuid, by the number of the uuid. */
  readonly #firsts = new Pairs();
  /** Files that were read, each with the number of its first uuid. */
  readonly #files: { readonly source: string; readonly from: number }[] = [];
  /** Last of these files. */
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

  /** Stores the place and the checksum of a record. Its uuid must be new, and the last one added. */
  keepFirst(source: string, line: number, checksum: number): void {
    const { added } = this.#ids;
    if (this.#source !== source) {
      this.#source = source;
      this.#files.push({ source, from: added });
    }
    this.#firsts.set(added, checksum, line);
  }

  /** Compares a duplicate with the first record of its uuid, which must be the last one added. */
  compare(source: string, line: number, checksum: number): void {
    const [first] = this.#firsts.get(this.#ids.added);
    if (checksum === 0 || first === 0 || first === checksum) return;
    this.#differing++;
    this.#example ??= `${source}:${line} (loaded: ${this.firstPlace})`;
  }

  /** Place of the first record with the uuid that was added last. */
  get firstPlace(): string {
    const { added } = this.#ids;
    const [, line] = this.#firsts.get(added);
    const file = this.#files.findLast(({ from }) => from <= added);
    return `${file?.source}:${line >>> 0}`;
  }

  /** Warning about duplicates that differ from the task that was loaded; undefined if there are none. */
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
