import type { IdList } from './id-list.ts';

/** A bucket is one cache line: `SLOTS` tags of one byte, then, from 32-bit word `WORDS` on, as many words. */
const SLOTS = 12;
const WORDS = 4;
const LINE = 64;
/** Buckets of a shard if there are several shards. */
const BUCKETS = 16_384;
/** Load factor of a shard at which the table grows. */
const FULL = 0.9;
/** A table of fewer shards doubles; a larger one grows by the factor `GROWTH`. */
const LARGE = 16;
const GROWTH = 0.4;

/**
 * A part of the table. A slot has 40 bits: a tag, which is eight bits of the key's hash and never 0 (0 marks an empty
 * slot), and a word, which holds the number of the key and above it as many bits of a second hash as fit. If a bucket
 * is full, the next one is used (linear probing).
 */
interface Shard {
  readonly tags: Uint8Array;
  readonly words: Int32Array;
  /** Capacity in keys. */
  readonly room: number;
  size: number;
}

/** A hash table that finds the keys of an `IdList` by two hashes of each, `h` and `g`. Takes about 7 bytes a key. */
export class IdTable {
  #shards: Shard[];
  /** Bits of a word that hold the number. */
  #bits = 0;

  /** @param expected estimated number of keys */
  constructor(expected: number) {
    const buckets = expected / (SLOTS * FULL);
    const count = buckets > BUCKETS ? Math.ceil(buckets / BUCKETS) + 1 : 1;
    this.#shards = Array.from({ length: count }, () => newShard(Math.min(powerOfTwo(buckets), BUCKETS)));
    this.#setBits();
  }

  /** Returns the number of the current key, or -1. */
  find(h: number, g: number, list: IdList): number {
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
        if (list.isCurrent(number)) return number;
      }
    }
  }

  /** Assigns a slot to a number. Returns false if the table must grow first. */
  place(h: number, g: number, number: number): boolean {
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

  /** Prefetches the bucket of a key. The returned value only keeps the read from being optimized away. */
  touch(h: number, g: number): number {
    const { tags } = this.#shardOf(h);
    return tags[bucketOf(g, tags) * LINE] as number;
  }

  /** Enlarges the table and empties it. */
  enlarge(): void {
    const [first] = this.#shards as [Shard];
    const buckets = first.tags.length / LINE;
    if (buckets < BUCKETS) this.#shards = [newShard(buckets * 2)];
    else {
      // Reuses the shards: freed ones would stay in memory for a while, in addition to the new ones.
      for (const shard of this.#shards) {
        shard.tags.fill(0);
        shard.size = 0;
      }
      const { length } = this.#shards;
      const more = length < LARGE ? length : Math.ceil(length * GROWTH);
      for (let i = 0; i < more; i++) this.#shards.push(newShard(BUCKETS));
    }
    this.#setBits();
  }

  #shardOf(h: number): Shard {
    return this.#shards[Math.floor(((h >>> 0) * this.#shards.length) / 2 ** 32)] as Shard;
  }

  #setBits(): void {
    const [{ tags }] = this.#shards as [Shard];
    this.#bits = Math.ceil(Math.log2(this.#shards.length * tags.length * (SLOTS / LINE)));
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

/** @param tags tags of a power of two of buckets */
function bucketOf(g: number, tags: Uint8Array): number {
  return g & (tags.length / LINE - 1);
}

/** Returns the smallest power of two that is at least `atLeast`. */
export function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, atLeast)));
}
