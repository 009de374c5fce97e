import { isKeyAt, setKey, storeKey } from './idkey.ts';
import { openSpill, type Spill } from './spill.ts';

/** Bytes of a key. */
const KEY = 16;
/** Keys of a chunk, 1 MB. */
const CHUNK = 65_536;
/** So many chunks are kept in memory; what comes after them goes to a file. */
const IN_MEMORY = 4;
const FIRST_KEYS = 16;
/** What is read of the file at once, in keys, and how much of it is kept. */
const BLOCK = 64;
const BLOCKS = 256;

/**
 * Ids in the order in which they came, by number: 16 bytes each, of which no more than some 5 MB are in memory. The
 * others are in a temporary file, or in memory too where there can be none.
 */
export class IdList {
  /** Those that are full; undefined where it is in the file, at the place that its index gives. */
  readonly #chunks: (Int32Array | undefined)[] = [];
  #last = new Int32Array(FIRST_KEYS * 4);
  /** Keys in the last chunk. */
  #used = 0;
  #spill: Spill | undefined;
  #canSpill = true;
  #cache: BlockCache | undefined;

  get length(): number {
    return this.#chunks.length * CHUNK + this.#used;
  }

  /** Adds an id, whether it came before or not. */
  add(id: string): void {
    setKey(id);
    this.push();
  }

  /** Adds the current key. */
  push(): void {
    if (this.#used * 4 === this.#last.length) this.#makeRoom();
    storeKey(this.#last, this.#used++ * 4);
  }

  /** Whether the key of a number is the current one. */
  isCurrent(number: number): boolean {
    const chunk = number >>> 16;
    const keys = chunk === this.#chunks.length ? this.#last : this.#chunks[chunk];
    if (keys !== undefined) return isKeyAt(keys, (number & (CHUNK - 1)) * 4);
    this.#cache ??= new BlockCache(this.#spill as Spill);
    return this.#cache.isCurrent(number);
  }

  /**
   * Goes through the keys in order, as long as `visit` returns true. Returns whether it came to the end.
   * @param visit is given so many keys, which are good for this call, and the number of the first
   */
  every(visit: (keys: Int32Array, count: number, number: number) => boolean): boolean {
    const read = this.#chunks.includes(undefined) ? new Int32Array(CHUNK * 4) : this.#last;
    for (const [i, chunk] of this.#chunks.entries()) {
      if (chunk === undefined) this.#spill?.read(viewOf(read), 0, CHUNK * KEY, i * CHUNK * KEY);
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
      return; // the next keys take the place of those
    }
    this.#chunks.push(full);
    this.#last = new Int32Array(CHUNK * 4);
  }

  /** Returns false where there is no place for it: then all that follows stays in memory. */
  #writeOut(keys: Int32Array): boolean {
    if (!this.#canSpill) return false;
    this.#spill ??= openSpill();
    this.#canSpill = this.#spill?.write(viewOf(keys), this.#chunks.length * CHUNK * KEY) ?? false;
    return this.#canSpill;
  }
}

/** What was last read of the file: whoever asks for ids in the order in which they came reads each block once. */
class BlockCache {
  readonly #spill: Spill;
  readonly #keys = new Int32Array(BLOCKS * BLOCK * 4);
  readonly #bytes: Uint8Array = viewOf(this.#keys);
  /** Which block stands in each place. */
  readonly #held = new Int32Array(BLOCKS).fill(-1);

  constructor(spill: Spill) {
    this.#spill = spill;
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
    this.#spill.read(this.#bytes, place * size, size, block * size);
    this.#held[place] = block;
  }
}

function viewOf({ buffer }: Int32Array): Uint8Array {
  return new Uint8Array(buffer);
}
