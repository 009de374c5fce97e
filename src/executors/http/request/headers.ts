import type { Stats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { ioError, TaskpipeError } from '../../../core/base/errors.ts';
import { quoted } from '../../../core/base/terminal-text.ts';
import { InvalidValue } from '../../../core/options/option.ts';
import { privacyFault } from '../../../core/storage/file-privacy.ts';
import { wellFormed } from './params.ts';

/** Headers in the order in which they are sent: name, value, name, value. */
export type HeaderList = readonly string[];

/** Headers of the connection, not of the request. They are removed from lists of headers. */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const CONTROL = /[^\t\x20-\x7e\x80-\u{10ffff}]/u;

/** Returns whether text is a name of HTTP (RFC 9110, 5.6.2): of a method or a header. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/**
 * Checks a header; returns an empty list for a header of the connection.
 * @throws {InvalidValue} without the value
 */
export function header(name: string, value: string): HeaderList {
  if (!TOKEN.test(name))
    throw new InvalidValue(`must have names of letters, digits and dashes; got ${shownName(name)}`);
  if (CONTROL.test(value))
    throw new InvalidValue(`must not contain control characters; the value of ${name} does`);
  if (name.toLowerCase() === 'expect' && value.trim() !== '')
    throw new InvalidValue(
      'must not have Expect: a body is sent at once, and no further once the server refuses it; remove that header',
    );
  if (OF_THE_CONNECTION.has(name.toLowerCase()) && !isClosing(name, value)) return [];
  // Trimmed before the conversion to bytes: the last byte of "à" looks like a space.
  const text = wellFormed(value.trim());
  return [name, /[^\x20-\x7e]/.test(text) ? Buffer.from(text).toString('latin1') : text];
}

/** Returns whether a header asks for a separate connection, which undici then closes. */
function isClosing(name: string, value: string): boolean {
  return name.toLowerCase() === 'connection' && value.trim().toLowerCase() === 'close';
}

/** Returns the valid beginning of an invalid name. The rest may be a value, if a colon is missing. */
function shownName(name: string): string {
  return quoted(`${/^[\w-]*/.exec(name)?.[0]}…`);
}

/** Parses a header as typed: `K: V`. @throws {InvalidValue} without the value */
export function headerLine(line: string): HeaderList {
  const colon = line.indexOf(':');
  if (colon < 1) throw new InvalidValue('must be "Name: value", or @FILE with one header per line');
  return header(line.slice(0, colon).trim(), line.slice(colon + 1));
}

/**
 * Reads the headers of `--header`: `K: V`, or `@FILE`.
 * @param warn receives a message about a file with a secret that others can read
 * @throws {TaskpipeError} `USAGE`, `IO`
 */
export async function readHeaders(
  given: readonly string[] = [],
  warn: (message: string) => void = () => {},
): Promise<HeaderList> {
  const lists = await Promise.all(
    given.map((one) => (one.startsWith('@') ? fromFile(one.slice(1), warn) : parsed(one))),
  );
  return lists.flat();
}

/** Parses a header of `--header`. @throws {TaskpipeError} `USAGE` */
function parsed(line: string): HeaderList {
  try {
    return headerLine(line);
  } catch (error) {
    if (error instanceof InvalidValue) throw new TaskpipeError('USAGE', `--header ${error.message}`);
    throw error;
  }
}

/** Reads the lines of a header file, as `curl -H @FILE` does; skips blank lines and comments (#). */
async function fromFile(file: string, warn: (message: string) => void): Promise<HeaderList> {
  let text: string;
  let stats: Stats;
  try {
    [text, stats] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
  } catch (error) {
    throw ioError('cannot read --header', file, error);
  }
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/);
  const list = lines.filter((line) => line.trim() !== '' && !line.startsWith('#')).flatMap(parsed);
  const fault = privacyFault('--header', file, stats);
  if (fault !== undefined && list.some((name, i) => i % 2 === 0 && isSecret(name))) warn(fault);
  return list;
}

/** Merges two lists; a name in both has the value of `over`. */
export function mergeHeaders(base: HeaderList, over: HeaderList): HeaderList {
  if (over.length === 0) return base;
  if (base.length === 0) return over;
  const names = new Set<string>();
  for (let i = 0; i < over.length; i += 2) names.add((over[i] as string).toLowerCase());
  return [...withoutHeaders(base, (name) => names.has(name)), ...over];
}

/** Returns a list without some names; `drop` gets them in lower case. */
export function withoutHeaders(list: HeaderList, drop: (name: string) => boolean): HeaderList {
  const kept: string[] = [];
  for (let i = 0; i < list.length; i += 2) {
    if (!drop((list[i] as string).toLowerCase())) kept.push(list[i] as string, list[i + 1] as string);
  }
  return kept;
}

/** Returns the value of a header; the name is in lower case. */
export function headerValue(list: HeaderList, name: string): string | undefined {
  for (let i = 0; i < list.length; i += 2) {
    if ((list[i] as string).toLowerCase() === name) return list[i + 1];
  }
  return undefined;
}

/** Returns whether the name of a header suggests a secret. */
export function isSecret(name: string): boolean {
  return /auth|token|key|secret|session|pass|pwd|cookie|credential|signature|bearer|jwt|csrf|xsrf/i.test(
    name,
  );
}
