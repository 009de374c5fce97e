import { openTempFile, type TempFile } from './temp-file.ts';

/** Pairs of a chunk, 512 KB. */
const CHUNK = 65_536;
const PAIR = 8;
/** Chunks that stay in memory; later ones go to a file. */
const IN_MEMORY = 4;
/** Pairs read from the file at once: duplicates mostly appear in the order of their first occurrences. */
const BLOCK = 64;

/**
 * Two 32-bit numbers for each number from 0. At most 3 MB of them are in memory. The others are in a
 * temporary file, or in memory too if no temporary file can be made.
 */
export class Pairs {
  /** Full chunks; undefined if the chunk is in the file, at the offset that its index gives. */
  readonly #chunks: (Int32Array | undefined)[] = [];
  #last = new Int32Array(CHUNK * 2);
  #spill: TempFile | undefined;
  #canSpill = true;
  readonly #block = new Int32Array(BLOCK * 2);
  #blockNumber = -1;

  /** Stores a pair. @param number not lower than in the call before; skipped numbers have the pair 0, 0 */
  set(number: number, first: number, second: number): void {
    while (number >>> 16 > this.#chunks.length) this.#close();
    const at = (number & (CHUNK - 1)) * 2;
    this.#last[at] = first;
    this.#last[at + 1] = second;
  }

  /** Returns the pair of a number. @throws {TaskpipeError} `IO` */
  get(number: number): readonly [first: number, second: number] {
    const chunk = number >>> 16;
    if (chunk > this.#chunks.length) return [0, 0];
    const pairs = chunk === this.#chunks.length ? this.#last : this.#chunks[chunk];
    if (pairs !== undefined) return pairAt(pairs, number & (CHUNK - 1));
    const block = Math.floor(number / BLOCK);
    if (block !== this.#blockNumber) {
      this.#blockNumber = -1;
      this.#spill?.read(bytesOf(this.#block), 0, BLOCK * PAIR, block * BLOCK * PAIR);
      this.#blockNumber = block;
    }
    return pairAt(this.#block, number % BLOCK);
  }

  #close(): void {
    const full = this.#last;
    const isWritten = this.#chunks.length >= IN_MEMORY && this.#writeOut(full);
    this.#chunks.push(isWritten ? undefined : full);
    if (isWritten) full.fill(0);
    else this.#last = new Int32Array(CHUNK * 2);
  }

  /** Writes a chunk to the file. Returns false if that fails: then later chunks stay in memory. */
  #writeOut(pairs: Int32Array): boolean {
    if (!this.#canSpill) return false;
    this.#spill ??= openTempFile();
    this.#canSpill = this.#spill?.write(bytesOf(pairs), this.#chunks.length * CHUNK * PAIR) ?? false;
    return this.#canSpill;
  }
}

function pairAt(pairs: Int32Array, index: number): readonly [number, number] {
  return [pairs[index * 2] as number, pairs[index * 2 + 1] as number];
}

function bytesOf({ buffer }: Int32Array): Uint8Array {
  return new Uint8Array(buffer);
}
