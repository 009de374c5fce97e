import { createHash } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { type HeaderList, headerValue } from '../../request/headers.ts';
import type { HttpRequest } from '../../request/redirect.ts';
import type { Answer, AnswerHeaders } from '../../transport/answer.ts';
import { isCoded } from '../../transport/decode.ts';
import type { BodyVersion, Partial } from './partial-notes.ts';

/**
 * Minimum age of a modification date when the answer is sent, in milliseconds, to be a strong validator (RFC 9110,
 * 8.8.2.2).
 */
const STRONG_AGE = 1000;

/** Returns whether the body of a request may be fetched in parts. */
export function mayContinue({ method, content, headers }: HttpRequest): boolean {
  return method === 'GET' && content === undefined && headerValue(headers, 'range') === undefined;
}

/** Returns the version of a body that can be continued later; undefined if it cannot. @param url its hash */
export function versionOf(url: string, status: number, headers: AnswerHeaders): BodyVersion | undefined {
  if (status !== 200 || isCoded(headers) || headers['accept-ranges'] === 'none') return undefined;
  const validator = validatorOf(headers);
  if (validator === undefined) return undefined;
  const { 'content-length': length } = headers;
  return { url, validator, ...(typeof length === 'string' && { length: Number(length) }) };
}

/** Returns the SHA-256 of a url. */
export function hashOfUrl(url: string): string {
  return createHash('sha256').update(url).digest('hex');
}

/** Returns a value for `If-Range` (RFC 9110, 13.1.5): a strong ETag, else a date that is a strong validator. */
function validatorOf({ etag, 'last-modified': changed, date }: AnswerHeaders): string | undefined {
  if (typeof etag === 'string') return /^"[\x21\x23-\x7e\x80-\xff]*"$/.test(etag) ? etag : undefined;
  if (typeof changed !== 'string' || typeof date !== 'string') return undefined;
  return Date.parse(date) - Date.parse(changed) >= STRONG_AGE ? changed : undefined;
}

/** Returns the headers that ask for the rest of a body, if it is still the same. */
export function headersFor({ version, bytes }: Partial): HeaderList {
  return ['Range', `bytes=${bytes}-`, 'If-Range', version.validator, 'Accept-Encoding', 'identity'];
}

/**
 * Returns whether a response to a request with `headersFor` is useless: the request is then sent again without them.
 */
export function isRefusal(partial: Partial, status: number, headers: AnswerHeaders): boolean {
  if (status === 200) return isPartOf(partial, headers);
  return status === 416 || (status === 206 && totalOf(partial, headers) === undefined);
}

/** Returns whether a 200 has only a part of the body: some servers send the rest with the wrong status. */
function isPartOf({ version }: Partial, headers: AnswerHeaders): boolean {
  const { 'content-range': range, 'content-length': length } = headers;
  const [, first, last, all] = /^bytes[ =]+(\d+)-(\d+)\/(\d+)$/i.exec(String(range).trim()) ?? [];
  if (all !== undefined) return Number(first) > 0 || Number(last) + 1 < Number(all);
  if (version.length === undefined || length === undefined || isCoded(headers)) return false;
  return Number(length) < version.length && validatorOf(headers) === version.validator;
}

/**
 * Returns the length of the whole body, of which a 206 has the rest; `unknown` if the server does not know it; undefined if
 * it has anything else.
 */
function totalOf({ version, bytes }: Partial, headers: AnswerHeaders): number | 'unknown' | undefined {
  const { 'content-range': range, 'content-length': length } = headers;
  const [, first, last, all] = /^bytes +(\d+)-(\d+)\/(\d+|\*)$/i.exec(String(range).trim()) ?? [];
  const [start, end] = [Number(first), Number(last)];
  if (all === undefined || start !== bytes || end < start || isCoded(headers)) return undefined;
  if (length !== undefined && Number(length) !== end - start + 1) return undefined;
  if (!isSameVersion(version, headers)) return undefined;
  if (all === '*') return version.length ?? 'unknown';
  const total = Number(all);
  if (end >= total || (version.length !== undefined && version.length !== total)) return undefined;
  return total;
}

/** Returns whether a 206 is of the same version. Some servers ignore `If-Range`; an ETag must be repeated, a date need not. */
function isSameVersion({ validator }: BodyVersion, headers: AnswerHeaders): boolean {
  const { etag, 'last-modified': changed = validator } = headers;
  return validator === (validator.startsWith('"') ? etag : changed);
}

/** Returns the version of the whole body, with the length in a 206. */
export function completed(partial: Partial, headers: AnswerHeaders): BodyVersion {
  const total = totalOf(partial, headers);
  return typeof total === 'number' ? { ...partial.version, length: total } : partial.version;
}

/** Returns the response to a request for the whole, of which this one has the rest. */
export function wholeAnswer(answer: Answer, { version }: Partial): Answer {
  if (answer.status !== 206) return answer;
  const { 'content-range': range, 'content-length': _, ...headers } = answer.headers;
  const [, total = version.length] = /\/(\d+)$/.exec(String(range)) ?? [];
  const length = total === undefined ? {} : { 'content-length': String(total) };
  return { ...answer, status: 200, reason: STATUS_CODES[200] ?? '', headers: { ...headers, ...length } };
}
