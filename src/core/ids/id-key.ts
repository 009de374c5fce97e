import { hash, randomBytes } from 'node:crypto';

/*
 * Ids as 128-bit keys. A canonical UUID (36 characters, lower-case hex) is its own key. 32 hex digits are their own key
 * too, XORed with a salt. The key of any other id is the first half of its SHA-256, so that an attacker cannot choose
 * two ids that collide. These variables hold the four words of the current key: an object per call would cost more
 * than the look-up.
 */
let k0 = 0;
let k1 = 0;
let k2 = 0;
let k3 = 0;

/** Values of the lower-case hex digits by character code; 16 for all other codes. */
const NIBBLE = new Uint8Array(256).fill(16);
for (let i = 0; i < 16; i++) NIBBLE['0123456789abcdef'.charCodeAt(i)] = i;
const DASH = 45;

/** Returns the 16 bits of four hex digits, or a negative number if one is not a hex digit. */
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

/** Sets the current key from eight groups of 16 bits. Returns false if one is negative. */
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

/** Sets the current key to the canonical UUID in the 36 bytes from `at`. Returns false if they are not one. */
export function setKeyOfBytes(bytes: Uint8Array, at: number): boolean {
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

/** Sets the current key to a UUID of 16 bytes. */
export function setKeyOfUuid(uuid: DataView): void {
  k0 = uuid.getInt32(0);
  k1 = uuid.getInt32(4);
  k2 = uuid.getInt32(8);
  k3 = uuid.getInt32(12);
}

/**
 * Salt that separates 32 hex digits from the UUID of the same digits. It is random, so that it cannot be
 * predicted.
 */
const SALT = randomBytes(16);
const [S0, S1, S2, S3] = [0, 4, 8, 12].map((at) => SALT.readInt32LE(at)) as [number, number, number, number];

/** Sets the current key to 32 hex digits without dashes, such as an MD5. Returns false if they are not. */
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

/** Sets the current key to that of an id. */
export function setKey(id: string): void {
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
 * Returns a number from 0 to 2^32-1 that depends on the id alone: it is the same in every run and on every
 * machine. `--shard` takes its remainder.
 */
export function stableHash(id: string): number {
  if (id.length !== 36 || !setKeyOfText(id)) setKeyOfDigest(id);
  return hashOfKey(0);
}

/** Returns a hash of the current key, 0 to 2^32-1, by the mixing steps of MurmurHash3 (Austin Appleby, public domain). */
export function hashOfKey(seed: number): number {
  let h = Math.imul(seed ^ k0, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13) ^ k1, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16) ^ k2, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13) ^ k3, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Returns whether the four words from index `i` are the current key. */
export function isKeyAt(keys: Int32Array, i: number): boolean {
  return keys[i] === k0 && keys[i + 1] === k1 && keys[i + 2] === k2 && keys[i + 3] === k3;
}

/** Sets the current key to the four words from `i`. */
export function loadKey(keys: Int32Array, i: number): void {
  k0 = keys[i] as number;
  k1 = keys[i + 1] as number;
  k2 = keys[i + 2] as number;
  k3 = keys[i + 3] as number;
}

/** Writes the current key to the four words from `i`. */
export function storeKey(keys: Int32Array, i: number): void {
  keys[i] = k0;
  keys[i + 1] = k1;
  keys[i + 2] = k2;
  keys[i + 3] = k3;
}
