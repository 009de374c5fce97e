/*
 * MD5 (RFC 1321) of short texts. This is our own code because a load names millions of tasks: a call of
 * node:crypto or of hash-wasm takes twice as long, and other libraries take many times as long.
 */

const block = new Int32Array(16);
const state = new Int32Array(4);

/**
 * Writes the MD5 of the first `length` bytes of a text to the first 16 bytes of `digest`.
 * @param text has at least 72 more bytes, which may be overwritten
 */
export function md5(text: DataView, length: number, digest: DataView): void {
  const end = (length + 8 + 64) & ~63;
  text.setUint8(length, 0x80);
  for (let i = length + 1; i < end - 8; i++) text.setUint8(i, 0);
  text.setUint32(end - 8, length << 3, true);
  text.setUint32(end - 4, length >>> 29, true);
  state[0] = 0x67452301;
  state[1] = 0xefcdab89;
  state[2] = 0x98badcfe;
  state[3] = 0x10325476;
  for (let at = 0; at < end; at += 64) {
    for (let i = 0; i < 16; i++) block[i] = text.getInt32(at + i * 4, true);
    addBlock();
  }
  for (let i = 0; i < 4; i++) digest.setInt32(i * 4, state[i] as number, true);
}

/*
 * The four rounds of section 3.4, in the steps of the RFC; a version with tables and a loop takes a third more
 * time. There are four functions because V8 inlines `step` only a limited number of times in one function.
 */

function addBlock(): void {
  const [a, b, c, d] = [state[0], state[1], state[2], state[3]] as [number, number, number, number];
  round1();
  round2();
  round3();
  round4();
  state[0] = (state[0] as number) + a;
  state[1] = (state[1] as number) + b;
  state[2] = (state[2] as number) + c;
  state[3] = (state[3] as number) + d;
}

/**
 * Returns the new value of the variable that a step changes.
 * @param sum its old value plus all that the step adds
 */
function step(sum: number, bits: number, next: number): number {
  const word = sum | 0;
  return (((word << bits) | (word >>> (32 - bits))) + next) | 0;
}

function round1(): void {
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  let d = state[3] as number;
  a = step(a + (block[0] as number) - 0x28955b88 + (d ^ (b & (c ^ d))), 7, b);
  d = step(d + (block[1] as number) - 0x173848aa + (c ^ (a & (b ^ c))), 12, a);
  c = step(c + (block[2] as number) + 0x242070db + (b ^ (d & (a ^ b))), 17, d);
  b = step(b + (block[3] as number) - 0x3e423112 + (a ^ (c & (d ^ a))), 22, c);
  a = step(a + (block[4] as number) - 0x0a83f051 + (d ^ (b & (c ^ d))), 7, b);
  d = step(d + (block[5] as number) + 0x4787c62a + (c ^ (a & (b ^ c))), 12, a);
  c = step(c + (block[6] as number) - 0x57cfb9ed + (b ^ (d & (a ^ b))), 17, d);
  b = step(b + (block[7] as number) - 0x02b96aff + (a ^ (c & (d ^ a))), 22, c);
  a = step(a + (block[8] as number) + 0x698098d8 + (d ^ (b & (c ^ d))), 7, b);
  d = step(d + (block[9] as number) - 0x74bb0851 + (c ^ (a & (b ^ c))), 12, a);
  c = step(c + (block[10] as number) - 0x0000a44f + (b ^ (d & (a ^ b))), 17, d);
  b = step(b + (block[11] as number) - 0x76a32842 + (a ^ (c & (d ^ a))), 22, c);
  a = step(a + (block[12] as number) + 0x6b901122 + (d ^ (b & (c ^ d))), 7, b);
  d = step(d + (block[13] as number) - 0x02678e6d + (c ^ (a & (b ^ c))), 12, a);
  c = step(c + (block[14] as number) - 0x5986bc72 + (b ^ (d & (a ^ b))), 17, d);
  b = step(b + (block[15] as number) + 0x49b40821 + (a ^ (c & (d ^ a))), 22, c);
  state[0] = a;
  state[1] = b;
  state[2] = c;
  state[3] = d;
}

function round2(): void {
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  let d = state[3] as number;
  a = step(a + (block[1] as number) - 0x09e1da9e + (c ^ (d & (b ^ c))), 5, b);
  d = step(d + (block[6] as number) - 0x3fbf4cc0 + (b ^ (c & (a ^ b))), 9, a);
  c = step(c + (block[11] as number) + 0x265e5a51 + (a ^ (b & (d ^ a))), 14, d);
  b = step(b + (block[0] as number) - 0x16493856 + (d ^ (a & (c ^ d))), 20, c);
  a = step(a + (block[5] as number) - 0x29d0efa3 + (c ^ (d & (b ^ c))), 5, b);
  d = step(d + (block[10] as number) + 0x02441453 + (b ^ (c & (a ^ b))), 9, a);
  c = step(c + (block[15] as number) - 0x275e197f + (a ^ (b & (d ^ a))), 14, d);
  b = step(b + (block[4] as number) - 0x182c0438 + (d ^ (a & (c ^ d))), 20, c);
  a = step(a + (block[9] as number) + 0x21e1cde6 + (c ^ (d & (b ^ c))), 5, b);
  d = step(d + (block[14] as number) - 0x3cc8f82a + (b ^ (c & (a ^ b))), 9, a);
  c = step(c + (block[3] as number) - 0x0b2af279 + (a ^ (b & (d ^ a))), 14, d);
  b = step(b + (block[8] as number) + 0x455a14ed + (d ^ (a & (c ^ d))), 20, c);
  a = step(a + (block[13] as number) - 0x561c16fb + (c ^ (d & (b ^ c))), 5, b);
  d = step(d + (block[2] as number) - 0x03105c08 + (b ^ (c & (a ^ b))), 9, a);
  c = step(c + (block[7] as number) + 0x676f02d9 + (a ^ (b & (d ^ a))), 14, d);
  b = step(b + (block[12] as number) - 0x72d5b376 + (d ^ (a & (c ^ d))), 20, c);
  state[0] = a;
  state[1] = b;
  state[2] = c;
  state[3] = d;
}

function round3(): void {
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  let d = state[3] as number;
  a = step(a + (block[5] as number) - 0x0005c6be + (b ^ c ^ d), 4, b);
  d = step(d + (block[8] as number) - 0x788e097f + (a ^ b ^ c), 11, a);
  c = step(c + (block[11] as number) + 0x6d9d6122 + (d ^ a ^ b), 16, d);
  b = step(b + (block[14] as number) - 0x021ac7f4 + (c ^ d ^ a), 23, c);
  a = step(a + (block[1] as number) - 0x5b4115bc + (b ^ c ^ d), 4, b);
  d = step(d + (block[4] as number) + 0x4bdecfa9 + (a ^ b ^ c), 11, a);
  c = step(c + (block[7] as number) - 0x0944b4a0 + (d ^ a ^ b), 16, d);
  b = step(b + (block[10] as number) - 0x41404390 + (c ^ d ^ a), 23, c);
  a = step(a + (block[13] as number) + 0x289b7ec6 + (b ^ c ^ d), 4, b);
  d = step(d + (block[0] as number) - 0x155ed806 + (a ^ b ^ c), 11, a);
  c = step(c + (block[3] as number) - 0x2b10cf7b + (d ^ a ^ b), 16, d);
  b = step(b + (block[6] as number) + 0x04881d05 + (c ^ d ^ a), 23, c);
  a = step(a + (block[9] as number) - 0x262b2fc7 + (b ^ c ^ d), 4, b);
  d = step(d + (block[12] as number) - 0x1924661b + (a ^ b ^ c), 11, a);
  c = step(c + (block[15] as number) + 0x1fa27cf8 + (d ^ a ^ b), 16, d);
  b = step(b + (block[2] as number) - 0x3b53a99b + (c ^ d ^ a), 23, c);
  state[0] = a;
  state[1] = b;
  state[2] = c;
  state[3] = d;
}

function round4(): void {
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  let d = state[3] as number;
  a = step(a + (block[0] as number) - 0x0bd6ddbc + (c ^ (b | ~d)), 6, b);
  d = step(d + (block[7] as number) + 0x432aff97 + (b ^ (a | ~c)), 10, a);
  c = step(c + (block[14] as number) - 0x546bdc59 + (a ^ (d | ~b)), 15, d);
  b = step(b + (block[5] as number) - 0x036c5fc7 + (d ^ (c | ~a)), 21, c);
  a = step(a + (block[12] as number) + 0x655b59c3 + (c ^ (b | ~d)), 6, b);
  d = step(d + (block[3] as number) - 0x70f3336e + (b ^ (a | ~c)), 10, a);
  c = step(c + (block[10] as number) - 0x00100b83 + (a ^ (d | ~b)), 15, d);
  b = step(b + (block[1] as number) - 0x7a7ba22f + (d ^ (c | ~a)), 21, c);
  a = step(a + (block[8] as number) + 0x6fa87e4f + (c ^ (b | ~d)), 6, b);
  d = step(d + (block[15] as number) - 0x01d31920 + (b ^ (a | ~c)), 10, a);
  c = step(c + (block[6] as number) - 0x5cfebcec + (a ^ (d | ~b)), 15, d);
  b = step(b + (block[13] as number) + 0x4e0811a1 + (d ^ (c | ~a)), 21, c);
  a = step(a + (block[4] as number) - 0x08ac817e + (c ^ (b | ~d)), 6, b);
  d = step(d + (block[11] as number) - 0x42c50dcb + (b ^ (a | ~c)), 10, a);
  c = step(c + (block[2] as number) + 0x2ad7d2bb + (a ^ (d | ~b)), 15, d);
  b = step(b + (block[9] as number) - 0x14792c6f + (d ^ (c | ~a)), 21, c);
  state[0] = a;
  state[1] = b;
  state[2] = c;
  state[3] = d;
}
