import { isKeyAt, setKey, storeKey } from './id-key.ts';
import { openTempFile, type TempFile } from './temp-file.ts';

/** Bytes of a key. */
const KEY = 16;
/** Keys of a chunk, 1 MB. */
const CHUNK = 65_536;
/** Chunks kept in memory; later ones go to a file. */
const IN_MEMORY = 4;
const FIRST_KEYS = 16;
/** Keys read from the file at once, and the number of such blocks that are cached. */
const BLOCK = 64;
const BLOCKS = 256;

/**
 * Ids numbered in order of arrival, 16 bytes each. At most 5 MB of them are in memory; the others are in a temporary
 * file, or in memory too if no temporary file can be made.
 */
export class IdList {
  /** Full chunks; undefined if the chunk is in the file, at the offset that its index gives. */
  readonly #chunks: (Int32Array | undefined)[] = [];
  #last = new Int32Array(FIRST_KEYS * 4);
  /** Keys in the last chunk. */
  #used = 0;
  #file: TempFile | undefined;
  #canWrite = true;
  #cache: BlockCache | undefined;

  get length(): number {
    return this.#chunks.length * CHUNK + this.#used;
  }

  /** Adds an id, even if it is in the list already. */
  add(id: string): void {
    setKey(id);
    this.push();
  }

  /** Adds the current key. */
  push(): void {
    if (this.#used * 4 === this.#last.length) this.#makeRoom();
    storeKey(this.#last, this.#used++ * 4);
  }

  /** Returns whether the key with this number is the current key. */
  isCurrent(number: number): boolean {
    const chunk = number >>> 16;
    const keys = chunk === this.#chunks.length ? this.#last : this.#chunks[chunk];
    if (keys !== undefined) return isKeyAt(keys, (number & (CHUNK - 1)) * 4);
    this.#cache ??= new BlockCache(this.#file as TempFile);
    return this.#cache.isCurrent(number);
  }

  /**
   * Visits the keys in order until `visit` returns false. Returns whether all were visited.
   * @param visit gets `count` keys, valid during this call only, and the number of the first
   */
  every(visit: (keys: Int32Array, count: number, number: number) => boolean): boolean {
    const read = this.#chunks.includes(undefined) ? new Int32Array(CHUNK * 4) : this.#last;
    for (const [i, chunk] of this.#chunks.entries()) {
      if (chunk === undefined) this.#file?.read(viewOf(read), 0, CHUNK * KEY, i * CHUNK * KEY);
      if (!visit(chunk ?? read, CHUNK, i * CHUNK)) return false;
    }
    return visit(this.#last, this.#used, this.#chunks.length * CHUNK);
  }

  #makeRoom(): void {
    const full = this.#last;
    if (this.#used < CHUNK) {
      this.#last = new Int32Array(full.length * 2);
      this.#last.set(full);
      return;
    }
    this.#used = 0;
    if (this.#chunks.length >= IN_MEMORY && this.#writeOut(full)) {
      this.#chunks.push(undefined);
      return; // the next keys reuse the buffer
    }
    this.#chunks.push(full);
    this.#last = new Int32Array(CHUNK * 4);
  }

  /** Writes a chunk to the file. Returns false if that fails: then later chunks stay in memory. */
  #writeOut(keys: Int32Array): boolean {
    if (!this.#canWrite) return false;
    this.#file ??= openTempFile();
    this.#canWrite = this.#file?.write(viewOf(keys), this.#chunks.length * CHUNK * KEY) ?? false;
    return this.#canWrite;
  }
}

/** Blocks last read from the file. Looking up ids in order of arrival reads each block once. */
class BlockCache {
  readonly #file: TempFile;
  readonly #keys = new Int32Array(BLOCKS * BLOCK * 4);
  readonly #bytes: Uint8Array = viewOf(this.#keys);
  /** The block that each place holds. */
  readonly #held = new Int32Array(BLOCKS).fill(-1);

  constructor(file: TempFile) {
    this.#file = file;
  }

  isCurrent(number: number): boolean {
    const block = Math.floor(number / BLOCK);
    const place = block % BLOCKS;
    if (this.#held[place] !== block) this.#read(block, place);
    return isKeyAt(this.#keys, (place * BLOCK + (number % BLOCK)) * 4);
  }

  #read(block: number, place: number): void {
    this.#held[place] = -1;
    const size = BLOCK * KEY;
    this.#file.read(this.#bytes, place * size, size, block * size);
    this.#held[place] = block;
  }
}

function viewOf({ buffer }: Int32Array): Uint8Array {
  return new Uint8Array(buffer);
}
