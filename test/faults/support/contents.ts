import { existsSync, readFileSync } from 'node:fs';
import * as zlib from 'node:zlib';
import { Decompress } from 'fzstd';

/**
 * Returns the text of a file, unpacked by other code than the savers use; for a torn end, the part that can be
 * unpacked. A missing file has no text.
 */
export function contentsOf(path: string): string {
  if (!existsSync(path)) return '';
  const bytes = readFileSync(path);
  if (/\.rest\./.test(path) || !/\.(?:gz|zst)/.test(path)) return bytes.toString();
  return path.includes('.gz') ? ungzipped(bytes) : unzstd(bytes);
}

function ungzipped(bytes: Buffer): string {
  try {
    return zlib.gunzipSync(bytes, { finishFlush: zlib.constants.Z_SYNC_FLUSH }).toString();
  } catch {
    // A torn header after whole members: leave out its start, which is the last member's.
    const last = bytes.lastIndexOf(Buffer.from('1f8b0804', 'hex'));
    return last <= 0 ? '' : ungzipped(bytes.subarray(0, last));
  }
}

function unzstd(bytes: Buffer): string {
  const parts: Uint8Array[] = [];
  const decompressor = (): Decompress => new Decompress((part) => parts.push(part));
  // Each frame is unpacked separately; the frames between them are skipped.
  const frames = [...bytes.toString('latin1').matchAll(/\x28\xb5\x2f\xfd/g)].map(({ index }) => index);
  frames.forEach((start, i) => {
    try {
      decompressor().push(bytes.subarray(start, frames[i + 1]), false);
    } catch {} // torn
  });
  return Buffer.concat(parts).toString();
}
