import { randomBytes } from 'node:crypto';
import { hashOfKey, loadKey, setKey, setKeyOfBytes, setKeyOfUuid, storeKey } from './id-key.ts';
import { IdList } from './id-list.ts';
import { IdTable, powerOfTwo } from './id-table.ts';

/** Keys added as one group. */
const TOGETHER = 64;

/**
 * A set of ids that numbers them in order of arrival. The hash table takes about 7 bytes an id and refers to the keys,
 * most of which are in a file (see `IdList`): ten million ids take 80 MB. A key is compared only if about 16 bits of
 * hash agree. Each set has its own random seeds, so input cannot be made to collide.
 */
export class IdSet {
  readonly #list: IdList;
  readonly #table: IdTable;
  readonly #seeds = [randomBytes(4).readInt32LE(), randomBytes(4).readInt32LE()] as const;
  /** Removed ids, one bit per number: they keep their slot. */
  #removed: Uint32Array | undefined;
  #size = 0;
  #found = -1;
  /** Keys waiting to be added as a group. */
  readonly #pending = new Int32Array(TOGETHER * 4);
  readonly #hashes = new Int32Array(TOGETHER * 2);
  #pendingCount = 0;
  /** Sink that keeps V8 from removing the prefetch. */
  #sink = 0;

  /**
   * @param options.expected estimated number of ids, so that the table need not grow
   * @param options.of initial ids; the set owns the list from now on
   */
  constructor({ expected = 0, of }: { expected?: number; of?: IdList | undefined } = {}) {
    this.#list = of ?? new IdList();
    this.#table = new IdTable(Math.max(expected, this.#list.length));
    if (of !== undefined && !this.#placeAll(false)) this.#grow(false);
  }

  /** Number of ids in the set. */
  get size(): number {
    this.#addPending();
    return this.#size;
  }

  has(id: string): boolean {
    return this.numberOf(id) >= 0;
  }

  /** Returns the number of an id, from 0; -1 if the id is not in the set. */
  numberOf(id: string): number {
    this.#addPending();
    if (this.#list.length === 0) return -1;
    setKey(id);
    return this.#current();
  }

  /** Returns whether the UUID of these 16 bytes is in the set. */
  hasUuid(uuid: DataView): boolean {
    this.#addPending();
    setKeyOfUuid(uuid);
    return this.#current() >= 0;
  }

  /** Returns the number of the current key, or -1 if it is not in the set. */
  #current(): number {
    const number = this.#table.find(hashOfKey(this.#seeds[0]), hashOfKey(this.#seeds[1]), this.#list);
    return number >= 0 && this.#isRemoved(number) ? -1 : number;
  }

  /** Adds an id. Returns whether it is new. */
  add(id: string): boolean {
    this.#addPending();
    setKey(id);
    return this.#put(hashOfKey(this.#seeds[0]), hashOfKey(this.#seeds[1]));
  }

  /** Adds the UUID of these 16 bytes. Returns whether it is new. */
  addUuid(uuid: DataView): boolean {
    this.#addPending();
    setKeyOfUuid(uuid);
    return this.#put(hashOfKey(this.#seeds[0]), hashOfKey(this.#seeds[1]));
  }

  /** Number of the id in the last call of `add` or `addUuid`, whether it was new or not. */
  get added(): number {
    return this.#found;
  }

  /**
   * Adds the canonical UUID in the 36 bytes from `at`. Returns false if they are not one. Keys are added in groups: if
   * the table is larger than the CPU caches, one wait for memory then serves many keys.
   */
  addBytes(bytes: Uint8Array, at: number): boolean {
    if (!setKeyOfBytes(bytes, at)) return false;
    storeKey(this.#pending, this.#pendingCount++ * 4);
    if (this.#pendingCount === TOGETHER) this.#addPending();
    return true;
  }

  /** Removes an id. Returns whether it was in the set. Its slot is reused only for the same id. */
  delete(id: string): boolean {
    const number = this.numberOf(id);
    if (number < 0) return false;
    const word = number >>> 5;
    if (this.#removed === undefined || word >= this.#removed.length) {
      const more = new Uint32Array(powerOfTwo(word + 1));
      more.set(this.#removed ?? []);
      this.#removed = more;
    }
    this.#removed[word] = (this.#removed[word] as number) | (1 << (number & 31));
    this.#size--;
    return true;
  }

  #isRemoved(number: number): boolean {
    return this.#removed !== undefined && (((this.#removed[number >>> 5] ?? 0) >>> (number & 31)) & 1) === 1;
  }

  /** Adds the waiting keys. */
  #addPending(): void {
    const count = this.#pendingCount;
    if (count === 0) return;
    this.#pendingCount = 0;
    const hashes = this.#hashes;
    this.#hashAndPrefetch(this.#pending, 0, count, hashes);
    for (let i = 0; i < count; i++) {
      loadKey(this.#pending, i * 4);
      this.#put(hashes[i * 2] as number, hashes[i * 2 + 1] as number);
    }
  }

  /** Adds the current key. Returns whether it is new. */
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
    if (!this.#isRemoved(found)) return false;
    const words = this.#removed as Uint32Array;
    words[found >>> 5] = (words[found >>> 5] as number) & ~(1 << (found & 31));
    this.#size++;
    return true;
  }

  /** Enlarges the table until every number of the list has a slot. */
  #grow(isCounted: boolean): void {
    do this.#table.enlarge();
    while (!this.#placeAll(isCounted));
  }

  /**
   * Assigns slots to the keys of the list. Returns false if there are too few slots.
   * @param isCounted true if all keys are known to be distinct; otherwise repeated keys are skipped, and the
   *   others counted
   */
  #placeAll(isCounted: boolean): boolean {
    if (!isCounted) this.#size = 0;
    const hashes = new Int32Array(TOGETHER * 2);
    return this.#list.every((keys, count, number) => {
      for (let from = 0; from < count; from += TOGETHER) {
        const some = Math.min(TOGETHER, count - from);
        this.#hashAndPrefetch(keys, from, some, hashes);
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

  /** Hashes keys, then prefetches their buckets in a loop so short that the CPU waits for memory once. */
  #hashAndPrefetch(keys: Int32Array, from: number, count: number, hashes: Int32Array): void {
    for (let i = 0; i < count; i++) {
      loadKey(keys, (from + i) * 4);
      hashes[i * 2] = hashOfKey(this.#seeds[0]);
      hashes[i * 2 + 1] = hashOfKey(this.#seeds[1]);
    }
    let ahead = this.#sink;
    for (let i = 0; i < count * 2; i += 2) {
      ahead |= this.#table.touch(hashes[i] as number, hashes[i + 1] as number);
    }
    this.#sink = ahead;
  }
}
