import { Decompress } from 'fzstd';
import xxhash from 'xxhash-wasm';
import { BrokenFrames } from './zstd.ts';

/*
 * Decompressor of zstd frames for versions of Node without one (before 22.15). fzstd decompresses one block at a
 * time, so a small piece of input becomes at most a few blocks of 128 KB. It does not verify checksums: this file
 * does.
 */

/** Largest window in bytes, as of the `zstd` program without `--long`. The decompressor allocates a window. */
const MOST_WINDOW = 128 * 1024 * 1024;

/**
 * Decompresses one frame.
 * @param pieces the frame as `framesOf` yields it: its header, its blocks, and its checksum if it has one
 * @throws {BrokenFrames} if the frame is invalid, or its checksum differs
 */
export async function* unpackFrame(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const hash = (await xxhash()).create64();
  let blocks: Buffer[] = [];
  const decompressor = new Decompress((block) => {
    if (block.length > 0) blocks.push(Buffer.from(block.buffer, block.byteOffset, block.length));
  });
  let held: Buffer | undefined;
  let hasChecksum = false;
  const push = (piece: Buffer, isLast: boolean): readonly Buffer[] => {
    blocks = [];
    decompress(decompressor, piece, isLast);
    for (const block of blocks) hash.update(block);
    return blocks;
  };
  for await (const piece of pieces) {
    if (held === undefined) {
      checkWindow(piece);
      hasChecksum = ((piece[4] as number) & 4) !== 0;
    } else yield* push(held, false);
    held = Buffer.from(piece);
  }
  if (held === undefined) return;
  yield* push(held, true);
  const isWhole = !hasChecksum || (hash.digest() & 0xffffffffn) === BigInt(held.readUInt32LE());
  if (!isWhole) throw new BrokenFrames('its checksum does not fit');
}

function decompress(decompressor: Decompress, piece: Buffer, isLast: boolean): void {
  try {
    decompressor.push(piece, isLast);
  } catch (error) {
    throw new BrokenFrames(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** @throws {BrokenFrames} if the header of a frame asks for a window that is too large, or a dictionary */
function checkWindow(header: Buffer): void {
  const flags = header[4] as number;
  if ((flags & 3) !== 0)
    throw new BrokenFrames('it needs a dictionary; unpack it with: zstd -dc -D DICTIONARY');
  if ((flags & 0x20) !== 0) {
    const size = contentSize(header, flags >> 6);
    if (size > MOST_WINDOW) throw tooLarge(size);
    return;
  }
  const descriptor = header[5] as number;
  const base = 2 ** (10 + (descriptor >> 3));
  const window = base + (base / 8) * (descriptor & 7);
  if (window > MOST_WINDOW) throw tooLarge(window);
}

function contentSize(header: Buffer, flag: number): number {
  const at = 5;
  if (flag === 0) return header[at] as number;
  if (flag === 1) return header.readUInt16LE(at) + 256;
  return flag === 2 ? header.readUInt32LE(at) : Number(header.readBigUInt64LE(at));
}

function tooLarge(window: number): BrokenFrames {
  const megabytes = Math.ceil(window / 1024 / 1024);
  return new BrokenFrames(`it needs a window of ${megabytes} MB; unpack it with: zstd -dc --long=31`);
}
