import { isAscii, isUtf8 } from 'node:buffer';
import { createRequire } from 'node:module';

/*
 * Invalid UTF-8 bytes become lone surrogates U+DC80 to U+DCFF, one for each byte, as in Python's
 * "surrogateescape" (PEP 383). So a bad line can be detected (`isWellFormed()` is false, which it never is
 * for valid UTF-8), shown, and kept with its original bytes.
 */

/** Decodes whole UTF-8 text; an invalid byte becomes a lone surrogate. */
export function decodeUtf8(bytes: Buffer): string {
  if (isAscii(bytes)) return bytes.toString('latin1');
  return isUtf8(bytes) ? bytes.toString() : decodeBroken(bytes);
}

/**
 * Decodes into one buffer: for 16 MB of invalid bytes, a string for each would take a hundred times their
 * memory.
 */
function decodeBroken(bytes: Buffer): string {
  const units = Buffer.allocUnsafe(bytes.length * 2);
  let end = 0;
  let good = 0;
  const addGood = (to: number): void => {
    if (to > good) end += units.write(bytes.toString('utf8', good, to), end, 'utf16le');
  };
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes[i] as number);
    if (length === 1 || (length > 1 && isUtf8(bytes.subarray(i, i + length)))) {
      i += length;
      continue;
    }
    addGood(i);
    end = units.writeUInt16LE(0xdc00 + (bytes[i] as number), end);
    good = ++i;
  }
  addGood(bytes.length);
  return units.toString('utf16le', 0, end);
}

/** Returns the length of a UTF-8 sequence by its first byte; 0 if no sequence begins with that byte. */
function sequenceLength(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}

/** Returns the bytes from which `decodeUtf8` made a text. Any other half of a surrogate pair becomes U+FFFD. */
export function encodeUtf8(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  const bytes = Buffer.allocUnsafe(Buffer.byteLength(text));
  let end = 0;
  let good = 0;
  const addGood = (to: number): void => {
    if (to > good) end += bytes.write(text.slice(good, to), end);
  };
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i) as number;
    if (code > 0xffff) i++;
    else if (isEscaped(code)) {
      addGood(i);
      bytes[end++] = code & 0xff;
      good = i + 1;
    }
  }
  addGood(text.length);
  return bytes.subarray(0, end);
}

/** Returns a path whose lone surrogates are bytes in the form that functions of the file system take. */
export function pathBytes(path: string): string | Buffer {
  return path.isWellFormed() ? path : encodeUtf8(path);
}

/**
 * Returns true for a lone surrogate that stands for a byte. It never stands for ASCII, so no text can turn into a
 * quote or a newline.
 */
function isEscaped(code: number): boolean {
  return code >= 0xdc80 && code <= 0xdcff;
}

/** Returns true if a text is what `decodeUtf8` makes of its bytes, so that different texts have different bytes. */
export function hasBytes(text: string): boolean {
  return text.isWellFormed() || decodeUtf8(encodeUtf8(text)) === text;
}

/** Number of bytes from which all encodings can be detected. */
const TELLING = 4;

/**
 * Returns whether the first bytes of a file are too few to detect its encoding. Two bytes are enough if they
 * have no NUL and are not part of a byte order mark, so that a short line need not wait for the next one.
 */
export function needsMoreForEncoding(bytes: Buffer): boolean {
  if (bytes.length >= TELLING) return false;
  return bytes.length < 2 || /[\0\xfe\xff]/.test(bytes.toString('latin1'));
}

/** Detects UTF-16 and UTF-32 by a byte order mark at the beginning of a file. */
export function encodingByMark(bytes: Buffer): string | undefined {
  const [a, b, c, d] = bytes;
  if (a === 0xff && b === 0xfe) return c === 0 && d === 0 ? 'utf-32le' : 'utf-16le';
  if (a === 0xfe && b === 0xff) return 'utf-16be';
  return a === 0 && b === 0 && c === 0xfe && d === 0xff ? 'utf-32be' : undefined;
}

/**
 * Detects UTF-16 and UTF-32 without a mark: the first two characters of CSV and JSON are mostly ASCII (RFC
 * 4627, section 3).
 */
export function encodingByNuls(bytes: Buffer): string | undefined {
  if (bytes.length < TELLING) return undefined;
  const zerosFrom = (at: number): string =>
    Array.from(bytes.subarray(at, at + TELLING), (byte) => (byte === 0 ? '0' : 'x')).join('');
  const zeros = zerosFrom(0);
  // Three zeros may also be a hole that a power loss left: the next character decides.
  if (zeros.includes('000') && zerosFrom(TELLING) === '0000') return undefined;
  return { x0x0: 'utf-16le', '0x0x': 'utf-16be', x000: 'utf-32le', '000x': 'utf-32be' }[zeros];
}

/**
 * Decodes the beginning of a file for inspection, from UTF-8, UTF-16 or UTF-32, without a byte order mark.
 */
export function decodeStart(bytes: Buffer): string {
  const encoding = encodingByMark(bytes) ?? encodingByNuls(bytes);
  if (encoding !== undefined) return iconv().decode(bytes, encoding);
  const text = bytes.toString();
  return text.startsWith(BOM) ? text.slice(1) : text;
}

/**
 * Returns the number of bytes at the end of a chunk that begin a UTF-8 sequence which the next chunk may
 * complete: 0 to 3.
 */
function openTail(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] as number;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return sequenceLength(byte) > back ? back : 0;
  }
  return 0;
}

const BOM = '\ufeff';

type Iconv = typeof import('iconv-lite');
/** Loads the library when it is needed: few files are not UTF-8. */
const iconv = (): Iconv => createRequire(import.meta.url)('iconv-lite') as Iconv;

/** Returns whether a name is that of a known encoding, as in `gbk`, `shift_jis` or `windows-1252`. */
export function isEncoding(name: string): boolean {
  return iconv().encodingExists(name);
}

/** Decodes bytes in an encoding. Invalid bytes become U+FFFD. */
export function decodeAs(bytes: Buffer, encoding: string): string {
  return iconv().decode(bytes, encoding);
}

function isUtf8Label(name: string): boolean {
  return /^utf-?8$/i.test(name);
}

/**
 * Decoder of a stream. It removes a leading byte order mark; a mark of UTF-16 or UTF-32 determines the
 * encoding.
 */
export interface ChunkDecoder {
  /** Returns the text that these bytes complete. */
  push(bytes: Buffer): string;
  /** Ends the input. Returns the rest of the text. */
  end(): string;
}

/**
 * Makes a decoder.
 * @param encoding a name that iconv-lite knows, as in `gbk`; default UTF-8. Invalid bytes in an encoding
 *   other than UTF-8 become U+FFFD.
 */
export function chunkDecoder(encoding?: string): ChunkDecoder {
  const label = encoding === undefined || isUtf8Label(encoding) ? 'utf-8' : encoding;
  let decode: ((bytes: Buffer, last: boolean) => string) | undefined;
  let isStart = true;
  let early = Buffer.alloc(0);
  const textOf = (bytes: Buffer, last: boolean): string => {
    if (decode === undefined) {
      early = Buffer.concat([early, bytes]);
      if (needsMoreForEncoding(early) && !last) return '';
      decode = decoderFor(label, early);
      return decode(early, last);
    }
    return decode(bytes, last);
  };
  const withoutMark = (text: string): string => {
    if (!isStart || text === '') return text;
    isStart = false;
    return text.startsWith(BOM) ? text.slice(1) : text;
  };
  return {
    push: (bytes) => withoutMark(textOf(bytes, false)),
    end: () => withoutMark(textOf(Buffer.alloc(0), true)),
  };
}

/** Decodes a stream of bytes: see `ChunkDecoder`. */
export async function* decodeText(chunks: AsyncIterable<Buffer>, encoding?: string): AsyncGenerator<string> {
  const decoder = chunkDecoder(encoding);
  for await (const chunk of chunks) {
    const text = decoder.push(chunk);
    if (text !== '') yield text;
  }
  const rest = decoder.end();
  if (rest !== '') yield rest;
}

function decoderFor(label: string, first: Buffer): (bytes: Buffer, last: boolean) => string {
  const marked = encodingByMark(first);
  if (label !== 'utf-8' || marked !== undefined) {
    const decoder = iconv().getDecoder(marked ?? label, { stripBOM: false });
    // The decoder of CESU-8 ends with the number 0.
    const rest = (): string => decoder.end() || '';
    // A chunk may end inside a pair. Its text may be encoded before the next chunk comes, so it must be well-formed.
    let half = '';
    return (bytes, last) => {
      const text = half + decoder.write(bytes) + (last ? rest() : '');
      half = last ? '' : (/[\ud800-\udbff]$/.exec(text)?.[0] ?? '');
      return text.slice(0, text.length - half.length);
    };
  }
  let kept = Buffer.alloc(0);
  return (bytes, last) => {
    const all = kept.length === 0 ? bytes : Buffer.concat([kept, bytes]);
    const tail = last ? 0 : openTail(all);
    kept = Buffer.from(all.subarray(all.length - tail));
    return decodeUtf8(tail === 0 ? all : all.subarray(0, all.length - tail));
  };
}

/** U+FFFD: replacement for invalid bytes in an encoding other than UTF-8. */
export const REPLACEMENT = '\ufffd';

/** Converts bytes to UTF-8. Without `encoding`, bytes without a mark of UTF-16 or UTF-32 pass unchanged. */
export async function* recoded(chunks: AsyncIterable<Buffer>, encoding?: string): AsyncGenerator<Buffer> {
  let decoder = encoding === undefined ? undefined : chunkDecoder(encoding);
  let early: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of chunks) {
    let bytes = chunk;
    if (decoder === undefined && early !== undefined) {
      bytes = early.length === 0 ? chunk : Buffer.concat([early, chunk]);
      early = needsMoreForEncoding(bytes) ? bytes : undefined;
      if (early !== undefined) continue;
      if (encodingByMark(bytes) !== undefined) decoder = chunkDecoder();
    }
    yield decoder === undefined ? bytes : encodeUtf8(decoder.push(bytes));
  }
  if (early !== undefined && early.length > 0) yield early;
  if (decoder !== undefined) yield encodeUtf8(decoder.end());
}

/**
 * Returns the bytes of a long text in UTF-8. For ASCII, which most text is, this takes half the time of
 * `Buffer.from`.
 */
export function utf8Of(text: string): Buffer {
  return Buffer.from(text, Buffer.byteLength(text) === text.length ? 'latin1' : 'utf8');
}
