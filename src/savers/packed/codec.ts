import type { Codec } from './contract.ts';

/** Returns the codec of an output by the ending of its name; undefined if it is not packed. */
export async function codecFor(path: string): Promise<Codec | undefined> {
  if (/\.gz$/i.test(path)) return (await import('./gzip-codec.ts')).gzip;
  if (/\.zst$/i.test(path)) return (await import('./zstd-codec.ts')).zstd;
  return undefined;
}

/** Returns the name of an output without the ending of its packing. */
export function unpackedName(path: string): string {
  return path.replace(/\.(?:gz|zst)$/i, '');
}
