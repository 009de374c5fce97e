import { isAscii } from 'node:buffer';
import { TextDecoder } from 'node:util';
import type { ContentType } from './content-type.ts';

const decoders = new Map<string, TextDecoder>();

/** Number of bytes of HTML in which a charset is searched, as in browsers. */
const SNIFFED = 1024;

/**
 * Decodes a body: by its byte order mark, else the charset of its content type, else the charset that HTML or
 * XML declare, else UTF-8. Invalid bytes become U+FFFD.
 */
export function textOf(body: Buffer, type: ContentType): string {
  const charset = markOf(body) ?? type.charset ?? saidIn(body, type);
  return charset === undefined || charset === 'utf-8' ? utf8(body) : decode(body, charset);
}

function decode(body: Buffer, charset: string): string {
  const decoder = decoderOf(charset);
  if (decoder === undefined) return utf8(body);
  // Without a stream, Node 20 decodes windows-1252 wrongly from 0x80 to 0x9f.
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
    return undefined; // unknown label: decoded as UTF-8
  }
}

/** Returns the encoding of a byte order mark, which decoding removes. */
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
  // If the declaration is readable as Latin-1, the bytes are not UTF-16 (HTML Standard, 13.2.3.2).
  return charset === undefined || /^utf-?16/i.test(charset) ? undefined : charset;
}
