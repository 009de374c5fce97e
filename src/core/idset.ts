import { hash, randomBytes } from 'node:crypto';

/*
 * Ids as 128-bit keys. A canonical UUID (36 characters, lower-case hex) is its own key, and so are 32 hex digits, set
 * apart by a salt; any other id is the first half of its SHA-256, so that nobody can choose two ids that meet. The four words of the key last computed stand
 * in these variables: a key object for each call would cost more than the look-up.
 */
let k0 = 0;
let k1 = 0;
let k2 = 0;
let k3 = 0;

/** The values of the lower-case hex digits by character code, 16 for all else. */
const NIBBLE = new Uint8Array(256).fill(16);
for (let i = 0; i < 16; i++) NIBBLE['0123456789abcdef'.charCodeAt(i)] = i;
const DASH = 45;

/** The 16 bits of four hex digits, or less than 0. */
function hex4(a: number, b: number, c: number, d: number): number {
  if ((a | b | c | d) > 255) return -1;
  const w = NIBBLE[a] as number;
  const x = NIBBLE[b] as number;
  const y = NIBBLE[c] as number;
  const z = NIBBLE[d] as number;
  return (w | x | y | z) > 15 ? -1 : (w << 12) | (x << 8) | (y << 4) | z;
}

function textHex(id: string, at: number): number {
  return hex4(id.charCodeAt(at), id.charCodeAt(at + 1), id.charCodeAt(at + 2), id.charCodeAt(at + 3));
}

function bytesHex(bytes: Uint8Array, at: number): number {
  return hex4(bytes[at] as number, bytes[at + 1] as number, bytes[at + 2] as number, bytes[at + 3] as number);
}

/** Sets the key of eight groups of four digits. Returns whether they all were. */
function join(
  a: number,
  b: number,
  c: number,
  d: number,
  e: number,
  f: number,
  g: number,
  h: number,
): boolean {
  k0 = (a << 16) | b;
  k1 = (c << 16) | d;
  k2 = (e << 16) | f;
  k3 = (g << 16) | h;
  return (a | b | c | d | e | f | g | h) >= 0;
}

function setKeyOfText(id: string): boolean {
  if (id.charCodeAt(8) !== DASH || id.charCodeAt(13) !== DASH) return false;
  if (id.charCodeAt(18) !== DASH || id.charCodeAt(23) !== DASH) return false;
  return join(
    textHex(id, 0),
    textHex(id, 4),
    textHex(id, 9),
    textHex(id, 14),
    textHex(id, 19),
    textHex(id, 24),
    textHex(id, 28),
    textHex(id, 32),
  );
}

function setKeyOfBytes(bytes: Uint8Array, at: number): boolean {
  if (bytes[at + 8] !== DASH || bytes[at + 13] !== DASH) return false;
  if (bytes[at + 18] !== DASH || bytes[at + 23] !== DASH) return false;
  return join(
    bytesHex(bytes, at),
    bytesHex(bytes, at + 4),
    bytesHex(bytes, at + 9),
    bytesHex(bytes, at + 14),
    bytesHex(bytes, at + 19),
    bytesHex(bytes, at + 24),
    bytesHex(bytes, at + 28),
    bytesHex(bytes, at + 32),
  );
}

/** Kept apart from the UUIDs of the same digits by what nobody can know beforehand. */
const SALT = randomBytes(16);
const [S0, S1, S2, S3] = [0, 4, 8, 12].map((at) => SALT.readInt32LE(at)) as [number, number, number, number];

/** 32 hex digits without dashes, as of an MD5. */
function setKeyOfDigits(id: string): boolean {
  const isHex = join(
    textHex(id, 0),
    textHex(id, 4),
    textHex(id, 8),
    textHex(id, 12),
    textHex(id, 16),
    textHex(id, 20),
    textHex(id, 24),
    textHex(id, 28),
  );
  k0 ^= S0;
  k1 ^= S1;
  k2 ^= S2;
  k3 ^= S3;
  return isHex;
}

function setKey(id: string): void {
  if (id.length === 36 && setKeyOfText(id)) return;
  if (id.length === 32 && setKeyOfDigits(id)) return;
  setKeyOfDigest(id);
}

function setKeyOfDigest(id: string): void {
  const digest = hash('sha256', id, 'buffer');
  k0 = digest.readInt32BE(0);
  k1 = digest.readInt32BE(4);
  k2 = digest.readInt32BE(8);
  k3 = digest.readInt32BE(12);
}

/**
 * A number from 0 to 2^32-1 that depends on the id alone, the same in every run and on every machine.
 * `--shard` divides by it.
 */
export function stableHash(id: string): number {
  if (id.length !== 36 || !setKeyOfText(id)) setKeyOfDigest(id);
  return mix(0);
}

/** The mixing steps of MurmurHash3 (Austin Appleby, public domain) over the four words. */
function mix(seed: number): number {
  let h = Math.imul(seed ^ k0, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13) ^ k1, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16) ^ k2, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13) ^ k3, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

const SHARDS = 256;
const FIRST_SLOTS = 16;
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

  /** @param options.expected about how many ids will come, so that the tables need not grow */
  constructor(options: { values?: boolean; expected?: number } = {}) {
    this.#withValues = options.values ?? true;
    const slots = (options.expected ?? 0) / SHARDS / FULL;
    this.#slots = Math.max(FIRST_SLOTS, 2 ** Math.ceil(Math.log2(Math.max(1, slots))));
  }

  /** How many ids are in. */
  get size(): number {
    return this.#size;
  }

  has(id: string): boolean {
    setKey(id);
    return this.#get() !== undefined;
  }

  /** The number of an id, or undefined where it is not in (0 in an `IdSet`). */
  get(id: string): number | undefined {
    setKey(id);
    return this.#get();
  }

  /** Puts an id in, or gives it another number. Returns whether it is new. */
  set(id: string, value: number): boolean {
    setKey(id);
    return this.#put(value);
  }

  /** The same for a canonical UUID in the 36 bytes from `at`; undefined where they are no such thing. */
  setBytes(bytes: Uint8Array, at: number, value: number): boolean | undefined {
    return setKeyOfBytes(bytes, at) ? this.#put(value) : undefined;
  }

  /** Takes an id out. Returns whether it was in. */
  delete(id: string): boolean {
    setKey(id);
    if (isNil()) {
      const was = this.#nil !== undefined;
      this.#nil = undefined;
      if (was) this.#size--;
      return was;
    }
    const h = mix(this.#seed);
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
    if (isNil()) return this.#nil;
    const h = mix(this.#seed);
    const shard = this.#shards[h >>> 24];
    if (shard === undefined) return undefined;
    const slot = find(shard, h);
    if (isEmpty(shard, slot)) return undefined;
    return shard.values === undefined ? 0 : shard.values[slot];
  }

  #put(value: number): boolean {
    if (isNil()) {
      const isNew = this.#nil === undefined;
      this.#nil = value;
      if (isNew) this.#size++;
      return isNew;
    }
    const h = mix(this.#seed);
    const shard = this.#shards[h >>> 24] ?? this.#newShard(h >>> 24);
    const slot = find(shard, h);
    const isNew = isEmpty(shard, slot);
    if (shard.values !== undefined) shard.values[slot] = value;
    if (!isNew) return false;
    writeKey(shard, slot);
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
      readKey(shard, i / 4);
      if (isNil()) continue;
      const slot = find(bigger, mix(this.#seed));
      writeKey(bigger, slot);
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
      readKey(shard, slot);
      const home = mix(this.#seed) & mask;
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

  /** Puts the canonical UUID in the 36 bytes from `at` in; undefined where they are no such thing. */
  addBytes(bytes: Uint8Array, at: number): boolean | undefined {
    return this.setBytes(bytes, at, 0);
  }
}

function newShard(slots: number, withValues: boolean): Shard {
  return {
    keys: new Int32Array(slots * 4),
    values: withValues ? new Float64Array(slots) : undefined,
    size: 0,
  };
}

function isNil(): boolean {
  return (k0 | k1 | k2 | k3) === 0;
}

function isEmpty(shard: Shard, slot: number): boolean {
  const { keys } = shard;
  const i = slot * 4;
  return keys[i] === 0 && keys[i + 1] === 0 && keys[i + 2] === 0 && keys[i + 3] === 0;
}

function readKey(shard: Shard, slot: number): void {
  const { keys } = shard;
  const i = slot * 4;
  k0 = keys[i] as number;
  k1 = keys[i + 1] as number;
  k2 = keys[i + 2] as number;
  k3 = keys[i + 3] as number;
}

function writeKey(shard: Shard, slot: number): void {
  const { keys } = shard;
  const i = slot * 4;
  keys[i] = k0;
  keys[i + 1] = k1;
  keys[i + 2] = k2;
  keys[i + 3] = k3;
}

/** The slot where the current key stands, or the empty one where it would. */
function find(shard: Shard, h: number): number {
  const { keys } = shard;
  const mask = keys.length / 4 - 1;
  for (let slot = h & mask; ; slot = (slot + 1) & mask) {
    const i = slot * 4;
    if (keys[i] === k0 && keys[i + 1] === k1 && keys[i + 2] === k2 && keys[i + 3] === k3) return slot;
    if (isEmpty(shard, slot)) return slot;
  }
}
