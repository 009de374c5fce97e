/*
 * Text that is not UTF-8, such as the name of a file. JSON cannot hold it, and programs replace lone surrogates. So a
 * record has its bytes as base64, in `NAME_base64` in place of `NAME`. In memory its invalid bytes are lone surrogates:
 * see `encoding.ts`.
 */
import { isUtf8 } from 'node:buffer';
import { attribute, type Fields } from '../record/task.ts';
import { decodeUtf8 } from './encoding.ts';

const ENDING = '_base64';

const BASE64 = /^(?:[\w+/]{4})*(?:[\w+/]{2}==|[\w+/]{3}=)?$/;

/** Returns the attribute that holds bytes: the text, or their base64 if they are not UTF-8. */
export function byteFields(name: string, bytes: Buffer): Record<string, string> {
  return isUtf8(bytes) ? { [name]: bytes.toString() } : { [base64Name(name)]: bytes.toString('base64') };
}

/** Returns the name of the attribute that has the bytes of another one. */
export function base64Name(name: string): string {
  return name + ENDING;
}

/** Returns the name whose bytes an attribute has; undefined if its name does not end in `_base64`. */
export function nameOfBase64(name: string): string | undefined {
  return name.endsWith(ENDING) ? name.slice(0, -ENDING.length) : undefined;
}

/**
 * Returns the text of an attribute that is missing or empty, from its `NAME_base64`; undefined if there is none. Bytes
 * with a NUL are not text.
 */
export function base64Text(fields: Fields, name: string): string | undefined {
  const own = attribute(fields, name);
  if (own !== undefined && own !== null && own !== '') return undefined;
  const value = attribute(fields, base64Name(name));
  if (typeof value !== 'string' || value === '' || !BASE64.test(value)) return undefined;
  const bytes = Buffer.from(value, 'base64');
  return bytes.includes(0) ? undefined : decodeUtf8(bytes);
}
