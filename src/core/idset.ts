import { randomBytes } from 'node:crypto';
import { hashOfKey, loadKey, setKey, setKeyOfBytes, setKeyOfUuid, storeKey } from './idkey.ts';
import { IdList } from './idlist.ts';
import { IdTable, powerOfTwo } from './idtable.ts';

/** So many keys are put in together. */
const TOGETHER = 64;

/**
 * A set of ids, which numbers them in the order in which they came. The table takes some 7 bytes an id, and leads to
 * the keys, most of which are in a file (see `IdList`): ten million ids take 80 MB. A key is looked at only where all
 * of some 16 bits of hash agree. The places are seeded anew for every set, so input cannot be made to collide.
 */
export class IdSet {
  readonly #list: IdList;
  readonly #table: IdTable;
  readonly #seeds = [randomBytes(4).readInt32LE(), randomBytes(4).readInt32LE()] as const;
  /** Those that were taken out, a bit for each number: they keep their slot. */
  #out: Uint32Array | undefined;
  #size = 0;
  #found = -1;
  /** The keys that were put off. */
  readonly #later = new Int32Array(TOGETHER * 4);
  readonly #hashes = new Int32Array(TOGETHER * 2);
  #putOff = 0;
  /** It means nothing: what is read ahead goes here, or nobody would read it. */
  #ahead = 0;

  /**
   * @param options.expected about how many ids will come, so that the table need not grow
   * @param options.of what is in it from the start; nobody else may add to that list
   */
  constructor({ expected = 0, of }: { expected?: number; of?: IdList | undefined } = {}) {
    this.#list = of ?? new IdList();
    this.#table = new IdTable(Math.max(expected, this.#list.length));
    if (of !== undefined && !this.#enterAll(false)) this.#grow(false);
  }

  /** How many ids are in. */
  get size(): number {
    this.#putIn();
    return this.#size;
  }

  has(id: string): boolean {
    return this.numberOf(id) >= 0;
  }

  /** The number of an id, from 0; -1 where it is not in. */
  numberOf(id: string): number {
    this.#putIn();
    if (this.#list.length === 0) return -1;
    setKey(id);
    return this.#current();
  }

  /** Whether the UUID of these 16 bytes is in. */
  hasUuid(uuid: DataView): boolean {
    this.#putIn();
    setKeyOfUuid(uuid);
    return this.#current() >= 0;
  }

  /** The number of the current key, or -1 where it is not in. */
  #current(): number {
    const number = this.#table.find(hashOfKey(this.#seeds[0]), hashOfKey(this.#seeds[1]), this.#list);
    return number >= 0 && this.#isOut(number) ? -1 : number;
  }

  /** Puts an id in. Returns whether it is new. */
  add(id: string): boolean {
    this.#putIn();
    setKey(id);
    return this.#put(hashOfKey(this.#seeds[0]), hashOfKey(this.#seeds[1]));
  }

  /** Puts the UUID of these 16 bytes in. Returns whether it is new. */
  addUuid(uuid: DataView): boolean {
    this.#putIn();
    setKeyOfUuid(uuid);
    return this.#put(hashOfKey(this.#seeds[0]), hashOfKey(this.#seeds[1]));
  }

  /** The number of the id that was last added. */
  get added(): number {
    return this.#found;
  }

  /**
   * Puts the canonical UUID in the 36 bytes from `at` in. Returns whether they are one. It may be put off until some
   * are together: where a table is larger than the caches, one wait for memory then serves many.
   */
  addBytes(bytes: Uint8Array, at: number): boolean {
    if (!setKeyOfBytes(bytes, at)) return false;
    storeKey(this.#later, this.#putOff++ * 4);
    if (this.#putOff === TOGETHER) this.#putIn();
    return true;
  }

  /** Takes an id out. Returns whether it was in. Another one takes its place only if it is the same. */
  delete(id: string): boolean {
    const number = this.numberOf(id);
    if (number < 0) return false;
    const word = number >>> 5;
    if (this.#out === undefined || word >= this.#out.length) {
      const more = new Uint32Array(powerOfTwo(word + 1));
      more.set(this.#out ?? []);
      this.#out = more;
    }
    this.#out[word] = (this.#out[word] as number) | (1 << (number & 31));
    this.#size--;
    return true;
  }

  #isOut(number: number): boolean {
    return this.#out !== undefined && (((this.#out[number >>> 5] ?? 0) >>> (number & 31)) & 1) === 1;
  }

  /** Puts in what was put off. */
  #putIn(): void {
    const count = this.#putOff;
    if (count === 0) return;
    this.#putOff = 0;
    const hashes = this.#hashes;
    this.#look(this.#later, 0, count, hashes);
    for (let i = 0; i < count; i++) {
      loadKey(this.#later, i * 4);
      this.#put(hashes[i * 2] as number, hashes[i * 2 + 1] as number);
    }
  }

  /** Puts the current key in. Returns whether it is new. */
  #put(h: number, g: number): boolean {
    const found = this.#table.find(h, g, this.#list);
    if (found < 0) {
      this.#found = this.#list.length;
      this.#list.push();
      this.#size++;
      if (!this.#table.place(h, g, this.#found)) this.#grow(true);
      return true;
    }
    this.#found = found;
    if (!this.#isOut(found)) return false;
    const words = this.#out as Uint32Array;
    words[found >>> 5] = (words[found >>> 5] as number) & ~(1 << (found & 31));
    this.#size++;
    return true;
  }

  /** Makes the table larger, until there is a slot for every number of the list. */
  #grow(isCounted: boolean): void {
    do this.#table.enlarge();
    while (!this.#enterAll(isCounted));
  }

  /**
   * Gives slots to the keys of the list. Returns false where there are too few.
   * @param isCounted whether it is known how many there are; otherwise one that comes again gets no slot
   */
  #enterAll(isCounted: boolean): boolean {
    if (!isCounted) this.#size = 0;
    const hashes = new Int32Array(TOGETHER * 2);
    return this.#list.every((keys, count, number) => {
      for (let from = 0; from < count; from += TOGETHER) {
        const some = Math.min(TOGETHER, count - from);
        this.#look(keys, from, some, hashes);
        for (let i = 0; i < some; i++) {
          const h = hashes[i * 2] as number;
          const g = hashes[i * 2 + 1] as number;
          if (!isCounted) {
            loadKey(keys, (from + i) * 4);
            if (this.#table.find(h, g, this.#list) >= 0) continue;
            this.#size++;
          }
          if (!this.#table.place(h, g, number + from + i)) return false;
        }
      }
      return true;
    });
  }

  /** Hashes keys, then has what stands in their places brought into the caches: in a loop so short that it waits once. */
  #look(keys: Int32Array, from: number, count: number, hashes: Int32Array): void {
    for (let i = 0; i < count; i++) {
      loadKey(keys, (from + i) * 4);
      hashes[i * 2] = hashOfKey(this.#seeds[0]);
      hashes[i * 2 + 1] = hashOfKey(this.#seeds[1]);
    }
    let ahead = this.#ahead;
    for (let i = 0; i < count * 2; i += 2) {
      ahead |= this.#table.touch(hashes[i] as number, hashes[i + 1] as number);
    }
    this.#ahead = ahead;
  }
}
