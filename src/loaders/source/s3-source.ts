import { TaskpipeError } from '../../core/base/errors.ts';
import type { S3Bucket, S3Settings } from '../../core/s3/contract.ts';
import { s3Address } from '../../core/s3/s3-address.ts';

/** Reads the bytes of an object in S3. @throws {TaskpipeError} `USAGE`, `IO` */
export async function* objectBytes(place: string, settings: S3Settings): AsyncGenerator<Buffer> {
  const { bucket, key } = await opened(place, settings);
  try {
    const { readObject } = await import('../../core/s3/s3-objects.ts');
    yield* readObject(bucket, key);
  } finally {
    await bucket.close();
  }
}

/** Checks that an object in S3 can be read. @throws {TaskpipeError} `USAGE`, `IO` */
export async function mustBeThere(place: string, settings: S3Settings): Promise<void> {
  const { bucket, key } = await opened(place, settings);
  try {
    const { checkObject } = await import('../../core/s3/s3-objects.ts');
    await checkObject(bucket, key);
  } finally {
    await bucket.close();
  }
}

async function opened(
  place: string,
  settings: S3Settings,
): Promise<{ readonly bucket: S3Bucket; readonly key: string }> {
  const address = s3Address(place);
  if (/^$|\/$/.test(address.key))
    throw new TaskpipeError('USAGE', `${address.place}: name one object, as in s3://BUCKET/list.csv`);
  const { openBucket } = await import('../../core/s3/s3-bucket.ts'); // loads the connection only if it is needed
  return { bucket: openBucket(address, settings), key: address.key };
}
