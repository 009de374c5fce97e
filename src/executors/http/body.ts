import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Failure, Task } from '../../core/task.ts';
import { textOf } from './charset.ts';
import type { Answer, AnswerHeaders } from './exchange.ts';
import { writeWhole } from './files.ts';
import { parseJson } from './json.ts';
import { endingOf, mediaOf } from './media.ts';

/** What becomes of a body: `auto` goes by its content type. */
export type BodyMode = 'auto' | 'text' | 'json' | 'base64' | 'none';

export interface ResultOptions {
  readonly body: BodyMode;
  /** Whether the result has the headers of the answer. */
  readonly headers: boolean;
}

/** A result as JSON text, and why it is a failure, if it is. */
export interface Result {
  readonly text: string;
  readonly failure?: Failure | undefined;
}

/** Statuses whose answers have no body (RFC 9110, 6.4.1). */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/**
 * The same as `result`, with the body in a file of its own.
 * @param options.dir the folder of these files
 */
export async function fileResult(
  answer: Answer,
  method: string,
  url: string,
  task: Task,
  options: ResultOptions & { readonly dir: string },
): Promise<Result> {
  if (method === 'HEAD' || WITHOUT_BODY.has(answer.status)) return result(answer, method, url, options);
  const file = await writeBody(answer, task, options.dir);
  return { text: assemble(answer, url, `,"file":${JSON.stringify(file)}`, options) };
}

/** An answer as a task's result: `{"status","url","type","text"|"json"|"base64"|"file","headers"}`. */
export function result(answer: Answer, method: string, url: string, options: ResultOptions): Result {
  const hasNone = options.body === 'none' || method === 'HEAD' || WITHOUT_BODY.has(answer.status);
  if (hasNone) return { text: assemble(answer, url, '', options) };
  const type = typeOf(answer.headers) ?? '';
  if (options.body !== 'json') {
    const mode = options.body === 'auto' ? modeOf(answer.body, type) : options.body;
    return {
      text: assemble(answer, url, member(answer.body, type, mode as 'json' | 'text' | 'base64'), options),
    };
  }
  const text = textOf(answer.body, type);
  const json = parseJson(text);
  if ('text' in json) return { text: assemble(answer, url, `,"json":${json.text}`, options) };
  const failure = { code: 'BODY_JSON', message: `the body is no JSON that can be kept: ${json.fault}` };
  return { text: assemble(answer, url, `,"text":${JSON.stringify(text)}`, options), failure };
}

function assemble({ status, headers }: Answer, url: string, body: string, options: ResultOptions): string {
  const type = typeOf(headers);
  const start = `{"status":${status},"url":${JSON.stringify(url)},"type":${type === undefined ? 'null' : JSON.stringify(type)}`;
  return options.headers ? `${start}${body},"headers":${headersText(headers)}}` : `${start}${body}}`;
}

function modeOf(body: Buffer, type: string): 'json' | 'text' | 'base64' {
  const media = mediaOf(type);
  if (media === 'none') return isUtf8(body) ? 'text' : 'base64';
  return media === 'binary' ? 'base64' : media;
}

function member(body: Buffer, type: string, mode: 'json' | 'text' | 'base64'): string {
  if (mode === 'base64') return `,"base64":"${body.toString('base64')}"`;
  const text = textOf(body, type);
  const json = mode === 'json' ? parseJson(text) : undefined;
  return json !== undefined && 'text' in json ? `,"json":${json.text}` : `,"text":${JSON.stringify(text)}`;
}

/** The content type of an answer; the last, where there are several. */
export function typeOf(headers: AnswerHeaders): string | undefined {
  const type = headers['content-type'];
  return typeof type === 'string' || type === undefined ? type : type.at(-1);
}

/** undici reads headers as Latin-1; some servers send UTF-8. */
function headersText(headers: AnswerHeaders): string {
  return JSON.stringify(headers, (_, value) => (typeof value === 'string' ? asSent(value) : value));
}

/** A header's value, its bytes taken as UTF-8 where they are that. */
export function asSent(value: string): string {
  if (!/[^\x00-\x7f]/.test(value)) return value;
  const bytes = Buffer.from(value, 'latin1');
  return isUtf8(bytes) ? bytes.toString() : value;
}

/**
 * Writes a body to a file of its own: named after the task, so that another run replaces it; whole or not at all.
 * @returns its path
 * @throws {TaskpipeError} `IO`
 */
async function writeBody({ body, headers }: Answer, { uuid }: Task, dir: string): Promise<string> {
  const name = createHash('sha256').update(uuid).digest('hex').slice(0, 32);
  const path = join(dir, name + endingOf(typeOf(headers) ?? ''));
  await writeWhole(path, body);
  return path;
}
