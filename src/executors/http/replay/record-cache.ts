import { createHash, hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ioError, systemCode } from '../../../core/base/errors.ts';
import { makeFolder, PRIVATE, replaceFile } from '../private-files.ts';
import { withoutHeaders } from '../request/headers.ts';
import type { RequestBody } from '../request/request-body.ts';
import { shownUrl } from '../request/target.ts';
import { type Answer, type AnswerHeaders, isFault } from '../transport/answer.ts';
import { type Cache, type CachedRequest, isAnonymous } from '../transport/http-cache.ts';
import type { HttpFault } from '../transport/http-failure.ts';

/** Ways to use a folder of recorded answers. */
export type RecordMode = 'record' | 'replay' | 'refresh';

/** Settings of a folder of recorded answers. */
export interface RecordSettings {
  readonly dir: string;
  readonly mode: RecordMode;
  /** Path of `--cookies`, which keeps the answers for different cookie files apart. */
  readonly cookieFile: string | undefined;
  /** Stores the cookies of a recorded answer. */
  takeCookies(url: string, cookies: string | string[] | undefined): void;
}

/** Recorded answer: this object on one line of JSON, followed by the body. */
interface Head {
  readonly method: string;
  readonly url: string;
  /** Time of the answer, ISO 8601. */
  readonly at: string;
  readonly status: number;
  readonly reason: string;
  readonly headers: AnswerHeaders;
  /** SHA-256 of the body, in hex. */
  readonly sha256: string;
}

/**
 * Opens `--cache DIR` in a mode that keeps every answer, whatever its headers say. `record` asks the server for
 * answers that are not recorded, `refresh` for all, and `replay` for none.
 * @throws {TaskpipeError} `IO`
 */
export async function openRecords(settings: RecordSettings): Promise<Cache> {
  const { dir, mode, takeCookies } = settings;
  if (mode === 'replay') await mustBeFolder(dir);
  else await makeFolder(dir, 0o700);
  return {
    takesBodies: true,
    async through(request, send) {
      const name = await nameOf(request, settings);
      if (typeof name !== 'string') return name;
      const file = join(dir, `${name}.answer`);
      const stored = mode === 'refresh' ? undefined : await readAnswer(file);
      if (stored !== undefined && (mode === 'replay' || !isTemporary(stored.status))) {
        takeCookies(request.url, stored.headers['set-cookie']);
        return stored;
      }
      if (mode === 'replay') return notRecorded(request, dir);
      const answer = await send(request.headers);
      return isFault(answer) ? answer : keep(file, request, answer);
    },
  };
}

/** Returns whether `record` asks again after an answer of this status: the server was busy or broken. */
function isTemporary(status: number): boolean {
  return status >= 500 || status === 408 || status === 425 || status === 429;
}

function notRecorded({ method, url }: CachedRequest, dir: string): HttpFault {
  const what = `${dir} has no answer to ${method} ${shownUrl(url)} with this body and these credentials`;
  return { code: 'NOT_RECORDED', message: `${what}; ask for it with --cache-mode record`, again: 'never' };
}

async function mustBeFolder(dir: string): Promise<void> {
  try {
    if ((await stat(dir)).isDirectory()) return;
  } catch (error) {
    throw ioError('cannot read --cache', dir, error);
  }
  throw ioError('cannot read --cache', dir, Object.assign(new Error('not a folder'), { code: 'ENOTDIR' }));
}

/**
 * Returns the name of the answer to a request, made of its method, url, body and credentials. Cookies that servers set do not
 * count: they change from run to run.
 */
async function nameOf(request: CachedRequest, { cookieFile }: RecordSettings): Promise<string | HttpFault> {
  const { method, url, hop, whose } = request;
  const own = withoutHeaders(hop.headers, isAnonymous);
  const pairs: string[] = [];
  for (let i = 0; i < own.length; i += 2) pairs.push(`${own[i]?.toLowerCase()}: ${own[i + 1]}`);
  if (cookieFile !== undefined) pairs.push(`cookies: ${resolve(cookieFile)}`);
  if (whose !== '') pairs.push(`login: ${whose}`);
  const body = hop.content === undefined ? '' : await bodyHash(hop.content);
  return typeof body === 'string'
    ? hash('sha256', [`${method} ${url}`, body, ...pairs.sort()].join('\n'))
    : body;
}

/** Returns a hash of a body; the boundary of its parts, which is random, does not count. */
async function bodyHash({ text, bytes, upload, type }: RequestBody): Promise<string | HttpFault> {
  if (upload === undefined) return hash('sha256', bytes ?? text);
  const [, boundary] = /boundary=(taskpipe-[0-9a-f]+)/.exec(type) ?? [];
  const sum = createHash('sha256');
  for (const part of upload.parts) {
    if (typeof part === 'string') {
      sum.update(boundary === undefined ? part : part.replaceAll(boundary, ''));
      continue;
    }
    try {
      await pipeline(createReadStream(part.path), sum, { end: false });
    } catch (error) {
      const { message } = ioError('cannot read', part.path, error);
      return { code: 'BODY_FILE', message, again: 'never' };
    }
  }
  return sum.digest('hex');
}

async function keep(file: string, { method, url }: CachedRequest, answer: Answer): Promise<Answer> {
  const { status, reason, headers, body } = answer;
  const at = new Date().toISOString();
  const head: Head = { method, url, at, status, reason, headers, sha256: hash('sha256', body) };
  const line = Buffer.from(`${JSON.stringify(head)}\n`);
  await replaceFile(file, Buffer.concat([line, body]), { mode: PRIVATE });
  return answer;
}

/** Reads a recorded answer; undefined if there is none, or an incomplete one. @throws {TaskpipeError} `IO` */
async function readAnswer(file: string): Promise<Answer | undefined> {
  let stored: Buffer;
  try {
    stored = await readFile(file);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw ioError('cannot read --cache', file, error);
  }
  try {
    const end = stored.indexOf(10);
    const { status, reason, headers, sha256 } = JSON.parse(stored.toString('utf8', 0, end)) as Head;
    const body = stored.subarray(end + 1);
    if (hash('sha256', body) !== sha256) return undefined;
    return { status, reason, headers, body, isStored: true };
  } catch {
    return undefined;
  }
}
