import { createHash, type Hash, hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AwsV4Signer } from 'aws4fetch';
import { TaskpipeError } from '../../../core/base/errors.ts';
import { quoted } from '../../../core/base/terminal-text.ts';
import { AWS_ADVICE, type AwsCredentials, credentialsIn, sectionOf } from '../../../core/s3/aws-profile.ts';
import { encodeUtf8, pathBytes } from '../../../core/text/encoding.ts';
import { type HeaderList, headerValue, mergeHeaders } from '../request/headers.ts';
import type { HttpRequest } from '../request/redirect.ts';
import type { BodyPart, RequestBody } from '../request/request-body.ts';
import type { Login } from './login.ts';
import { readSecretFile } from './secret-file.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Returns the login by AWS Signature Version 4. Each request is signed when it is sent, with the hash of its body; files
 * are read once more for that.
 * @param scope `REGION:SERVICE`
 * @throws {TaskpipeError} `USAGE` if there are no credentials, or others can read their file; `IO` if it cannot be read
 */
export async function sigv4Login(scope: string, env: Variables): Promise<Login> {
  const [region = '', service = ''] = scope.split(':').slice(-2);
  const credentials = credentialsIn(env) ?? (await profileCredentials(env));
  const cache = new Map<string, ArrayBuffer>();
  return {
    identity: `AWS4 ${credentials.accessKeyId} ${region} ${service}`,
    curl: () => [
      ...['--aws-sigv4', `aws:amz:${region}:${service}`],
      ...['--user', '"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"'],
      ...(credentials.sessionToken === undefined ? [] : ['-H', '"X-Amz-Security-Token: $AWS_SESSION_TOKEN"']),
    ],
    async send(hop, headers, _, send) {
      const signed = await new AwsV4Signer({
        ...{ ...credentials, region, service, cache, method: hop.method, url: hop.target.href },
        headers: await headersToSign(hop, headers),
      }).sign();
      // Names in the usual spelling, because some servers compare them.
      const added = [...signed.headers].flatMap(([name, value]) =>
        name.startsWith('x-amz-') || name === 'authorization' ? [capitals(name), value] : [],
      );
      return send(hop, mergeHeaders(headers, added));
    },
  };
}

/** Reads the credentials of the profile `AWS_PROFILE`, else of `default`. */
async function profileCredentials(env: Variables): Promise<AwsCredentials> {
  const { AWS_PROFILE: profile, AWS_SHARED_CREDENTIALS_FILE: named, HOME: home } = env;
  const file = named || (home && join(home, '.aws/credentials'));
  if (file && (profile || named || (await isThere(file)))) {
    const name = profile || 'default';
    const found = credentialsIn(sectionOf(await readSecretFile('--aws-sigv4', file), name));
    if (found !== undefined) return found;
    throw new TaskpipeError(
      'USAGE',
      `--aws-sigv4: ${file} has no aws_access_key_id and aws_secret_access_key for the profile ${quoted(name)}; for other kinds of profiles, ${AWS_ADVICE}`,
    );
  }
  throw new TaskpipeError(
    'USAGE',
    `--aws-sigv4 needs the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN for temporary credentials; ${AWS_ADVICE}`,
  );
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

/** Returns the headers that the signature covers, besides `Host`: those of AWS, with the hash of the body. */
async function headersToSign(
  { content }: HttpRequest,
  headers: HeaderList,
): Promise<[name: string, value: string][]> {
  const pairs: [string, string][] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (/^x-amz-/i.test(name)) pairs.push([name, headers[i + 1] as string]);
  }
  if (headerValue(headers, 'x-amz-content-sha256') === undefined)
    pairs.push(['X-Amz-Content-Sha256', await bodyHash(content)]);
  return pairs;
}

async function bodyHash(content: RequestBody | undefined): Promise<string> {
  if (content?.upload === undefined) return hash('sha256', content?.bytes ?? content?.text ?? '');
  const all = createHash('sha256');
  for (const part of content.upload.parts) await addPart(all, part);
  return all.digest('hex');
}

/** Adds a part of a body. A file that cannot be read is left out: the request then fails when it opens the file. */
async function addPart(all: Hash, part: BodyPart): Promise<void> {
  if (typeof part === 'string') {
    all.update(encodeUtf8(part));
    return;
  }
  const path = pathBytes(part.path);
  try {
    if (!(await stat(path)).isFile()) return;
    for await (const chunk of createReadStream(path)) all.update(chunk as Buffer);
  } catch {
    // reported when the file is sent
  }
}

function capitals(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}
