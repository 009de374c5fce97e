/*
 * Frames of zstd (RFC 8878, 3.1). Node's decompressor reads one frame. It reports no error if the data is cut
 * short or if more follows (Node 22.15), so tasks would be lost silently. This file finds the frames, and
 * each is decompressed separately.
 */

const MAGIC = 0xfd2fb528;
/** Magic of a frame to skip, for other programs. Its lowest four bits may have any value. */
const SKIPPABLE = 0x184d2a50;

/** Error for data that is not a sequence of whole zstd frames. */
export class BrokenFrames extends Error {}

/** Reader that takes a given number of bytes from a stream. */
class Cursor {
  readonly #chunks: AsyncIterator<Buffer>;
  #chunk: Buffer = Buffer.alloc(0);

  constructor(bytes: AsyncIterable<Buffer>) {
    this.#chunks = bytes[Symbol.asyncIterator]();
  }

  /** Returns true if there are bytes left. */
  async hasMore(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const next = await this.#chunks.next();
      if (next.done) return false;
      this.#chunk = next.value;
    }
    return true;
  }

  /** Takes at least one and at most `most` bytes. @throws {BrokenFrames} at the end of the input */
  async some(most: number): Promise<Buffer> {
    if (!(await this.hasMore())) throw new BrokenFrames('unexpected end of file');
    const piece = this.#chunk.subarray(0, most);
    this.#chunk = this.#chunk.subarray(piece.length);
    return piece;
  }

  /** Takes exactly `length` bytes. @throws {BrokenFrames} at the end of the input */
  async take(length: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let left = length; left > 0; ) {
      const piece = await this.some(left);
      pieces.push(piece);
      left -= piece.length;
    }
    return Buffer.concat(pieces);
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

/**
 * Splits zstd data into its frames. Read each frame to its end before the next one.
 * @throws {BrokenFrames} if the data is cut short, or other data follows a frame
 */
export async function* framesOf(bytes: AsyncIterable<Buffer>): AsyncGenerator<AsyncIterable<Buffer>> {
  const cursor = new Cursor(bytes);
  try {
    while (await cursor.hasMore()) {
      const head = await cursor.take(4);
      const magic = head.readUInt32LE();
      if (magic === MAGIC) yield frame(head, cursor);
      else if ((magic & 0xfffffff0) === SKIPPABLE) await skipFrame(cursor);
      else throw new BrokenFrames('incorrect header check');
    }
  } finally {
    await cursor.close();
  }
}

async function skipFrame(cursor: Cursor): Promise<void> {
  for (let left = (await cursor.take(4)).readUInt32LE(); left > 0; ) left -= (await cursor.some(left)).length;
}

async function* frame(magic: Buffer, cursor: Cursor): AsyncGenerator<Buffer> {
  const [descriptor = 0] = await cursor.take(1);
  yield Buffer.concat([magic, Buffer.from([descriptor]), await cursor.take(headerLength(descriptor))]);
  for (let isLast = false; !isLast; ) {
    const header = await cursor.take(3);
    yield header;
    const bits = header.readUIntLE(0, 3);
    isLast = (bits & 1) === 1;
    const isRepeated = ((bits >> 1) & 3) === 1; // one byte, repeated
    for (let left = isRepeated ? 1 : bits >> 3; left > 0; ) {
      const piece = await cursor.some(left);
      left -= piece.length;
      yield piece;
    }
  }
  const hasChecksum = (descriptor & 4) !== 0;
  if (hasChecksum) yield await cursor.take(4);
}

/** Returns the length of the header after its first byte: window, dictionary and content size, in bytes. */
function headerLength(descriptor: number): number {
  const isSingle = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] as number;
  const size = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  return (isSingle ? 0 : 1) + dictionary + size;
}
