import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { Zstd } from '@hpcc-js/wasm-zstd';
import type { Codec } from './contract.ts';

/*
 * A member of zstd (RFC 8878): a frame to skip, with the lengths of the member and of its contents and their
 * checksum, and a frame of data. Node has zstd from 22.15 on; before that libzstd runs as WebAssembly.
 */

type Convert = (bytes: Buffer) => Promise<Buffer>;
type Zlib = { zstdCompress?: (bytes: Buffer, then: (error: Error | null, made: Buffer) => void) => void };

const native = zlib as Zlib & { zstdDecompress?: Zlib['zstdCompress'] };

const compress: Convert = native.zstdCompress
  ? promisify<Buffer, Buffer>(native.zstdCompress)
  : async (bytes) => Buffer.from((await Zstd.load()).compress(bytes));
const decompress: Convert = native.zstdDecompress
  ? promisify<Buffer, Buffer>(native.zstdDecompress)
  : async (bytes) => Buffer.from((await Zstd.load()).decompress(bytes));

/** Magic of a frame to skip, its length of 16 bytes, and `TP` with a version. */
const START = Buffer.from('5e2a4d181000000054500001', 'hex');
const HEAD = START.length + 12;

export const zstd: Codec = {
  name: 'zstd',
  tool: 'zstd -dc',
  start: START,
  headLength: HEAD,
  async pack(bytes) {
    const data = await compress(bytes);
    const head = Buffer.concat([START, Buffer.alloc(12)]);
    head.writeUInt32LE(HEAD + data.length, START.length);
    head.writeUInt32LE(bytes.length, START.length + 4);
    head.writeUInt32LE(zlib.crc32(bytes), START.length + 8);
    return Buffer.concat([head, data]);
  },
  async unpack(member) {
    const bytes = await decompress(member.subarray(HEAD));
    if (zlib.crc32(bytes) !== member.readUInt32LE(START.length + 8)) throw new Error('its checksum differs');
    return bytes;
  },
  lengthsIn(head) {
    if (head.length < HEAD || !head.subarray(0, START.length).equals(START)) return undefined;
    return { packed: head.readUInt32LE(START.length), plain: head.readUInt32LE(START.length + 4) };
  },
};
