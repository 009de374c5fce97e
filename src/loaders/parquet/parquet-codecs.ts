import * as zlib from 'node:zlib';
import type { Compressors } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';

/**
 * Decompressors of Parquet pages: those of Node if it has them, because they also read several members of gzip. No
 * decompressor returns more than the length that the page names.
 */
export const codecs: Compressors = {
  ...compressors,
  GZIP: (bytes, length) => zlib.gunzipSync(bytes, { maxOutputLength: Math.max(1, length) }),
  BROTLI: (bytes, length) => zlib.brotliDecompressSync(bytes, { maxOutputLength: Math.max(1, length) }),
  // The library fails on a block without contents.
  LZ4: (bytes, length) => (length === 0 ? new Uint8Array() : (compressors.LZ4 as Codec)(bytes, length)),
  LZ4_RAW: (bytes, length) =>
    length === 0 ? new Uint8Array() : (compressors.LZ4_RAW as Codec)(bytes, length),
};

type Codec = (bytes: Uint8Array, length: number) => Uint8Array;
