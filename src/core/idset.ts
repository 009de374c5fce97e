import { randomBytes } from 'node:crypto';
import { hashOfKey, loadKey, setKey, setKeyOfBytes, setKeyOfUuid, storeKey } from './idkey.ts';
import { IdList } from './idlist.ts';

/** A bucket is a line of the cache: so many tags, a byte each, and from `WORDS` (in words of 32 bits) as many words. */
const SLOTS = 12;
const WORDS = 4;
const LINE = 64;
/** Buckets of a shard, once there are several. */
const BUCKETS = 16_384;
/** The table grows when more than this part of a shard's slots is taken: */
const FULL = 0.9;
/** to twice as much while it is small, from so many shards on by this part. */
const LARGE = 16;
const GROWTH = 0.4;
/** So many keys are put in together. */
const TOGETHER = 64;

/**
 * A part of the table. A slot is 40 bits: a tag of eight bits of the key's hash, of which none is 0, as that is an
 * empty slot; and a word, which is the number of the key, and above it as many bits of another hash as there is room
 * for. What a bucket has no room for is in the next one.
 */
interface Shard {
  readonly tags: Uint8Array;
  readonly words: Int32Array;
  /** How many keys it takes. */
  readonly room: number;
  size: number;
}

/**
 * A set of ids, which numbers them in the order in which they came. The table takes some 7 bytes an id, and leads to
 * the keys, most of which are in a file (see `IdList`): ten million ids take 80 MB. A key is looked at only where all
 * of some 16 bits of hash agree. The places are seeded anew for every set, so input cannot be made to collide.
 */
export class IdSet {
  readonly #list: IdList;
  #shards: Shard[];
  /** How many bits of a word are the number. */
  #bits = 0;
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
    const buckets = Math.max(expected, this.#list.length) / (SLOTS * FULL);
    const count = buckets > BUCKETS ? Math.ceil(buckets / BUCKETS) + 1 : 1;
    this.#shards = Array.from({ length: count }, () => newShard(Math.min(powerOfTwo(buckets), BUCKETS)));
    this.#setBits();
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
    const number = this.#find(hashOfKey(this.#seeds[0]), hashOfKey(this.#seeds[1]));
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
    const found = this.#find(h, g);
    if (found < 0) {
      this.#found = this.#list.length;
      this.#list.push();
      this.#size++;
      if (!this.#place(h, g, this.#found)) this.#grow(true);
      return true;
    }
    this.#found = found;
    if (!this.#isOut(found)) return false;
    const words = this.#out as Uint32Array;
    words[found >>> 5] = (words[found >>> 5] as number) & ~(1 << (found & 31));
    this.#size++;
    return true;
  }

  /** The number of the current key, or -1. @param h and @param g its hashes */
  #find(h: number, g: number): number {
    const { tags, words } = this.#shardOf(h);
    const bits = this.#bits;
    const wanted = tagOf(g);
    for (let bucket = bucketOf(g, tags); ; bucket = bucketOf(bucket + 1, tags)) {
      for (let slot = 0; slot < SLOTS; slot++) {
        const tag = tags[bucket * LINE + slot] as number;
        if (tag === 0) return -1;
        if (tag !== wanted) continue;
        const word = words[bucket * (LINE / 4) + WORDS + slot] as number;
        if ((word ^ (h << bits)) >>> bits !== 0) continue;
        const number = word & ((1 << bits) - 1);
        if (this.#list.isCurrent(number)) return number;
      }
    }
  }

  /** Gives a number a slot. Returns false where the table must grow first. */
  #place(h: number, g: number, number: number): boolean {
    const shard = this.#shardOf(h);
    const { tags, words } = shard;
    if (shard.size >= shard.room || number >>> this.#bits !== 0) return false;
    let bucket = bucketOf(g, tags);
    let slot = 0;
    while (tags[bucket * LINE + slot] !== 0) {
      if (++slot < SLOTS) continue;
      slot = 0;
      bucket = bucketOf(bucket + 1, tags);
    }
    tags[bucket * LINE + slot] = tagOf(g);
    words[bucket * (LINE / 4) + WORDS + slot] = (h << this.#bits) | number;
    shard.size++;
    return true;
  }

  #shardOf(h: number): Shard {
    return this.#shards[Math.floor(((h >>> 0) * this.#shards.length) / 2 ** 32)] as Shard;
  }

  /** Makes the table larger, until there is a slot for every number of the list. */
  #grow(isCounted: boolean): void {
    do {
      const [first] = this.#shards as [Shard];
      const buckets = first.tags.length / LINE;
      if (buckets < BUCKETS) this.#shards = [newShard(buckets * 2)];
      else {
        // Kept, as a table that is let go of would be in memory for a while, beside the new one.
        for (const shard of this.#shards) {
          shard.tags.fill(0);
          shard.size = 0;
        }
        const { length } = this.#shards;
        const more = length < LARGE ? length : Math.ceil(length * GROWTH);
        for (let i = 0; i < more; i++) this.#shards.push(newShard(BUCKETS));
      }
      this.#setBits();
    } while (!this.#enterAll(isCounted));
  }

  #setBits(): void {
    const [{ tags }] = this.#shards as [Shard];
    this.#bits = Math.ceil(Math.log2(this.#shards.length * tags.length * (SLOTS / LINE)));
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
            if (this.#find(h, g) >= 0) continue;
            this.#size++;
          }
          if (!this.#place(h, g, number + from + i)) return false;
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
      const { tags } = this.#shardOf(hashes[i] as number);
      ahead |= tags[bucketOf(hashes[i + 1] as number, tags) * LINE] as number;
    }
    this.#ahead = ahead;
  }
}

function newShard(buckets: number): Shard {
  const buffer = new ArrayBuffer(buckets * LINE);
  const room = Math.floor(buckets * SLOTS * FULL);
  return { tags: new Uint8Array(buffer), words: new Int32Array(buffer), room, size: 0 };
}

function tagOf(g: number): number {
  return g >>> 24 || 1;
}

/** @param tags of which there are a power of two */
function bucketOf(g: number, tags: Uint8Array): number {
  return g & (tags.length / LINE - 1);
}

function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, atLeast)));
}
