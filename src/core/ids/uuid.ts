import { hash, randomUUID } from 'node:crypto';
import { md5 } from './md5.ts';

/** RFC 9562 versions that a loader can assign: 3 and 5 are made from names, 4 and 7 are random. */
export type UuidVersion = 3 | 4 | 5 | 7;

/** Namespace for names that are URLs, 6ba7b811-9dad-11d1-80b4-00c04fd430c8 (RFC 9562, section 6.6). */
export const NAMESPACE_URL: Buffer = Buffer.from('6ba7b8119dad11d180b400c04fd430c8', 'hex');

/** Buffer of the namespace, followed by the name. */
let scratch: Buffer;
let scratchView: DataView;
/**
 * Views of the first `n` bytes of `scratch`, by `n`. They are cached because a view of a buffer is slow to
 * make.
 */
let views: Buffer[];
renewScratch(4096);
/** Length of the longest view that is cached. */
const MOST_VIEWED = 1024;

function renewScratch(size: number): void {
  scratch = Buffer.alloc(size);
  scratchView = new DataView(scratch.buffer, scratch.byteOffset, size);
  views = [];
  NAMESPACE_URL.copy(scratch);
}

function makeRoom(nameLength: number): void {
  const room = 16 + nameLength;
  if (room > scratch.length) renewScratch(room * 2);
}

function firstBytes(length: number): Buffer {
  if (length > MOST_VIEWED) return scratch.subarray(0, length);
  views[length] ??= scratch.subarray(0, length);
  return views[length];
}

/** Bytes of the last UUID that was made from a name. */
const made: DataView = new DataView(new ArrayBuffer(16));

/**
 * Maximum input of our own MD5, in bytes. OpenSSL hashes longer ones faster, in spite of the cost of a call.
 */
const SHORT = 300;

/** Makes the UUID of the first `length` bytes of `scratch`. */
function make(length: number, version: 3 | 5): void {
  if (version === 3 && length <= SHORT) md5(scratchView, length, made);
  else {
    const digest = hash(version === 3 ? 'md5' : 'sha1', firstBytes(length), 'binary');
    for (let i = 0; i < 16; i++) made.setUint8(i, digest.charCodeAt(i));
  }
  made.setUint8(6, (made.getUint8(6) & 0x0f) | (version << 4));
  made.setUint8(8, (made.getUint8(8) & 0x3f) | 0x80);
}

/**
 * Returns the 16 bytes of the UUID of a name in the URL namespace: see `nameUuid`. They are valid until the
 * next UUID is made.
 * @param bytes contains the name, as UTF-8, from byte `from` to before byte `to`
 */
export function nameUuidBytes(bytes: Uint8Array, from: number, to: number, version: 3 | 5): DataView {
  makeRoom(to - from);
  let length = 16;
  for (let i = from; i < to; i++) scratch[length++] = bytes[i] as number;
  make(length, version);
  return made;
}

/** Index of the name in the buffer of `nameBuffer`. */
export const NAME_AT = 16;

/**
 * Returns a buffer for a name of at most `room` bytes, which the caller writes from index `NAME_AT`. The
 * buffer is valid until the next call that takes a name.
 */
export function nameBuffer(room: number): Buffer {
  makeRoom(room);
  return scratch;
}

/**
 * Returns the 16 bytes of the UUID of the name in the buffer of `nameBuffer`. They are valid until the next
 * UUID is made.
 * @param end index just past the name in the buffer
 */
export function bufferedUuid(end: number, version: 3 | 5): DataView {
  make(end, version);
  return made;
}

/**
 * Returns the UUID of a name in the URL namespace. It is the same as Python's
 * `uuid.uuid3(uuid.NAMESPACE_URL, name)`, or for version 5 as `uuid.uuid5` (RFC 9562, sections 5.3 and 5.5).
 */
export function nameUuid(name: string, version: 3 | 5 = 3): string {
  makeRoom(name.length * 3);
  make(16 + scratch.write(name, 16), version);
  writeUuid(made, text, 0);
  return text.toString('latin1');
}

/** Returns the UUID of a name that need not be UTF-8: see `nameUuid`. */
export function nameUuidOf(name: Buffer, version: 3 | 5): string {
  writeUuid(nameUuidBytes(name, 0, name.length, version), text, 0);
  return text.toString('latin1');
}

/** Buffer for the text of a UUID. */
const text: Buffer = Buffer.alloc(36);

/** Codes of the two hex digits of each byte. */
const HIGH = new Uint8Array(256);
const LOW = new Uint8Array(256);
for (let i = 0; i < 256; i++) {
  const digits = i.toString(16).padStart(2, '0');
  HIGH[i] = digits.charCodeAt(0);
  LOW[i] = digits.charCodeAt(1);
}
const DASH = 45;

/** Writes the text of a UUID: 36 bytes from `at`. */
export function writeUuid(uuid: DataView, bytes: Uint8Array, at: number): void {
  let to = at;
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) bytes[to++] = DASH;
    const byte = uuid.getUint8(i);
    bytes[to++] = HIGH[byte] as number;
    bytes[to++] = LOW[byte] as number;
  }
}

/** Returns a random UUID; version 7 begins with the time in milliseconds (RFC 9562, section 5.7). */
export function randomUuid(version: 4 | 7): string {
  const random = randomUUID();
  if (version === 4) return random;
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15)}`;
}
