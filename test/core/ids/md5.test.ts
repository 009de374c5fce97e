import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { md5 } from '../../../src/core/ids/md5.ts';

test('md5 equals node:crypto for every length up to 300 bytes and ignores trailing bytes', () => {
  const digest = Buffer.alloc(16);
  const view = new DataView(digest.buffer, digest.byteOffset, 16);
  for (let length = 0; length <= 300; length++) {
    const text = Buffer.alloc(length + 72, 0xff);
    for (let i = 0; i < length; i++) text[i] = (i * 151 + length * 37) & 0xff;
    const expected = createHash('md5').update(text.subarray(0, length)).digest('hex');
    md5(new DataView(text.buffer, text.byteOffset, text.length), length, view);
    expect(digest.toString('hex'), `${length} bytes`).toBe(expected);
  }
});
