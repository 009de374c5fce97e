/* MD5 (RFC 1321), in the steps of the RFC; the same algorithm as `src/core/ids/md5.ts`. */

let a0: u32 = 0;
let b0: u32 = 0;
let c0: u32 = 0;
let d0: u32 = 0;

/** Writes the MD5 of the text from `text` on to the 16 bytes at `digest`. The text has 72 more bytes, which it changes. */
export function md5(text: usize, length: usize, digest: usize): void {
  const end = (length + 8 + 64) & ~63;
  store<u8>(text + length, 0x80);
  memory.fill(text + length + 1, 0, end - 8 - length - 1);
  store<u64>(text + end - 8, (<u64>length) << 3);
  a0 = 0x67452301;
  b0 = 0xefcdab89;
  c0 = 0x98badcfe;
  d0 = 0x10325476;
  for (let at = text; at < text + end; at += 64) addBlock(at);
  store<u32>(digest, a0);
  store<u32>(digest + 4, b0);
  store<u32>(digest + 8, c0);
  store<u32>(digest + 12, d0);
}

function step(sum: u32, bits: u32, next: u32): u32 {
  return rotl<u32>(sum, bits) + next;
}

function addBlock(at: usize): void {
  let a = a0;
  let b = b0;
  let c = c0;
  let d = d0;
  a = step(a + load<u32>(at, 0) - 0x28955b88 + (d ^ (b & (c ^ d))), 7, b);
  d = step(d + load<u32>(at, 4) - 0x173848aa + (c ^ (a & (b ^ c))), 12, a);
  c = step(c + load<u32>(at, 8) + 0x242070db + (b ^ (d & (a ^ b))), 17, d);
  b = step(b + load<u32>(at, 12) - 0x3e423112 + (a ^ (c & (d ^ a))), 22, c);
  a = step(a + load<u32>(at, 16) - 0x0a83f051 + (d ^ (b & (c ^ d))), 7, b);
  d = step(d + load<u32>(at, 20) + 0x4787c62a + (c ^ (a & (b ^ c))), 12, a);
  c = step(c + load<u32>(at, 24) - 0x57cfb9ed + (b ^ (d & (a ^ b))), 17, d);
  b = step(b + load<u32>(at, 28) - 0x02b96aff + (a ^ (c & (d ^ a))), 22, c);
  a = step(a + load<u32>(at, 32) + 0x698098d8 + (d ^ (b & (c ^ d))), 7, b);
  d = step(d + load<u32>(at, 36) - 0x74bb0851 + (c ^ (a & (b ^ c))), 12, a);
  c = step(c + load<u32>(at, 40) - 0x0000a44f + (b ^ (d & (a ^ b))), 17, d);
  b = step(b + load<u32>(at, 44) - 0x76a32842 + (a ^ (c & (d ^ a))), 22, c);
  a = step(a + load<u32>(at, 48) + 0x6b901122 + (d ^ (b & (c ^ d))), 7, b);
  d = step(d + load<u32>(at, 52) - 0x02678e6d + (c ^ (a & (b ^ c))), 12, a);
  c = step(c + load<u32>(at, 56) - 0x5986bc72 + (b ^ (d & (a ^ b))), 17, d);
  b = step(b + load<u32>(at, 60) + 0x49b40821 + (a ^ (c & (d ^ a))), 22, c);
  a = step(a + load<u32>(at, 4) - 0x09e1da9e + (c ^ (d & (b ^ c))), 5, b);
  d = step(d + load<u32>(at, 24) - 0x3fbf4cc0 + (b ^ (c & (a ^ b))), 9, a);
  c = step(c + load<u32>(at, 44) + 0x265e5a51 + (a ^ (b & (d ^ a))), 14, d);
  b = step(b + load<u32>(at, 0) - 0x16493856 + (d ^ (a & (c ^ d))), 20, c);
  a = step(a + load<u32>(at, 20) - 0x29d0efa3 + (c ^ (d & (b ^ c))), 5, b);
  d = step(d + load<u32>(at, 40) + 0x02441453 + (b ^ (c & (a ^ b))), 9, a);
  c = step(c + load<u32>(at, 60) - 0x275e197f + (a ^ (b & (d ^ a))), 14, d);
  b = step(b + load<u32>(at, 16) - 0x182c0438 + (d ^ (a & (c ^ d))), 20, c);
  a = step(a + load<u32>(at, 36) + 0x21e1cde6 + (c ^ (d & (b ^ c))), 5, b);
  d = step(d + load<u32>(at, 56) - 0x3cc8f82a + (b ^ (c & (a ^ b))), 9, a);
  c = step(c + load<u32>(at, 12) - 0x0b2af279 + (a ^ (b & (d ^ a))), 14, d);
  b = step(b + load<u32>(at, 32) + 0x455a14ed + (d ^ (a & (c ^ d))), 20, c);
  a = step(a + load<u32>(at, 52) - 0x561c16fb + (c ^ (d & (b ^ c))), 5, b);
  d = step(d + load<u32>(at, 8) - 0x03105c08 + (b ^ (c & (a ^ b))), 9, a);
  c = step(c + load<u32>(at, 28) + 0x676f02d9 + (a ^ (b & (d ^ a))), 14, d);
  b = step(b + load<u32>(at, 48) - 0x72d5b376 + (d ^ (a & (c ^ d))), 20, c);
  a = step(a + load<u32>(at, 20) - 0x0005c6be + (b ^ c ^ d), 4, b);
  d = step(d + load<u32>(at, 32) - 0x788e097f + (a ^ b ^ c), 11, a);
  c = step(c + load<u32>(at, 44) + 0x6d9d6122 + (d ^ a ^ b), 16, d);
  b = step(b + load<u32>(at, 56) - 0x021ac7f4 + (c ^ d ^ a), 23, c);
  a = step(a + load<u32>(at, 4) - 0x5b4115bc + (b ^ c ^ d), 4, b);
  d = step(d + load<u32>(at, 16) + 0x4bdecfa9 + (a ^ b ^ c), 11, a);
  c = step(c + load<u32>(at, 28) - 0x0944b4a0 + (d ^ a ^ b), 16, d);
  b = step(b + load<u32>(at, 40) - 0x41404390 + (c ^ d ^ a), 23, c);
  a = step(a + load<u32>(at, 52) + 0x289b7ec6 + (b ^ c ^ d), 4, b);
  d = step(d + load<u32>(at, 0) - 0x155ed806 + (a ^ b ^ c), 11, a);
  c = step(c + load<u32>(at, 12) - 0x2b10cf7b + (d ^ a ^ b), 16, d);
  b = step(b + load<u32>(at, 24) + 0x04881d05 + (c ^ d ^ a), 23, c);
  a = step(a + load<u32>(at, 36) - 0x262b2fc7 + (b ^ c ^ d), 4, b);
  d = step(d + load<u32>(at, 48) - 0x1924661b + (a ^ b ^ c), 11, a);
  c = step(c + load<u32>(at, 60) + 0x1fa27cf8 + (d ^ a ^ b), 16, d);
  b = step(b + load<u32>(at, 8) - 0x3b53a99b + (c ^ d ^ a), 23, c);
  a = step(a + load<u32>(at, 0) - 0x0bd6ddbc + (c ^ (b | ~d)), 6, b);
  d = step(d + load<u32>(at, 28) + 0x432aff97 + (b ^ (a | ~c)), 10, a);
  c = step(c + load<u32>(at, 56) - 0x546bdc59 + (a ^ (d | ~b)), 15, d);
  b = step(b + load<u32>(at, 20) - 0x036c5fc7 + (d ^ (c | ~a)), 21, c);
  a = step(a + load<u32>(at, 48) + 0x655b59c3 + (c ^ (b | ~d)), 6, b);
  d = step(d + load<u32>(at, 12) - 0x70f3336e + (b ^ (a | ~c)), 10, a);
  c = step(c + load<u32>(at, 40) - 0x00100b83 + (a ^ (d | ~b)), 15, d);
  b = step(b + load<u32>(at, 4) - 0x7a7ba22f + (d ^ (c | ~a)), 21, c);
  a = step(a + load<u32>(at, 32) + 0x6fa87e4f + (c ^ (b | ~d)), 6, b);
  d = step(d + load<u32>(at, 60) - 0x01d31920 + (b ^ (a | ~c)), 10, a);
  c = step(c + load<u32>(at, 24) - 0x5cfebcec + (a ^ (d | ~b)), 15, d);
  b = step(b + load<u32>(at, 52) + 0x4e0811a1 + (d ^ (c | ~a)), 21, c);
  a = step(a + load<u32>(at, 16) - 0x08ac817e + (c ^ (b | ~d)), 6, b);
  d = step(d + load<u32>(at, 44) - 0x42c50dcb + (b ^ (a | ~c)), 10, a);
  c = step(c + load<u32>(at, 8) + 0x2ad7d2bb + (a ^ (d | ~b)), 15, d);
  b = step(b + load<u32>(at, 36) - 0x14792c6f + (d ^ (c | ~a)), 21, c);
  a0 += a;
  b0 += b;
  c0 += c;
  d0 += d;
}
