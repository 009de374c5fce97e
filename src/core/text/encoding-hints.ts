import { isAscii, isUtf8 } from 'node:buffer';
import { decodeAs, encodeUtf8 } from './encoding.ts';

/** Bytes that have no character in windows-1252. */
const NOT_1252 = /[\udc81\udc8d\udc8f\udc90\udc9d]/u;
const NEWLINE = 10;

/** Hints for text that is not UTF-8, in one file. */
export class EncodingHints {
  /** True if some line is UTF-8 and not ASCII: another encoding would garble it. */
  #hasUtf8 = false;

  /** Passes the bytes of the file on, and looks for such lines. */
  async *watch(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      this.#hasUtf8 ||= hasUtf8Line(chunk);
      yield chunk;
    }
  }

  /**
   * Returns the end of a message about text that is not UTF-8: the encoding that it may have, and what to type.
   * @param text as `decodeUtf8` returns it
   */
  hint(text: string): string {
    if (this.#hasUtf8)
      return '; other lines are valid UTF-8, so the file is damaged or mixed: correct this line';
    const [word] = /[^\s,;"'<>]{0,20}[\udc80-\udcff][^\s,;"'<>]{0,20}/u.exec(text) ?? [];
    // Accented letters mostly stand alone; several bytes in a row suggest another script.
    if (word === undefined || /[\udc80-\udcff]{3}/u.test(text) || NOT_1252.test(word))
      return '; name its encoding, as in --encoding gbk';
    if (/[^\u0000-\u007f\ud800-\udfff]/.test(word))
      return '; it has valid UTF-8 characters too, so it is damaged or mixed';
    const read = decodeAs(encodeUtf8(word), 'windows-1252');
    return `; in windows-1252 it reads ${JSON.stringify(read)}: if that is right, add --encoding windows-1252`;
  }
}

function hasUtf8Line(bytes: Buffer): boolean {
  if (isAscii(bytes)) return false;
  if (isUtf8(bytes)) return true;
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, start) + 1 || bytes.length;
    const line = bytes.subarray(start, end);
    if (!isAscii(line) && isUtf8(line)) return true;
    start = end;
  }
  return false;
}
