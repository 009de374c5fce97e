import { METHODS as KNOWN_METHODS } from 'node:http';
import { InvalidValue } from '../../../core/options/option.ts';
import { milliseconds } from '../../../core/options/units.ts';
import { attribute, type Failure, type Task } from '../../../core/record/task.ts';
import { attributeText, type Template } from '../../../core/record/template.ts';
import { type HeaderList, header, headerValue, isToken, mergeHeaders, withoutHeaders } from './headers.ts';
import { formOf, type Given, given, isForm, objectText, pairsOf, wellFormed } from './params.ts';
import { type BodySource, contentOf, named, type RequestBody } from './request-body.ts';
import { parseTarget, type Target } from './target.ts';

/** Request of a task. */
export interface Request {
  readonly method: string;
  readonly target: Target;
  /** User headers: those of `--header` and of the record, and the `Authorization` of the url. */
  readonly headers: HeaderList;
  readonly content: RequestBody | undefined;
  /** First to last byte, in milliseconds. */
  readonly timeout: number;
}

export interface RequestDefaults {
  readonly url: Template | undefined;
  /** Method in the form that is sent, or `json`. */
  readonly method: string;
  /** Source of all bodies, instead of the attributes `json` and `data`. */
  readonly body?: BodySource | undefined;
  readonly headers: HeaderList;
  readonly timeout: number;
}

/** Usual methods; `json` is a POST of JSON. */
export const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options', 'json'] as const;

/** Methods that may be written in small letters. */
const KNOWN: ReadonlySet<string> = new Set(KNOWN_METHODS);
/** Methods whose body has no meaning (RFC 9110, 9.3): a `data` attribute for other purposes is not sent. */
const WITHOUT_BODY: ReadonlySet<string> = new Set('GET HEAD OPTIONS TRACE'.split(' '));

const NEEDS_BODY =
  'the method json needs a body: the attribute "json", else "data", or --data, --form or --body-file';

/** Longest time of a timer, in milliseconds; a longer one would fire at once. */
export const MAX_TIMEOUT: number = 2 ** 31 - 1;

/** Returns the url of a task as text; a failure `URL` or `TEMPLATE` if it has none. */
export function urlOf(task: Task, template: Template | undefined): string | Failure {
  const url = template === undefined ? attributeText(task, 'url') : expanded(template, task);
  if (url !== undefined && url !== '') return url;
  return { code: 'URL', message: `the record has no "url"; ${hintFor(task)}` };
}

/** Returns the advice for a record without a url: another attribute may hold it. */
function hintFor({ fields }: Task): string {
  const similar = Object.entries(fields)
    .filter(([, value]) => typeof value === 'string' && /^(https?:\/\/|www\.)/i.test(value))
    .map(([name]) => name);
  const [first] = similar;
  if (first === undefined) return "make it of other attributes, as in --url 'https://host/{id}'";
  const from = `task-load --rename ${first}=url, or task-exec --url '{${first}}'`;
  return similar.length === 1
    ? `"${first}" looks like one: ${from}`
    : `${similar
        .slice(0, 5)
        .map((name) => `"${name}"`)
        .join(', ')} look like urls: ${from}`;
}

/**
 * Returns the url of a template. A value at its start is inserted unchanged, because it contains the scheme and the
 * host.
 */
function expanded(template: Template, task: Task): string | Failure {
  try {
    let isFirst = template.start === '';
    const encode = (value: string): string => {
      const isWhole = isFirst;
      isFirst = false;
      return isWhole ? value.trim() : encodePart(value);
    };
    return template.expand(task, encode);
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    return { code: 'TEMPLATE', message: `an attribute that --url needs ${error.message}` };
  }
}

/** Encodes a value as part of a url. Empty values, `.` and `..` would name another resource. @throws {InvalidValue} */
function encodePart(value: string): string {
  if (/^\.{0,2}$/.test(value))
    throw new InvalidValue(value === '' ? 'is empty' : `is ${value}, which is a step in a path`);
  if (!value.isWellFormed()) throw new InvalidValue('contains half a surrogate pair');
  return encodeURIComponent(value);
}

/** Returns the target of a request; a failure `URL`, `TEMPLATE` or `REQUEST` if there is none. */
export function targetOf(task: Task, defaults: RequestDefaults): Target | Failure {
  const url = urlOf(task, defaults.url);
  if (typeof url === 'object') return url;
  try {
    return parseTarget(url, queryOf(task));
  } catch (error) {
    return failureOf(error);
  }
}

/** Returns the request of a task; a failure `URL`, `TEMPLATE` or `REQUEST` if it cannot be made. */
export function requestOf(task: Task, defaults: RequestDefaults): Request | Failure {
  const target = targetOf(task, defaults);
  if ('code' in target) return target;
  try {
    const method = methodOf(task, defaults.method);
    const own = mergeHeaders(defaults.headers, headersOf(task));
    const { authorization } = target;
    const headers = authorization === undefined ? own : mergeHeaders(['Authorization', authorization], own);
    const content = bodyOf(task, method, headerValue(headers, 'content-type'), defaults.body);
    if (content !== undefined && 'code' in content) return content;
    return {
      method: method === 'json' ? 'POST' : method,
      target,
      headers: content?.setsType ? withoutHeaders(headers, (name) => name === 'content-type') : headers,
      content,
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

/** Returns the body: of an option, which is sent with any method, else of the attributes. */
function bodyOf(
  task: Task,
  method: string,
  type: string | undefined,
  source: BodySource | undefined,
): RequestBody | Failure | undefined {
  const asJson = method === 'json';
  if (source !== undefined) return source(task, type, asJson);
  const content = WITHOUT_BODY.has(method) ? undefined : contentOf(task, asJson, type);
  if (asJson && content === undefined) throw new InvalidValue(NEEDS_BODY);
  return content;
}

function methodOf(task: Task, usual: string): string {
  const value = attribute(task.fields, 'method');
  if (value === undefined || value === null || value === '') return usual;
  if (typeof value === 'string' && value === usual) return usual;
  try {
    return toMethod(typeof value === 'string' ? value : '');
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    throw new InvalidValue(`method ${error.message}; got ${JSON.stringify(value)}`);
  }
}

/**
 * Returns a method as it is sent, or `json`. Methods that Node knows, such as get and purge, may be written in any
 * letters. Any other method is sent as written, since methods are case-sensitive (RFC 9110, 9.1); but an unknown
 * method in small letters is treated as a typing error.
 * @throws {InvalidValue} if it cannot be sent
 */
export function toMethod(typed: string): string {
  const method = typed.trim();
  const capitals = method.toUpperCase();
  if (method.toLowerCase() === 'json') return 'json';
  if (capitals === 'CONNECT') throw new InvalidValue('must not be CONNECT, which asks a proxy for a tunnel');
  if (KNOWN.has(capitals)) return capitals;
  if (isToken(method) && /[A-Z]/.test(method)) return method;
  throw new InvalidValue(`must be one of ${METHODS.join(', ')}, or another method in capitals`);
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

/** Returns the timeout of a record: seconds as a number, or a duration such as `500ms`. */
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
