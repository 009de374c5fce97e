import { hash, randomUUID } from 'node:crypto';

/** RFC 9562 versions that a loader can give: 3 and 5 are made from names, 4 and 7 are random. */
export type UuidVersion = 3 | 4 | 5 | 7;

/** RFC 9562, section 6.6: the namespace for names that are URLs, 6ba7b811-9dad-11d1-80b4-00c04fd430c8. */
const NAMESPACE_URL = Buffer.from('6ba7b8119dad11d180b400c04fd430c8', 'hex');

let scratch = Buffer.alloc(4096);
NAMESPACE_URL.copy(scratch);

/** The first so many bytes of `scratch`, by their number: a view of a buffer is slow to make. */
let views: Buffer[] = [];
/** Of longer ones none is kept. */
const MOST_VIEWED = 1024;

function firstBytes(length: number): Buffer {
  if (length > MOST_VIEWED) return scratch.subarray(0, length);
  views[length] ??= scratch.subarray(0, length);
  return views[length];
}

const VARIANT = '89ab89ab89ab89ab';

/**
 * The UUID of a name in the URL namespace, the same as Python's `uuid.uuid3(uuid.NAMESPACE_URL, name)`, or with
 * version 5 as its `uuid.uuid5` (RFC 9562, sections 5.3 and 5.5).
 */
export function nameUuid(name: string, version: 3 | 5 = 3): string {
  const room = 16 + name.length * 3;
  if (room > scratch.length) {
    scratch = Buffer.alloc(room * 2);
    views = [];
    NAMESPACE_URL.copy(scratch);
  }
  const length = 16 + scratch.write(name, 16);
  const h = hash(version === 3 ? 'md5' : 'sha1', firstBytes(length), 'hex');
  const variant = VARIANT[Number.parseInt(h[16] as string, 16)];
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-${version}${h.slice(13, 16)}-${variant}${h.slice(17, 20)}-${h.slice(20, 32)}`;
}

/** A random UUID; version 7 begins with the time in milliseconds (RFC 9562, section 5.7). */
export function randomUuid(version: 4 | 7): string {
  const random = randomUUID();
  if (version === 4) return random;
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15)}`;
}
