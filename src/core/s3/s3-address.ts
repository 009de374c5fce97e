import { TaskpipeError } from '../base/errors.ts';
import { quoted } from '../base/terminal-text.ts';
import { scrubbed } from '../options/secrets.ts';

/** Address of an object, or of the objects whose keys begin alike. */
export interface S3Address {
  readonly bucket: string;
  /** Key of the object, or beginning of the keys; empty for the whole bucket. */
  readonly key: string;
  /** `s3://BUCKET/KEY`, for messages. */
  readonly place: string;
}

/** Longest key, in bytes. */
export const LONGEST_KEY = 1024;

/** Returns whether a place is in an object storage that speaks S3. */
export function isS3(place: string | undefined): boolean {
  return place !== undefined && /^s3:\/\//i.test(place);
}

/** Parses `s3://BUCKET/KEY`. The key is taken as it is typed, also with `%` and `?`. @throws {TaskpipeError} `USAGE` */
export function s3Address(typed: string): S3Address {
  const [, bucket = '', key = ''] = /^s3:\/\/([^/]*)\/?(.*)$/is.exec(typed) ?? [];
  const refuse = (words: string): never => {
    throw new TaskpipeError('USAGE', `${words}; got ${quoted(scrubbed(typed))}`);
  };
  if (!/^\w[\w.-]{1,62}$/.test(bucket)) refuse('an address in S3 is s3://BUCKET/KEY');
  if (Buffer.byteLength(key) > LONGEST_KEY) refuse(`a key in S3 has at most ${LONGEST_KEY} bytes`);
  if (!key.isWellFormed()) refuse('a key in S3 is valid text');
  // The library that signs requests resolves them, as browsers do.
  if (key.split('/').some((part) => part === '.' || part === '..'))
    refuse('a key in S3 must not have "." or ".." between slashes');
  return { bucket, key, place: `s3://${bucket}/${key}` };
}
