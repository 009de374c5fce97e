import type { Readable } from 'node:stream';

/**
 * Lets a stream emit at most one chunk in each turn of the event loop. A program that floods its output would otherwise
 * keep timers and signals waiting: libuv reads up to 32 chunks at once.
 */
export function paceReading(stream: Readable): void {
  const resume = (): void => void stream.resume();
  stream.on('data', () => {
    stream.pause();
    setImmediate(resume);
  });
}

/** Reads a stream as `paceReading` does, for a loop. */
export async function* pacedChunks(stream: Readable): AsyncGenerator<Buffer> {
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    yield chunk;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
