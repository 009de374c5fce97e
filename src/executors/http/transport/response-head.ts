import { quoted } from '../../../core/base/terminal-text.ts';

/** Code of the error of an answer that cannot be understood; its message names the fault. */
export const BAD_ANSWER = 'BAD_ANSWER';

/** Status line and headers, ready for a strict parser. */
export interface RepairedHead {
  /** Undefined for an interim response (1xx), which is skipped. */
  readonly head: Buffer | undefined;
  /** True if no body follows, whatever the headers say. */
  readonly isBodiless: boolean;
}

const LF = 10;
const CR = 13;

/**
 * Searches the end of a response head. It reads each byte once, since it runs for every response.
 * @returns 0 if the end has not arrived; the length of the head; or the negative length if `repairHead` must check it
 */
export function headLength(bytes: Uint8Array): number {
  const first = bytes[9] as number;
  // 0xx and 1xx, and the two statuses with headers that do not describe the body.
  let isOdd = first < 50 || (bytes[11] === 52 && bytes[10] === 48 && (first === 50 || first === 51));
  let lengths = 0;
  for (let i = 8; i < bytes.length; i++) {
    if (bytes[i] !== LF) continue;
    if (bytes[i - 1] !== CR) isOdd = true;
    const next = bytes[i + 1] as number;
    if (next === CR && bytes[i + 2] === LF) return isOdd ? -(i + 3) : i + 3;
    if (next === LF) return -(i + 2);
    if (next === 32 || next === 9) isOdd = true; // a folded line
    const letter = next | 32;
    if (letter === 116 && ((bytes[i + 2] as number) | 32) === 114) isOdd = true; // Transfer-Encoding
    if (letter === 99 && ((bytes[i + 9] as number) | 32) === 108 && ++lengths > 1) isOdd = true; // Content-Length
  }
  return 0;
}

/** Returns whether bytes may be the start of a response of HTTP/1. */
export function looksLikeHttp(bytes: Uint8Array): boolean {
  const start = [72, 84, 84, 80, 47];
  return start.every((byte, i) => i >= bytes.length || bytes[i] === byte);
}

/**
 * Returns a head in the form of a strict parser. Accepts what curl and browsers accept, if the end of the body stays
 * certain: interim responses, line ends without CR, folded lines, repeated equal lengths, a length beside chunks (RFC
 * 9112, 6.3: the chunks count, and the connection is not used again), and a length of a 204.
 * @param text head up to its empty line, as Latin-1
 * @param isLenient whether to accept a head that leaves the end of the body uncertain: the first of several lengths
 *   counts, "chunked" counts wherever it stands, and lines that are not headers are left out
 * @throws an error with the code `BAD_ANSWER` if the head has no safe meaning
 */
export function repairHead(text: string, isLenient = false): RepairedHead {
  const [start = '', ...said] = text
    .replace(/\r?\n[ \t]+(?=[^\s])/g, ' ')
    .trimEnd()
    .split(/\r?\n/);
  const status = statusOf(start);
  if (status < 200) return { head: undefined, isBodiless: true };
  const lines = isLenient ? said.flatMap(cleaned) : said;
  const codings = codingsOf(lines, isLenient);
  const announced = lengthsOf(lines, isLenient);
  const lengths = isLenient ? announced.slice(0, 1) : announced;
  const isBodiless = status === 204 || status === 304;
  const isUnsure = codings.length > 0 && (lengths.length > 0 || isBodiless);
  const isOdd = status === 204 && lengths.length > 0 && lengths[0] !== '0';
  const isWrong = isUnsure || isOdd || announced.length > 1;
  const kept = lines.filter((line) => {
    const name = nameOf(line);
    if (name === 'connection') return !isWrong;
    if (name === 'transfer-encoding') return false;
    return name !== 'content-length';
  });
  if (!isBodiless && codings.length > 0) kept.push(`Transfer-Encoding: ${codings.join(', ')}`);
  else if (lengths.length > 0 && !isUnsure && !isOdd) kept.push(`Content-Length: ${lengths[0]}`);
  if (isWrong) kept.push('Connection: close');
  return { head: Buffer.from([start, ...kept, '', ''].join('\r\n'), 'latin1'), isBodiless };
}

/** Returns a line as a header that the parser accepts; an empty text if it is not a header. */
function cleaned(line: string): string[] {
  const [, name, value = ''] = /^([!#$%&'*+.^_`|~\w-]+)[ \t]*:(.*)$/s.exec(line) ?? [];
  return name === undefined ? [] : [`${name}:${value.replace(/[\x00-\x08\x0a-\x1f\x7f]/g, ' ')}`];
}

/** Returns the codings of the transfer, in order. */
function codingsOf(lines: readonly string[], isLenient: boolean): string[] {
  const codings = valuesOf(lines, 'transfer-encoding').filter((coding) => coding !== 'identity');
  if (!codings.slice(0, -1).includes('chunked')) return codings;
  if (isLenient) return [...codings.filter((coding) => coding !== 'chunked'), 'chunked'];
  throw badAnswer('its Transfer-Encoding has "chunked" before its end (--lenient takes it as the end)');
}

/** Returns the different lengths that are announced. */
function lengthsOf(lines: readonly string[], isLenient: boolean): string[] {
  const lengths = [...new Set(valuesOf(lines, 'content-length'))];
  if (isLenient) return lengths.filter((length) => /^\d+$/.test(length));
  if (lengths.length <= 1) return lengths;
  const shown = lengths.map(quoted).join(' and ');
  throw badAnswer(`it announces ${shown} bytes at once (--lenient takes the first)`);
}

/** Returns a head with a header that closes the connection. */
export function closingHead(head: Buffer): Buffer {
  const text = head.toString('latin1').replace(/\r\nconnection:[^\r\n]*/gi, '');
  return Buffer.from(`${text.slice(0, -2)}Connection: close\r\n\r\n`, 'latin1');
}

/** Returns an error that names the fault of an answer. */
export function badAnswer(reason: string): Error {
  return Object.assign(new Error(reason), { code: BAD_ANSWER });
}

function statusOf(line: string): number {
  const [, digits = ''] = /^HTTP\/1\.\d[ \t]+(\d{3})(?!\S)/.exec(line) ?? [];
  const status = Number(digits);
  if (status === 101) throw badAnswer('it switches to another protocol, which was not requested');
  if (status >= 100) return status;
  const shown = line.length > 60 ? `${line.slice(0, 60)}…` : line;
  throw badAnswer(`its first line is ${quoted(shown)}, which has no valid status`);
}

function nameOf(line: string): string {
  return line
    .slice(0, Math.max(0, line.indexOf(':')))
    .trim()
    .toLowerCase();
}

/** Returns the values of a header in lower case, of all its lines. */
function valuesOf(lines: readonly string[], name: string): string[] {
  return lines
    .filter((line) => nameOf(line) === name)
    .flatMap((line) => line.slice(line.indexOf(':') + 1).split(','))
    .map((value) => value.trim().toLowerCase())
    .filter((value) => value !== '');
}
