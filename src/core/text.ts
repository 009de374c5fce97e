import { isAscii, isUtf8 } from 'node:buffer';
import { createRequire } from 'node:module';

/*
 * Bytes that are no UTF-8 become lone surrogates U+DC80 to U+DCFF, one a byte, as in Python's "surrogateescape"
 * (PEP 383). So a bad line can be told (`isWellFormed()` is false, which no decoded UTF-8 can be), shown, and kept
 * with the bytes it had.
 */

/** Decodes whole UTF-8 text; a byte that is none becomes a lone surrogate. */
export function decodeUtf8(bytes: Buffer): string {
  if (isAscii(bytes)) return bytes.toString('latin1');
  return isUtf8(bytes) ? bytes.toString() : decodeBroken(bytes);
}

/** Into one buffer: a string for each byte that is wrong would take a hundred times the room of 16 MB of them. */
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

/** How many bytes a UTF-8 sequence has by its first one; 0 for a byte that can't be first. */
function sequenceLength(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}

/** The bytes that `decodeUtf8` made this text of. */
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
    else if (isSurrogate(code)) {
      addGood(i);
      bytes[end++] = code & 0xff;
      good = i + 1;
    }
  }
  addGood(text.length);
  return bytes.subarray(0, end);
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff;
}

/** The beginning of a file as text, to be looked at: UTF-16 where its byte order mark says so, without the mark. */
export function decodeStart(bytes: Buffer): string {
  const mark = bytes.length < 2 ? 0 : bytes.readUInt16BE(0);
  const pairs = bytes.subarray(0, bytes.length - (bytes.length % 2));
  let text: string;
  if (mark === 0xfffe) text = pairs.toString('utf16le');
  else if (mark === 0xfeff) text = Buffer.from(pairs).swap16().toString('utf16le');
  else text = bytes.toString();
  return text.startsWith(BOM) ? text.slice(1) : text;
}

/** How many bytes at the end of a chunk begin a UTF-8 sequence that the next chunk may complete: 0 to 3. */
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
/** Loaded when it is needed: few files are not UTF-8. */
const iconv = (): Iconv => createRequire(import.meta.url)('iconv-lite') as Iconv;

/** Whether an encoding is known by this name, as in `gbk`, `shift_jis` or `windows-1252`. */
export function isEncoding(name: string): boolean {
  return iconv().encodingExists(name);
}

function isUtf8Label(name: string): boolean {
  return /^utf-?8$/i.test(name);
}

/** Decodes bytes as they come: a leading byte order mark is left out, and one of UTF-16 (little or big endian) is obeyed. */
export interface ChunkDecoder {
  /** The text that these bytes complete. */
  push(bytes: Buffer): string;
  /** The text that is left. */
  end(): string;
}

/**
 * @param encoding a name that iconv-lite knows, as in `gbk`; default UTF-8. Bytes that other encodings
 *   than UTF-8 can't decode become U+FFFD.
 */
export function chunkDecoder(encoding?: string): ChunkDecoder {
  const label = encoding === undefined || isUtf8Label(encoding) ? 'utf-8' : encoding;
  let decode: ((bytes: Buffer, last: boolean) => string) | undefined;
  let isStart = true;
  let early = Buffer.alloc(0);
  const textOf = (bytes: Buffer, last: boolean): string => {
    if (decode === undefined) {
      early = Buffer.concat([early, bytes]);
      if (early.length < 2 && !last) return ''; // too short to tell a byte order mark
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

/** Decodes chunks of bytes as they come: see `chunkDecoder`. */
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
  const mark = first.length < 2 ? 0 : first.readUInt16BE(0);
  const utf16 = mark === 0xfffe ? 'utf-16le' : mark === 0xfeff ? 'utf-16be' : undefined;
  if (label !== 'utf-8' || utf16 !== undefined) {
    const decoder = iconv().getDecoder(utf16 ?? label, { stripBOM: false });
    return (bytes, last) => decoder.write(bytes) + (last ? (decoder.end() ?? '') : '');
  }
  let kept = Buffer.alloc(0);
  return (bytes, last) => {
    const all = kept.length === 0 ? bytes : Buffer.concat([kept, bytes]);
    const tail = last ? 0 : openTail(all);
    kept = Buffer.from(all.subarray(all.length - tail));
    return decodeUtf8(tail === 0 ? all : all.subarray(0, all.length - tail));
  };
}

/** U+FFFD: what stands for bytes that are none of a character in an encoding other than UTF-8. */
export const REPLACEMENT = '\ufffd';

/** Bytes in another encoding as UTF-8; bytes that have no `encoding` as they are. */
export async function* recoded(chunks: AsyncIterable<Buffer>, encoding?: string): AsyncGenerator<Buffer> {
  if (encoding === undefined) yield* chunks;
  else for await (const text of decodeText(chunks, encoding)) yield Buffer.from(text);
}

/** The bytes of a long text in UTF-8: in half the time where, as mostly, it is all ASCII. */
export function utf8Of(text: string): Buffer {
  return Buffer.from(text, Buffer.byteLength(text) === text.length ? 'latin1' : 'utf8');
}
