import { isAscii } from 'node:buffer';
import { TextDecoder } from 'node:util';
import type { ContentType } from './content-type.ts';

const decoders = new Map<string, TextDecoder>();

/** How far into HTML its charset is looked for, as browsers do. */
const SNIFFED = 1024;

/**
 * The text of a body: by its byte order mark, else the charset of its content type, else what HTML or XML say of
 * themselves, else as UTF-8. Bytes that are none of a character become U+FFFD.
 */
export function textOf(body: Buffer, type: ContentType): string {
  const charset = markOf(body) ?? type.charset ?? saidIn(body, type);
  return charset === undefined || charset === 'utf-8' ? utf8(body) : decode(body, charset);
}

function decode(body: Buffer, charset: string): string {
  const decoder = decoderOf(charset);
  if (decoder === undefined) return utf8(body);
  // Node 20 takes a short cut for windows-1252, by which 0x80 to 0x9f go wrong, unless it is a stream.
  return decoder.decode(body, { stream: decoder.encoding === 'windows-1252' });
}

function utf8(body: Buffer): string {
  if (isAscii(body)) return body.toString('latin1');
  return body.toString('utf8', body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0);
}

function decoderOf(charset: string): TextDecoder | undefined {
  const known = decoders.get(charset);
  if (known !== undefined) return known;
  try {
    const decoder = new TextDecoder(charset);
    if (decoders.size < 100) decoders.set(charset, decoder);
    return decoder;
  } catch {
    return undefined; // an unknown label: as UTF-8
  }
}

/** The encoding that a byte order mark says; decoding leaves the mark itself out. */
function markOf(body: Buffer): string | undefined {
  if (body.length < 2) return undefined;
  const first = body[0] as number;
  const second = body[1] as number;
  if (first === 0xef && second === 0xbb && body[2] === 0xbf) return 'utf-8';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  return first === 0xff && second === 0xfe ? 'utf-16le' : undefined;
}

function saidIn(body: Buffer, { sniff }: ContentType): string | undefined {
  if (sniff === undefined) return undefined;
  const head = body.toString('latin1', 0, SNIFFED);
  const charset =
    sniff === 'html'
      ? /<meta[^>]+?charset\s*=\s*["']?\s*([^\s"'/>;]+)/i.exec(head)?.[1]
      : /^\s*<\?xml[^>]*?encoding\s*=\s*["']([^"']+)/i.exec(head)?.[1];
  // Where this could be read, the bytes are no UTF-16 (HTML Standard, 13.2.3.2).
  return charset === undefined || /^utf-?16/i.test(charset) ? undefined : charset;
}
