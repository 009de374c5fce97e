/* AWS signatures: each request that a server receives is signed again by the signer of the AWS SDK. */
import { createHash, createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SignatureV4 } from '@smithy/signature-v4';
import { describe, expect, test } from 'vitest';
import type { HttpOptions } from '../../../../src/executors/http/index.ts';
import { type Seen, serve, type TestServer } from '../../../support/http-server.ts';
import { freshFolder, has, sh } from '../../../support/run.ts';
import { attempt, fetchOne, open } from '../support.ts';

const env = {
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
};

/** SHA-256 as the signer wants it. */
class Sha256 {
  readonly #hash;
  constructor(secret?: string | Uint8Array) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret);
  }
  update(data: string | Uint8Array): void {
    this.#hash.update(data);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {}
}

/** Returns the `Authorization` that the SDK gives to a request. */
async function reference({ method, url, headers, body }: Seen, scope: string): Promise<string | undefined> {
  const [region = '', service = ''] = scope.split(':');
  const signer = new SignatureV4({
    ...{ region, service, applyChecksum: false, uriEscapePath: service !== 's3' },
    credentials: { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY },
    sha256: Sha256 as never,
  });
  const [sent = '', query = ''] = url.split(/\?(.*)/s);
  // The SDK escapes the keys of S3 before it signs; S3 itself does so when it checks a signature.
  const path = service === 's3' ? sent.split('/').map(escapedKey).join('/') : sent;
  const parameters: Record<string, string[]> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    parameters[name] ??= [];
    parameters[name].push(value);
  }
  const signed = /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '')?.[1]?.split(';') ?? [];
  const given = Object.fromEntries(signed.map((name) => [name, String(headers[name])]));
  const request = { method, protocol: 'http:', hostname: 'x', path, query: parameters, headers: given, body };
  const time = String(headers['x-amz-date']).replace(/^(....)(..)(..T..)(..)/, '$1-$2-$3:$4:');
  const { headers: made } = await signer.sign(request, { signingDate: new Date(time) });
  return made.authorization ?? made.Authorization;
}

function escapedKey(part: string): string {
  const escaped = (one: string): string => `%${one.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(decodeURIComponent(part)).replace(/[!'()*]/g, escaped);
}

const answering = (): Promise<TestServer> => serve((response) => response.end('ok'));

describe('--aws-sigv4', () => {
  test.each([
    ['/', 'eu-west-1:s3', {}],
    ['/a/b.txt?versionId=3&x=', 'eu-west-1:s3', {}],
    ['/year=2024/mac@2x.png', 'eu-west-1:s3', {}],
    ['/sp%20ace/%E2%82%AC/10%2B2.jpg', 'eu-west-1:s3', {}],
    ["/it's(1)!*~", 'eu-west-1:s3', {}],
    ['/a//b/', 'eu-west-1:s3', {}],
    ['/path?b=2&a=1&a=0&c=%20%2F&d=a+b', 'us-east-1:execute-api', {}],
    ['/@me/%3Fa=b%20c', 'us-east-1:es', {}],
    [
      '/post',
      'us-east-1:dynamodb',
      { method: 'json', json: { a: 'ä' }, headers: { 'X-Amz-Target': 'T  x' } },
    ],
    ['/form', 'us-east-1:sqs', { method: 'put', data: 'a=1&b=2' }],
  ])('signs %s for %s as the SDK does', async (path, scope, more) => {
    const server = await answering();
    const { error } = await fetchOne({ url: server.url + path, ...more }, { awsSigv4: scope, env });
    expect(error).toBeUndefined();
    const [seen] = server.seen as [Seen];
    expect(seen.headers.authorization).toBe(await reference(seen, scope));
    expect(seen.headers['x-amz-content-sha256']).toBe(createHash('sha256').update(seen.body).digest('hex'));
    expect(seen.headers.authorization).toMatch(/host;x-amz-content-sha256;x-amz-date/);
  });

  test('signs the bytes of files that are uploaded', async () => {
    const server = await answering();
    const file = join(freshFolder(), 'big.bin');
    writeFileSync(file, 'x'.repeat(300_000));
    const options: HttpOptions = { awsSigv4: 'eu-west-1:s3', env, bodyFile: file, method: 'put' };
    await fetchOne({ url: `${server.url}/big.bin` }, options);
    const [seen] = server.seen as [Seen];
    expect(seen.body).toHaveLength(300_000);
    expect(seen.headers['x-amz-content-sha256']).toBe(createHash('sha256').update(seen.body).digest('hex'));
    expect(seen.headers.authorization).toBe(await reference(seen, 'eu-west-1:s3'));
    const { error } = await fetchOne({ url: server.url }, { ...options, bodyFile: `${file}.none` });
    expect(error).toMatchObject({ code: 'BODY_FILE' });
  });

  test('sends and signs the token of temporary credentials, but not to another origin', async () => {
    const other = await answering();
    const server = await serve((response, { url }) =>
      url === '/b'
        ? response.writeHead(307, { location: other.url }).end()
        : response.writeHead(307, { location: '/b' }).end(),
    );
    await fetchOne({ url: server.url }, { awsSigv4: 'r:s', env: { ...env, AWS_SESSION_TOKEN: 'temporary' } });
    for (const seen of server.seen) {
      expect(seen.headers['x-amz-security-token']).toBe('temporary');
      expect(seen.headers.authorization).toMatch(/;x-amz-security-token,/);
      expect(seen.headers.authorization).toBe(await reference(seen, 'r:s'));
    }
    expect(server.seen).toHaveLength(2);
    expect(Object.keys(other.seen[0]?.headers ?? {}).filter((name) => /amz|auth/.test(name))).toEqual([]);
  });

  test('separates the entries of a cache by access key', async () => {
    const server = await serve((response) => response.setHeader('cache-control', 'max-age=1000').end('x'));
    const cache = join(freshFolder(), 'cache');
    const other = { ...env, AWS_ACCESS_KEY_ID: 'OTHER' };
    for (const one of [env, other, env]) {
      const executor = await open({ awsSigv4: 'r:s', env: one, cache });
      await attempt(executor, { url: server.url });
    }
    expect(server.seen).toHaveLength(2);
  });

  test('prints a command line by which curl signs too, without the keys', async (context) => {
    if (!(await has('curl'))) context.skip('curl is not installed');
    const server = await answering();
    const session = { ...env, AWS_SESSION_TOKEN: 'temporary' };
    const input = `${JSON.stringify({ uuid: 'a', url: `${server.url}/a/b` })}\n`;
    const options = '--http --aws-sigv4 eu-west-1:s3 --print-curl --dry-run';
    const { stderr } = await sh(`task-exec ${options}`, { input, env: session });
    expect(stderr).not.toMatch(/wJalr|temporary/);
    const line = stderr.split('\n').find((one) => one.includes('curl ')) ?? '';
    await sh(line.slice(line.indexOf('curl ')), { env: session });
    expect(server.seen[0]?.headers.authorization).toMatch(/Credential=AKIDEXAMPLE.*eu-west-1\/s3/);
    expect(server.seen[0]?.headers['x-amz-security-token']).toBe('temporary');
  });
});
