/*
 * Frames of zstd (RFC 8878, 3.1). Node's decompressor reads one frame, and takes data that is cut short, or that follows
 * the frame, for its end (Node 22.15): tasks would be lost without a word. So frames are found here, and each is
 * decompressed by itself.
 */

const MAGIC = 0xfd2fb528;
/** A frame of other programs, to be skipped: these four bits of its magic may be any. */
const SKIPPABLE = 0x184d2a50;

/** Data that is not whole frames of zstd. */
export class BrokenFrames extends Error {}

/** A stream of bytes from which a number of them can be taken. */
class Cursor {
  readonly #chunks: AsyncIterator<Buffer>;
  #chunk: Buffer = Buffer.alloc(0);

  constructor(bytes: AsyncIterable<Buffer>) {
    this.#chunks = bytes[Symbol.asyncIterator]();
  }

  /** Whether there are bytes left. */
  async hasMore(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const next = await this.#chunks.next();
      if (next.done) return false;
      this.#chunk = next.value;
    }
    return true;
  }

  /** The next bytes, so many or fewer. @throws {BrokenFrames} at the end of the input */
  async some(most: number): Promise<Buffer> {
    if (!(await this.hasMore())) throw new BrokenFrames('unexpected end of file');
    const piece = this.#chunk.subarray(0, most);
    this.#chunk = this.#chunk.subarray(piece.length);
    return piece;
  }

  /** The next bytes, so many. */
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
 * Splits zstd data into its frames. Each has to be read to its end before the next one.
 * @throws {BrokenFrames} if the data is cut short, or something else follows a frame
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
    const isRepeated = ((bits >> 1) & 3) === 1; // one byte, so many times
    for (let left = isRepeated ? 1 : bits >> 3; left > 0; ) {
      const piece = await cursor.some(left);
      left -= piece.length;
      yield piece;
    }
  }
  const hasChecksum = (descriptor & 4) !== 0;
  if (hasChecksum) yield await cursor.take(4);
}

/** Length of the header after its first byte: of the window, the dictionary, and the size of the content. */
function headerLength(descriptor: number): number {
  const isSingle = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] as number;
  const size = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  return (isSingle ? 0 : 1) + dictionary + size;
}
