import { InvalidValue, milliseconds } from '../../../core/options/option.ts';
import { attribute, type Failure, type Task } from '../../../core/record/task.ts';
import { attributeText, type Template } from '../../../core/record/template.ts';
import { type HeaderList, header, headerValue, mergeHeaders } from './headers.ts';
import { formOf, type Given, given, isForm, objectText, pairsOf, wellFormed } from './params.ts';
import { contentOf, named, type RequestBody } from './request-body.ts';
import { parseTarget, type Target } from './target.ts';

/** What a task asks for. */
export interface Request {
  /** In capitals. */
  readonly method: string;
  readonly target: Target;
  /** The user's: of `--header`, of the record, and the `Authorization` that the url makes. */
  readonly headers: HeaderList;
  readonly content: RequestBody | undefined;
  /** From the first byte to the last, in milliseconds. */
  readonly timeout: number;
}

export interface RequestDefaults {
  readonly url: Template | undefined;
  readonly method: string;
  readonly headers: HeaderList;
  readonly timeout: number;
}

/** The methods that a task may have, and `json`: a POST of JSON. */
export const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options', 'json'] as const;

const NAMES: ReadonlySet<string> = new Set(METHODS);
/** A body means nothing in these (RFC 9110, 9.3), so a `data` that the record has for other ends is not sent. */
const WITHOUT_BODY: ReadonlySet<string> = new Set(['get', 'head', 'options']);

/** The longest time that a timer takes, in milliseconds; one that is set to more rings at once. */
export const MAX_TIMEOUT: number = 2 ** 31 - 1;

/** The url that a task says, as text; a failure `URL` or `TEMPLATE` where it says none. */
export function urlOf(task: Task, template: Template | undefined): string | Failure {
  const url = template === undefined ? attributeText(task, 'url') : expanded(template, task);
  if (url !== undefined && url !== '') return url;
  return { code: 'URL', message: 'the record has no "url" (--url makes one of other attributes)' };
}

/** The url of a template. */
function expanded(template: Template, task: Task): string | Failure {
  try {
    return template.expand(task, encodePart);
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    return { code: 'TEMPLATE', message: `an attribute that --url needs ${error.message}` };
  }
}

/** A value as a part of a url. Nothing, and dots alone, would make it another resource's. @throws {Rule} */
function encodePart(value: string): string {
  if (/^\.{0,2}$/.test(value))
    throw new InvalidValue(value === '' ? 'is empty' : `is ${value}, which is a step in a path`);
  if (!value.isWellFormed()) throw new InvalidValue('has half of a surrogate pair');
  return encodeURIComponent(value);
}

/** Where a task's request goes, or why that can't be said: a failure `URL`, `TEMPLATE` or `REQUEST`. */
function targetOf(task: Task, defaults: RequestDefaults): Target | Failure {
  const url = urlOf(task, defaults.url);
  if (typeof url === 'object') return url;
  try {
    return parseTarget(url, queryOf(task));
  } catch (error) {
    return failureOf(error);
  }
}

/** What a task asks for, or why that can't be: a failure `URL`, `TEMPLATE` or `REQUEST`. */
export function requestOf(task: Task, defaults: RequestDefaults): Request | Failure {
  const target = targetOf(task, defaults);
  if ('code' in target) return target;
  try {
    const method = methodOf(task, defaults.method);
    const own = mergeHeaders(defaults.headers, headersOf(task));
    const { authorization } = target;
    const headers = authorization === undefined ? own : mergeHeaders(['Authorization', authorization], own);
    return {
      method: method === 'json' ? 'POST' : method.toUpperCase(),
      target,
      headers,
      content: WITHOUT_BODY.has(method)
        ? undefined
        : contentOf(task, method === 'json', headerValue(headers, 'content-type')),
      timeout: timeoutOf(task, defaults.timeout),
    };
  } catch (error) {
    return failureOf(error);
  }
}

function failureOf(error: unknown): Failure {
  if (error instanceof InvalidValue) return { code: 'REQUEST', message: error.message };
  throw error;
}

function methodOf(task: Task, usual: string): string {
  const value = attribute(task.fields, 'method');
  if (value === undefined || value === null || value === '') return usual;
  const method = typeof value === 'string' ? value.trim().toLowerCase() : '';
  if (!NAMES.has(method)) {
    throw new InvalidValue(`method must be one of ${METHODS.join(', ')}; got ${JSON.stringify(value)}`);
  }
  return method;
}

function queryOf(task: Task): string {
  const params = given(task, 'params');
  if (params === undefined) return '';
  if (params.kind === 'value') throw new InvalidValue('params must be an object, its JSON text, or a=1&b=2');
  return named('params', () => {
    const object = params.kind === 'object' ? params.raw : objectText(params.text);
    if (object !== undefined) return formOf(object);
    return params.kind === 'text' ? wellFormed(params.text.trim().replace(/^[?&]/, '')) : '';
  });
}

function headersOf(task: Task): HeaderList {
  const headers = given(task, 'headers');
  if (headers === undefined) return [];
  return named('headers', () => {
    const object = headers.kind === 'text' ? objectText(headers.text) : headers.raw;
    const pairs = object === undefined ? fieldsOf(headers) : pairsOf(object);
    if (pairs === undefined || headers.kind === 'value') {
      throw new InvalidValue('must be an object, its JSON text, or a=1&b=2');
    }
    return pairs.flatMap(([name, value]) => header(name, value));
  });
}

function fieldsOf(headers: Given): [string, string][] | undefined {
  if (headers.kind !== 'text' || !isForm(headers.text.trim())) return undefined;
  return [...new URLSearchParams(headers.text.trim())];
}

/** A record's own time-out: seconds as a number, or a duration as in `500ms`. */
function timeoutOf(task: Task, usual: number): number {
  const value = attribute(task.fields, 'timeout');
  if (value === undefined || value === null || value === '') return usual;
  const text = typeof value === 'string' || typeof value === 'number' ? String(value).trim() : '';
  const timeout = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : milliseconds(text);
  if (timeout === undefined || timeout <= 0) {
    throw new InvalidValue(
      `timeout must be seconds, or a duration such as 500ms; got ${JSON.stringify(value)}`,
    );
  }
  return Math.min(Math.ceil(timeout), MAX_TIMEOUT);
}
