import { isUtf8 } from 'node:buffer';
import { jsonBody } from '../../../core/record/ndjson.ts';
import type { Failure } from '../../../core/record/task.ts';
import type { Answer, AnswerHeaders, WrittenBody } from '../transport/answer.ts';
import { type BodyText, decodeText } from './charset.ts';
import { type ContentType, contentTypeOf, endingOf } from './content-type.ts';

/** Form in which a body is kept; `auto` decides by content type. */
export type BodyMode = 'auto' | 'text' | 'json' | 'base64' | 'none';

export interface ResultOptions {
  readonly body: BodyMode;
  /** True if the result contains the response headers. */
  readonly headers: boolean;
}

/** Result as JSON text, with the failure if there is one. */
export interface Result {
  readonly text: string;
  readonly failure?: Failure | undefined;
}

/** Statuses of responses without a body (RFC 9110, 6.4.1). */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/** Place in a folder that the body of a task goes to. */
export interface FilePlace {
  /** True if its name is made of attributes: then it is used only for bodies of expected responses. */
  readonly isNamed: boolean;
  /**
   * Moves the body of a response to its final name.
   * @param ending extension of its content type, with its dot
   * @param isFinal true if the partial body of an earlier attempt is not needed any more
   * @returns the file, or the failure of the task
   * @throws {TaskpipeError} `IO`
   */
  take(answer: Answer, ending: string, isFinal: boolean): Promise<WrittenBody | Failure>;
}

/**
 * Returns the result as `result` does, with the body in a file: `{"status","url","type","file","bytes","sha256","headers"}`.
 * @param isExpected false if the status makes the task fail
 */
export async function fileResult(
  answer: Answer,
  method: string,
  url: string,
  place: FilePlace,
  { isExpected, ...options }: ResultOptions & { readonly isExpected: boolean },
): Promise<Result> {
  if (method === 'HEAD' || WITHOUT_BODY.has(answer.status) || (place.isNamed && !isExpected)) {
    await answer.file?.discard();
    return result(answer, method, url, answer.file === undefined ? options : { ...options, body: 'none' });
  }
  const type = contentTypeOf(answer.headers);
  const placed = await place.take(answer, await endingOf(type), isExpected);
  if ('code' in placed) return { text: assemble(answer, url, type, '', options), failure: placed };
  const { path, bytes, sha256 } = placed;
  const file = `,"file":${JSON.stringify(path)},"bytes":${bytes},"sha256":"${sha256}"`;
  return { text: assemble(answer, url, type, file, options) };
}

/**
 * Returns a response as the result of a task: `{"status","url","type","text"|"json"|"base64","headers"}`. Bytes that
 * do not fit the charset are kept as "base64", with the charset as "undecoded"; "charset" is set if the charset was
 * guessed.
 */
export function result(answer: Answer, method: string, url: string, options: ResultOptions): Result {
  const { body } = answer;
  const type = contentTypeOf(answer.headers);
  const mode = options.body === 'auto' ? modeOf(body, type) : options.body;
  if (mode === 'none' || method === 'HEAD' || WITHOUT_BODY.has(answer.status)) {
    return { text: assemble(answer, url, type, '', options) };
  }
  if (mode === 'base64') {
    return { text: assemble(answer, url, type, `,"base64":"${body.toString('base64')}"`, options) };
  }
  const decoded = decodeText(body, type);
  const json = mode === 'json' ? jsonIn(decoded) : undefined;
  if (json !== undefined && 'text' in json) {
    return { text: assemble(answer, url, type, `,"json":${json.text}`, options) };
  }
  const kept = assemble(answer, url, type, textMember(decoded, body), options);
  if (json === undefined || options.body !== 'json') return { text: kept };
  const message = `the body cannot be kept as JSON: ${json.fault}`;
  return { text: kept, failure: { code: 'BODY_JSON', message } };
}

function jsonIn(decoded: BodyText): { readonly text: string } | { readonly fault: string } {
  return 'text' in decoded ? jsonBody(decoded.text) : { fault: `its bytes are not ${decoded.unfit}` };
}

/** Returns the members with the text, or with the bytes if they do not fit the charset. */
function textMember(decoded: BodyText, body: Buffer): string {
  if ('unfit' in decoded)
    return `,"base64":"${body.toString('base64')}","undecoded":${JSON.stringify(decoded.unfit)}`;
  const { text, guessed } = decoded;
  return `,"text":${JSON.stringify(text)}${guessed === undefined ? '' : `,"charset":"${guessed}"`}`;
}

function assemble(
  answer: Answer,
  url: string,
  type: ContentType,
  body: string,
  options: ResultOptions,
): string {
  // A url has no control characters and no quotes, so a backslash is all that JSON would escape.
  const quoted = url.includes('\\') ? JSON.stringify(url) : `"${url}"`;
  const start = `{"status":${answer.status},"url":${quoted},"type":${type.quoted}${body}`;
  return options.headers ? `${start},"headers":${headersText(answer.headers)}}` : `${start}}`;
}

function modeOf(body: Buffer, { media }: ContentType): 'json' | 'text' | 'base64' {
  if (media === 'none') return isUtf8(body) ? 'text' : 'base64';
  return media === 'binary' ? 'base64' : media;
}

/** Returns headers as JSON. undici reads them as Latin-1; some servers send UTF-8. */
function headersText(headers: AnswerHeaders): string {
  return JSON.stringify(headers, (_, value) => (typeof value === 'string' ? asSent(value) : value));
}

/** Returns the value of a header, decoded as UTF-8 if its bytes are valid UTF-8. */
export function asSent(value: string): string {
  if (!/[^\x00-\x7f]/.test(value)) return value;
  const bytes = Buffer.from(value, 'latin1');
  return isUtf8(bytes) ? bytes.toString() : value;
}
