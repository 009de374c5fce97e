import { TaskpipeError } from '../base/errors.ts';
import type { S3Answer, S3Bucket } from './contract.ts';
import { cutShort, isRefusal } from './s3-faults.ts';
import { textsIn } from './s3-xml.ts';

/**
 * Reads the bytes of an object. If the connection breaks, it continues after the last received byte, with a request that
 * only the same version of the object satisfies.
 * @throws {TaskpipeError} `IO`, also if the object was replaced or removed meanwhile
 */
export async function* readObject(bucket: S3Bucket, key: string): AsyncGenerator<Buffer> {
  const attempts = bucket.attempts(key);
  const replaced = (words: string): TaskpipeError =>
    new TaskpipeError(
      'IO',
      `s3://${bucket.name}/${key}: the object was ${words} while it was read; run the same command again`,
    );
  let [offset, etag] = [0, ''];
  for (;;) {
    try {
      const isRest = offset > 0;
      const headers = isRest ? { range: `bytes=${offset}-`, 'if-match': etag } : undefined;
      const answer = await bucket.sendOnce({ method: 'GET', key, ...(headers && { headers }) });
      const found = headerOf(answer, 'etag');
      if (isRest && found !== etag) throw replaced('replaced');
      etag = found;
      const { start, size } = extentOf(answer);
      if (start > offset) throw cutShort(); // other bytes than those that were asked for
      let at = start;
      for await (const chunk of answer.body) {
        attempts.succeed();
        const fresh = chunk.subarray(Math.max(0, offset - at));
        at += chunk.length;
        offset += fresh.length;
        if (fresh.length > 0) yield fresh;
      }
      if (offset < size) throw cutShort();
      attempts.succeed();
      return;
    } catch (error) {
      if (offset > 0 && isRefusal(error, 412, 416)) throw replaced('replaced');
      if (offset > 0 && isRefusal(error, 404)) throw replaced('removed');
      if (offset > 0 && etag === '') throw withoutTag(error, bucket, key);
      await attempts.pause(error);
    }
  }
}

function headerOf({ headers }: S3Answer, name: string): string {
  return String(headers[name] ?? '');
}

/** Returns the position of the first byte of an answer, as a server may ignore the range, and the size of the object; 0 if unknown. */
function extentOf(answer: S3Answer): { readonly start: number; readonly size: number } {
  const range = /^bytes (\d+)-\d+\/(\d+)/.exec(headerOf(answer, 'content-range'));
  if (answer.status !== 206) return { start: 0, size: Number(headerOf(answer, 'content-length')) };
  return { start: Number(range?.[1] ?? Number.POSITIVE_INFINITY), size: Number(range?.[2] ?? 0) };
}

function withoutTag(error: unknown, { name }: S3Bucket, key: string): TaskpipeError {
  return new TaskpipeError(
    'IO',
    `s3://${name}/${key}: the connection broke, and the object has no ETag, so reading cannot continue; run the same command again`,
    { cause: error },
  );
}

/** Returns an object as text; undefined if there is none. @throws {TaskpipeError} `IO` */
export async function objectText(bucket: S3Bucket, key: string): Promise<string | undefined> {
  try {
    return await bucket.ask({ method: 'GET', key });
  } catch (error) {
    if (isRefusal((error as Error).cause, 'NoSuchKey')) return undefined;
    throw error;
  }
}

/** Stores an object, in place of one that has its key. @throws {TaskpipeError} `IO` */
export async function putObject(bucket: S3Bucket, key: string, body: Buffer, type: string): Promise<void> {
  await bucket.ask({ method: 'PUT', key, body, headers: { 'content-type': type } });
}

/** Checks that an object can be read. @throws {TaskpipeError} `IO` */
export async function checkObject(bucket: S3Bucket, key: string): Promise<void> {
  try {
    // Not HEAD, whose response has no reason for a refusal.
    await bucket.ask({ method: 'GET', key, headers: { range: 'bytes=0-0' } });
  } catch (error) {
    if (!isRefusal((error as Error).cause, 416)) throw error; // an empty object has no first byte
  }
}

/**
 * Lists the keys that begin with a prefix and have no further slash.
 * @throws {TaskpipeError} `IO`
 */
export async function* listKeys(bucket: S3Bucket, prefix: string): AsyncGenerator<readonly string[]> {
  const query = { 'list-type': '2', delimiter: '/', 'encoding-type': 'url', prefix };
  for (let token = ''; ; ) {
    const more = token === '' ? {} : { 'continuation-token': token };
    const texts = textsIn(await bucket.ask({ method: 'GET', key: '', query: { ...query, ...more } }));
    if (texts === undefined || !texts.has('IsTruncated'))
      throw new TaskpipeError(
        'IO',
        `s3://${bucket.name}/${prefix}: the server did not answer with a list of objects; is AWS_ENDPOINT_URL right?`,
      );
    yield keysIn(texts);
    token = texts.get('NextContinuationToken')?.[0] ?? '';
    if (texts.get('IsTruncated')?.[0] !== 'true' || token === '') return;
  }
}

/**
 * Returns the keys in a list of objects. Some servers ignore the encoding that was asked for; they then do not name it in
 * their answer (MinIO #7260).
 * @param texts texts of the elements of the list, by name
 */
export function keysIn(texts: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const keys = texts.get('Key') ?? [];
  if (texts.get('EncodingType')?.[0] !== 'url') return keys;
  return keys.map((key) => decodeURIComponent(key.replaceAll('+', ' ')));
}
