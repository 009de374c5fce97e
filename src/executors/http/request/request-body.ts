import { jsonFault } from '../../../core/base/errors.ts';
import { InvalidValue } from '../../../core/options/option.ts';
import { minify } from '../../../core/record/json-text.ts';
import type { Failure, Task } from '../../../core/record/task.ts';
import { formOf, type Given, given, isForm, objectText, wellFormed } from './params.ts';

export interface RequestBody {
  readonly text: string;
  /** Bytes that are sent instead of the text. */
  readonly bytes?: Uint8Array;
  /** Body that is read from files while it is sent, instead of the text. */
  readonly upload?: Upload;
  /** Content type, unless a header says another; `''` for none. */
  readonly type: string;
  /** True if the content type replaces that of a header. */
  readonly setsType?: boolean;
}

/** Body in parts. It can be sent again, since its files are opened for each request. */
export interface Upload {
  readonly parts: readonly BodyPart[];
  /** Returns the arguments of curl that send the same body. */
  curl(): string[];
}

/** Text, or a file whose bytes are sent. */
export type BodyPart = string | { readonly path: string };

/** Function that makes the bodies of all requests, instead of the attributes `json` and `data`. */
export type BodySource = (
  task: Task,
  /** Content type from a header. */
  type: string | undefined,
  /** True if the body is JSON: the method `json`. */
  asJson: boolean,
) => RequestBody | Failure;

const FORM = 'application/x-www-form-urlencoded';
const JSON_TYPE = 'application/json';
const PLAIN = 'text/plain;charset=UTF-8';

/** Content types of texts, by their language. */
export const TYPES: Readonly<Record<'json' | 'form' | 'xml' | 'text', string>> = {
  json: JSON_TYPE,
  form: FORM,
  xml: 'application/xml',
  text: PLAIN,
};

/**
 * Returns the body of a request: the attribute `json`, else `data`.
 * @param asJson whether `data` is sent as JSON too: the method `json`
 * @param type content type from a header
 * @throws {InvalidValue} if an attribute cannot be sent
 */
export function contentOf(task: Task, asJson: boolean, type: string | undefined): RequestBody | undefined {
  const json = given(task, 'json');
  if (json !== undefined) return { text: jsonText(json, 'json'), type: JSON_TYPE };
  const data = given(task, 'data');
  if (data === undefined) return undefined;
  if (asJson) return { text: jsonText(data, 'data'), type: JSON_TYPE };
  return dataContent(data, type);
}

function dataContent(data: Given, type: string | undefined): RequestBody {
  if (data.kind === 'object') return { text: named('data', () => formOf(data.raw)), type: FORM };
  if (data.kind === 'value') {
    if (data.raw.startsWith('['))
      throw new InvalidValue('data must be text or an object; use "json" for an array');
    return { text: data.raw, type: PLAIN };
  }
  // With another content type than that of forms, text is sent unchanged.
  const isFormWanted = type === undefined || type.toLowerCase().startsWith(FORM);
  const object = isFormWanted ? named('data', () => objectText(data.text)) : undefined;
  if (object !== undefined) return { text: named('data', () => formOf(object)), type: FORM };
  const text = named('data', () => wellFormed(data.text));
  return { text, type: isForm(text) ? FORM : PLAIN };
}

/** Returns a value as JSON. Text may be JSON already, or `a=1&b=2`; any other text is a string. */
function jsonText(value: Given, name: string): string {
  if (value.kind !== 'text') return minify(value.raw);
  const text = value.text.trim();
  try {
    JSON.parse(text);
    return text;
  } catch (error) {
    if (/^[[{]/.test(text)) throw new InvalidValue(`${name} is not valid JSON: ${jsonFault(error)}`);
  }
  return JSON.stringify(isForm(text) ? fromForm(text) : value.text);
}

/** Parses `a=1&b=2` to an object of strings; a repeated name gets an array. */
function fromForm(text: string): Record<string, string | string[]> {
  const form = new URLSearchParams(text);
  const entries = [...new Set(form.keys())].map((name): [string, string | string[]] => {
    const all = form.getAll(name);
    return [name, all.length === 1 ? (all[0] as string) : all];
  });
  return Object.fromEntries(entries);
}

/** Adds the name of an attribute to the error of a rule. */
export function named<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof InvalidValue ? new InvalidValue(`${name} ${error.message}`) : error;
  }
}
