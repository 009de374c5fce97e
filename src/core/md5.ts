/*
 * MD5 (RFC 1321) of short texts. Own code, as what a name costs counts in loads of millions: a call of node:crypto takes
 * twice as long, and so does hash-wasm; other libraries take many times as long.
 */

/** Section 3.4: how far each step rotates, four for each of the four rounds. */
const ROTATIONS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];

/** What each of the 64 steps adds, how far it rotates, and which word of the block it takes. */
const ADDENDS = new Int32Array(64);
const TURNS = new Uint8Array(64);
const WORDS = new Uint8Array(64);
for (let i = 0; i < 64; i++) {
  const round = i >>> 4;
  ADDENDS[i] = Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32);
  TURNS[i] = ROTATIONS[round * 4 + (i & 3)] as number;
  WORDS[i] = ([i, 5 * i + 1, 3 * i + 5, 7 * i][round] as number) & 15;
}

const block = new Int32Array(16);
const state = new Int32Array(4);

/**
 * Puts the MD5 of the first `length` bytes of a text into the first 16 of `digest`.
 * @param text with 72 bytes more, which may be written to
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

function addBlock(): void {
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  let d = state[3] as number;
  for (let i = 0; i < 64; i++) {
    let mixed: number;
    if (i < 16) mixed = d ^ (b & (c ^ d));
    else if (i < 32) mixed = c ^ (d & (b ^ c));
    else if (i < 48) mixed = b ^ c ^ d;
    else mixed = c ^ (b | ~d);
    const sum =
      (((a + mixed) | 0) + (((block[WORDS[i] as number] as number) + (ADDENDS[i] as number)) | 0)) | 0;
    const turn = TURNS[i] as number;
    a = d;
    d = c;
    c = b;
    b = (b + ((sum << turn) | (sum >>> (32 - turn)))) | 0;
  }
  state[0] = (state[0] as number) + a;
  state[1] = (state[1] as number) + b;
  state[2] = (state[2] as number) + c;
  state[3] = (state[3] as number) + d;
}
