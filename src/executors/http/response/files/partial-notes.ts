import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { appendFile, open, readFile, writeFile } from 'node:fs/promises';
import { replaceFile } from '../../private-files.ts';

/** Identity of a body, with which a server can check whether the body is still the same. */
export interface BodyVersion {
  /** SHA-256 of the url: it may hold secrets. */
  readonly url: string;
  /** Value for `If-Range`: a strong ETag, or the date of the last change. */
  readonly validator: string;
  /** Length of the whole body in bytes, if it is known. */
  readonly length?: number | undefined;
}

/** Beginning of a body in a file. */
export interface Partial {
  readonly version: BodyVersion;
  /** Number of bytes. */
  readonly bytes: number;
  readonly hash: Hash;
}

/** Bytes after which the progress is noted, and the time, in milliseconds. */
const STEP = 4 * 1_048_576;
const OFTEN = 1000;
const CHUNK = 1_048_576;

interface Noted {
  readonly bytes: number;
  readonly sha256: string;
}

type Progress = Pick<Partial, 'bytes' | 'hash'>;

/** File beside a beginning: its version in the first line, and lengths with their hashes in the others. */
export class Notes {
  readonly #path: string;
  readonly #length: number | undefined;
  #bytes: number;
  #due = performance.now() + OFTEN;

  /**
   * @param bytes length that was noted last
   * @param length of the whole body, which is not noted, because there would be no rest to request
   */
  constructor(path: string, bytes: number, length: number | undefined) {
    this.#path = path;
    this.#bytes = bytes;
    this.#length = length;
  }

  begin(version: BodyVersion): Promise<void> {
    return writeFile(this.#path, `${JSON.stringify(version)}\n`);
  }

  /** Adds a note, if enough bytes or time have passed since the last one. */
  progress(body: Progress): Promise<void> | undefined {
    return body.bytes - this.#bytes >= STEP || performance.now() >= this.#due ? this.add(body) : undefined;
  }

  async add(body: Progress): Promise<void> {
    if (body.bytes === this.#bytes || body.bytes === this.#length) return;
    this.#bytes = body.bytes;
    this.#due = performance.now() + OFTEN;
    await appendFile(this.#path, noteOf(body)).catch(() => {}); // a full disk fails the next write too
  }
}

function noteOf({ bytes, hash }: Progress): string {
  return `${JSON.stringify({ bytes, sha256: hash.copy().digest('hex') } satisfies Noted)}\n`;
}

/**
 * Reads a beginning as far as a recorded hash matches its bytes.
 * @param path file with the bytes
 * @param notes file with the notes, which is shortened
 * @throws if no part can be used
 */
export async function readBeginning(path: string, notes: string): Promise<Partial> {
  const [first = '', ...lines] = (await readFile(notes, 'utf8')).split('\n');
  const version = JSON.parse(first) as BodyVersion;
  const noted = lines.flatMap((line) => (line.endsWith('}') ? [JSON.parse(line) as Noted] : []));
  const progress = await verified(path, noted);
  await replaceFile(notes, `${JSON.stringify(version)}\n${noteOf(progress)}`);
  return { version, ...progress };
}

/** Returns the longest beginning of a file with a recorded hash. @throws if there is none */
async function verified(path: string, noted: readonly Noted[]): Promise<Progress> {
  const hash = createHash('sha256');
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  const chunk = Buffer.allocUnsafe(CHUNK);
  let good: Progress | undefined;
  let at = 0;
  try {
    for (const { bytes, sha256 } of noted) {
      while (at < bytes) {
        const { bytesRead } = await file.read(chunk, 0, Math.min(CHUNK, bytes - at), at);
        if (bytesRead === 0) break;
        hash.update(chunk.subarray(0, bytesRead));
        at += bytesRead;
      }
      if (at !== bytes || hash.copy().digest('hex') !== sha256) break;
      good = { bytes, hash: hash.copy() };
    }
  } finally {
    await file.close();
  }
  if (good === undefined) throw new Error('no part of the file can be used');
  return good;
}
