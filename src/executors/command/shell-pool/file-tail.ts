import { open } from 'node:fs/promises';
import { pathBytes } from '../../../core/text/encoding.ts';

/** Number of bytes at the end of a file that are read for messages. */
const TAIL = 4096;

/** Returns the end of a file; empty if there is none. */
export async function tailOf(path: string): Promise<Buffer> {
  const file = await open(pathBytes(path), 'r').catch(() => undefined);
  if (file === undefined) return Buffer.alloc(0);
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(TAIL), 0, TAIL, Math.max(0, size - TAIL));
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
