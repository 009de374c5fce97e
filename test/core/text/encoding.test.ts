import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeStart, decodeText, decodeUtf8, encodeUtf8, recoded } from '../../../src/core/text/encoding.ts';

async function* cut(bytes: Buffer, length: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

async function decoded(bytes: Buffer, length: number, encoding?: string): Promise<string> {
  let text = '';
  for await (const piece of decodeText(cut(bytes, length), encoding)) text += piece;
  return text;
}

test('decoding and encoding return the same bytes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 50 }),
      fc.integer({ min: 1, max: 7 }),
      async (array, length) => {
        const bytes = Buffer.from(array);
        expect(encodeUtf8(decodeUtf8(bytes))).toEqual(bytes);
        if (array[0] === 0xef || array[0] === 0xfe || array[0] === 0xff) return; // may be a byte order mark
        expect(encodeUtf8(await decoded(bytes, length))).toEqual(bytes);
      },
    ),
    { numRuns: 2000 },
  );
});

test('text is decoded wherever chunks are cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'grapheme' }),
      fc.integer({ min: 1, max: 7 }),
      async (text, length) => {
        expect(await decoded(Buffer.from(text), length)).toBe(text.replace(/^\ufeff/, ''));
        expect(await decoded(Buffer.from(`\ufeff${text}`), length)).toBe(text);
      },
    ),
  );
});

test('a UTF-16 byte order mark selects the byte order', async () => {
  const little = Buffer.from('\ufeffé,x\n', 'utf16le');
  expect(await decoded(little, 3)).toBe('é,x\n');
  expect(await decoded(Buffer.from(little).swap16(), 3)).toBe('é,x\n');
});

test('a character of four bytes in UTF-16 and UTF-32 is whole in UTF-8, wherever chunks are cut', async () => {
  const text = 'a😀é\u{1f480}\u{10ffff}b';
  const little = Buffer.from(`\ufeff${text}`, 'utf16le');
  const wide = Buffer.alloc(4 * 7);
  for (const [i, sign] of [...`\ufeff${text}`].entries())
    wide.writeUInt32LE(sign.codePointAt(0) as number, 4 * i);
  for (const bytes of [little, Buffer.from(little).swap16(), wide, Buffer.from(wide).swap32()]) {
    for (let length = 1; length <= bytes.length; length++) {
      const pieces: Buffer[] = [];
      for await (const piece of recoded(cut(bytes, length))) pieces.push(piece);
      expect(Buffer.concat(pieces).toString()).toBe(text);
    }
  }
});

test('half of a pair at the end of UTF-16 is kept as it is', async () => {
  expect(await decoded(Buffer.from('\ufeffa\ud83d', 'utf16le'), 3)).toBe('a\ud83d');
});

test('other encodings are decoded by their label', async () => {
  expect(await decoded(Buffer.of(0xd6, 0xd0, 0xce, 0xc4), 1, 'gbk')).toBe('中文');
  expect(await decoded(Buffer.of(0x61, 0xff, 0x0a, 0x62), 1, 'gbk')).toContain('\ufffd');
  const cesu = Buffer.from('eda0bdedb8800a', 'hex');
  expect(await decoded(cesu, 1, 'cesu8')).toBe('😀\n');
});

test('the start of a file is decoded without its byte order mark, also in UTF-16', () => {
  const little = Buffer.from('\ufeff{"é"', 'utf16le');
  expect(decodeStart(Buffer.from('\ufeff{"é"'))).toBe('{"é"');
  expect(decodeStart(little)).toBe('{"é"');
  expect(decodeStart(Buffer.from(little).swap16())).toBe('{"é"');
  expect(decodeStart(little.subarray(0, 5))).toBe('{');
});
