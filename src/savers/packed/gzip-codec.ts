import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import type { Codec } from './contract.ts';

const deflate = promisify(zlib.deflateRaw);
const gunzip = promisify(zlib.gunzip);

/*
 * A member of gzip (RFC 1952) whose header has an extra field, `TP`, with the lengths of the member and of its
 * contents. Other programs skip the field. With it, a start finds all members without unpacking them.
 */

/** Magic, deflate, FEXTRA, no time, no level, unknown system, and an extra field of 12 bytes: `TP`, 8 bytes. */
const START = Buffer.from('1f8b08040000000000ff0c0054500800', 'hex');
const HEAD = START.length + 8;

export const gzip: Codec = {
  name: 'gzip',
  tool: 'gzip -dc',
  start: START,
  headLength: HEAD,
  async pack(bytes) {
    const data = await deflate(bytes);
    const head = Buffer.concat([START, Buffer.alloc(8)]);
    head.writeUInt32LE(HEAD + data.length + 8, START.length);
    head.writeUInt32LE(bytes.length, START.length + 4);
    const tail = Buffer.alloc(8);
    tail.writeUInt32LE(zlib.crc32(bytes), 0);
    tail.writeUInt32LE(bytes.length, 4);
    return Buffer.concat([head, data, tail]);
  },
  unpack: (member) => gunzip(member),
  lengthsIn(head) {
    if (head.length < HEAD || !head.subarray(0, START.length).equals(START)) return undefined;
    return { packed: head.readUInt32LE(START.length), plain: head.readUInt32LE(START.length + 4) };
  },
};
