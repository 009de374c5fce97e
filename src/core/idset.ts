import { randomBytes } from 'node:crypto';
import {
  hashOfKey,
  isKeyAt,
  isNilKey,
  loadKey,
  setKey,
  setKeyOfBytes,
  setKeyOfUuid,
  storeKey,
} from './idkey.ts';

const SHARDS = 256;
const FIRST_SLOTS = 16;
/** How many ids are put off, to be put in together. */
const TOGETHER = 64;
/** A shard grows when more than this part of its slots is taken. */
const FULL = 0.8;

/** One table of a map: linear probing, a key of four zero words is an empty slot. */
interface Shard {
  keys: Int32Array;
  values: Float64Array | undefined;
  size: number;
}

/**
 * Numbers by id, in 16 bytes a slot (24 with values) outside of the JavaScript heap: ten million ids take some
 * 270 MB, and growing moves one shard of 256 at a time. The places are seeded anew for every map, so input cannot
 * be made to collide.
 */
export class IdMap {
  readonly #shards: (Shard | undefined)[] = new Array(SHARDS);
  readonly #seed = randomBytes(4).readUInt32LE();
  readonly #withValues: boolean;
  /** How many slots a shard begins with. */
  readonly #slots: number;
  #nil: number | undefined;
  #size = 0;
  /** The keys that were put off, and their hashes. */
  readonly #later = new Int32Array(TOGETHER * 4);
  readonly #hashes = new Uint32Array(TOGETHER);
  #putOff = 0;
  /** It means nothing: what is read ahead goes here, or nobody would read it. */
  #ahead = 0;

  /** @param options.expected about how many ids will come, so that the tables need not grow */
  constructor(options: { values?: boolean; expected?: number } = {}) {
    this.#withValues = options.values ?? true;
    const slots = (options.expected ?? 0) / SHARDS / FULL;
    this.#slots = Math.max(FIRST_SLOTS, 2 ** Math.ceil(Math.log2(Math.max(1, slots))));
  }

  /** How many ids are in. */
  get size(): number {
    this.#putIn();
    return this.#size;
  }

  has(id: string): boolean {
    this.#putIn();
    setKey(id);
    return this.#get() !== undefined;
  }

  /** The number of an id, or undefined where it is not in (0 in an `IdSet`). */
  get(id: string): number | undefined {
    this.#putIn();
    setKey(id);
    return this.#get();
  }

  /** Puts an id in, or gives it another number. Returns whether it is new. */
  set(id: string, value: number): boolean {
    this.#putIn();
    setKey(id);
    return this.#put(value);
  }

  /**
   * Puts the canonical UUID in the 36 bytes from `at` in, with the number 0. Returns whether they are one. It may be
   * put off until some are together: where a table is larger than the caches, one wait for memory then serves many.
   */
  addBytes(bytes: Uint8Array, at: number): boolean {
    if (!setKeyOfBytes(bytes, at)) return false;
    storeKey(this.#later, this.#putOff * 4);
    this.#hashes[this.#putOff++] = hashOfKey(this.#seed);
    if (this.#putOff === TOGETHER) this.#putIn();
    return true;
  }

  /** Whether the UUID of these 16 bytes is in. */
  hasUuid(uuid: DataView): boolean {
    this.#putIn();
    setKeyOfUuid(uuid);
    return this.#get() !== undefined;
  }

  /** Puts the UUID of these 16 bytes in, with the number 0. Returns whether it is new. */
  addUuid(uuid: DataView): boolean {
    this.#putIn();
    setKeyOfUuid(uuid);
    return this.#put(0);
  }

  /** Puts in what was put off. */
  #putIn(): void {
    const count = this.#putOff;
    if (count === 0) return;
    this.#putOff = 0;
    let ahead = this.#ahead;
    for (let i = 0; i < count; i++) {
      const h = this.#hashes[i] as number;
      const keys = this.#shards[h >>> 24]?.keys;
      if (keys !== undefined) ahead |= keys[(h << 2) & (keys.length - 1)] as number;
    }
    this.#ahead = ahead;
    for (let i = 0; i < count; i++) {
      loadKey(this.#later, i * 4);
      this.#put(0);
    }
  }

  /** Takes an id out. Returns whether it was in. */
  delete(id: string): boolean {
    this.#putIn();
    setKey(id);
    if (isNilKey()) {
      const was = this.#nil !== undefined;
      this.#nil = undefined;
      if (was) this.#size--;
      return was;
    }
    const h = hashOfKey(this.#seed);
    const shard = this.#shards[h >>> 24];
    if (shard === undefined) return false;
    const slot = find(shard, h);
    if (isEmpty(shard, slot)) return false;
    this.#close(shard, slot);
    shard.size--;
    this.#size--;
    return true;
  }

  #get(): number | undefined {
    if (isNilKey()) return this.#nil;
    const h = hashOfKey(this.#seed);
    const shard = this.#shards[h >>> 24];
    if (shard === undefined) return undefined;
    const slot = find(shard, h);
    if (isEmpty(shard, slot)) return undefined;
    return shard.values === undefined ? 0 : shard.values[slot];
  }

  #put(value: number): boolean {
    if (isNilKey()) {
      const isNew = this.#nil === undefined;
      this.#nil = value;
      if (isNew) this.#size++;
      return isNew;
    }
    const h = hashOfKey(this.#seed);
    const shard = this.#shards[h >>> 24] ?? this.#newShard(h >>> 24);
    const slot = find(shard, h);
    const isNew = isEmpty(shard, slot);
    if (shard.values !== undefined) shard.values[slot] = value;
    if (!isNew) return false;
    storeKey(shard.keys, slot * 4);
    this.#size++;
    shard.size++;
    if (shard.size > (shard.keys.length / 4) * FULL) this.#grow(shard);
    return true;
  }

  #newShard(index: number): Shard {
    const shard = newShard(this.#slots, this.#withValues);
    this.#shards[index] = shard;
    return shard;
  }

  #grow(shard: Shard): void {
    const { keys, values } = shard;
    const bigger = newShard(keys.length / 2, this.#withValues);
    for (let i = 0; i < keys.length; i += 4) {
      loadKey(keys, i);
      if (isNilKey()) continue;
      const slot = find(bigger, hashOfKey(this.#seed));
      storeKey(bigger.keys, slot * 4);
      if (bigger.values !== undefined) bigger.values[slot] = values?.[i / 4] as number;
    }
    shard.keys = bigger.keys;
    shard.values = bigger.values;
  }

  /** Empties a slot and moves back what probed past it (Knuth, TAOCP 3, 6.4, algorithm R). */
  #close(shard: Shard, from: number): void {
    const mask = shard.keys.length / 4 - 1;
    let hole = from;
    for (let slot = (hole + 1) & mask; !isEmpty(shard, slot); slot = (slot + 1) & mask) {
      loadKey(shard.keys, slot * 4);
      const home = hashOfKey(this.#seed) & mask;
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      shard.keys.copyWithin(hole * 4, slot * 4, slot * 4 + 4);
      if (shard.values !== undefined) shard.values[hole] = shard.values[slot] as number;
      hole = slot;
    }
    shard.keys.fill(0, hole * 4, hole * 4 + 4);
  }
}

/** A set of ids, 16 bytes a slot: see `IdMap`. */
export class IdSet extends IdMap {
  constructor(options: { expected?: number } = {}) {
    super({ ...options, values: false });
  }

  /** Puts an id in. Returns whether it is new. */
  add(id: string): boolean {
    return this.set(id, 0);
  }
}

function newShard(slots: number, withValues: boolean): Shard {
  return {
    keys: new Int32Array(slots * 4),
    values: withValues ? new Float64Array(slots) : undefined,
    size: 0,
  };
}

function isEmpty(shard: Shard, slot: number): boolean {
  const { keys } = shard;
  const i = slot * 4;
  return keys[i] === 0 && keys[i + 1] === 0 && keys[i + 2] === 0 && keys[i + 3] === 0;
}

/** The slot where the current key stands, or the empty one where it would. */
function find(shard: Shard, h: number): number {
  const { keys } = shard;
  const mask = keys.length / 4 - 1;
  for (let slot = h & mask; ; slot = (slot + 1) & mask) {
    if (isKeyAt(keys, slot * 4)) return slot;
    if (isEmpty(shard, slot)) return slot;
  }
}
