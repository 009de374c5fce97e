import { createHash, randomBytes } from 'node:crypto';
import { type Seen, serve, type TestServer } from '../../../support/http-server.ts';

export interface DigestServerOptions {
  /** Challenges instead of the usual one; `NONCE` is replaced. */
  readonly challenges?: readonly string[];
  readonly algorithm?: string;
  /** Number of requests for which a nonce is valid; then it is stale. */
  readonly uses?: number;
  /** True if a count must be one more than the last of its nonce. */
  readonly isStrict?: boolean;
  /** True if a stale nonce is rejected without saying that it is stale. */
  readonly hidesStale?: boolean;
  /** True if each answer has the nonce of the next request. */
  readonly givesNext?: boolean;
  readonly user?: string;
  readonly password?: string;
}

/** Digest server, with the outcome of each request. */
export interface DigestServer extends TestServer {
  /** Lines such as `POST 401 0`: method, status and length of the body. */
  readonly log: readonly string[];
}

/** Serves Digest as RFC 7616 says, and checks each member of the credentials. */
export async function serveDigest(options: DigestServerOptions = {}): Promise<DigestServer> {
  const { algorithm = 'SHA-256', uses = Number.POSITIVE_INFINITY, isStrict = false } = options;
  const nonces = new Map<string, { last: number; uses: number }>();
  const log: string[] = [];
  const fresh = (): string => {
    const nonce = randomBytes(8).toString('hex');
    nonces.set(nonce, { last: 0, uses: 0 });
    return nonce;
  };
  const verdict = (seen: Seen): 'good' | 'stale' | 'bad' => {
    const fields = fieldsOf(seen.headers.authorization ?? '');
    if (fields.response === undefined) return 'bad';
    if (fields.uri !== seen.url || fields.response !== responseFor(seen.method, fields, options))
      return 'bad';
    const state = nonces.get(fields.nonce ?? '');
    const count = Number.parseInt(fields.nc ?? '0', 16);
    if (state === undefined || state.uses >= uses) return 'stale';
    if (isStrict && count !== state.last + 1) return 'stale';
    state.last = count;
    state.uses++;
    return 'good';
  };
  const server = await serve((response, seen) => {
    const found = verdict(seen);
    log.push(`${seen.method} ${found === 'good' ? 200 : 401} ${seen.body.length}`);
    if (found === 'good') {
      if (options.givesNext) response.setHeader('Authentication-Info', `nextnonce="${fresh()}"`);
      response.end(`hello ${seen.body.length}`);
      return;
    }
    const nonce = fresh();
    const usual = `Digest realm="the \\"realm\\"", qop="auth, auth-int", algorithm=${algorithm}, nonce="NONCE", opaque="o,p"${found === 'stale' && !options.hidesStale ? ', stale=TRUE' : ''}`;
    const { challenges = [usual] } = options;
    response.statusCode = 401;
    response.setHeader(
      'WWW-Authenticate',
      challenges.map((one) => one.replace('NONCE', nonce)),
    );
    response.end('who are you?');
  });
  return Object.assign(server, { log });
}

function fieldsOf(header: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [, name = '', quoted, plain] of header.matchAll(/([\w*]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g))
    fields[name] = quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '';
  return fields;
}

const HASHES: Readonly<Record<string, string>> = {
  MD5: 'md5',
  'SHA-256': 'sha256',
  'SHA-512-256': 'sha512-256',
};

/** Returns the response that the credentials must have. */
export function responseFor(
  method: string,
  fields: Record<string, string>,
  { user = 'Mufasa', password = 'Circle of Life' }: DigestServerOptions,
): string {
  const name = (fields.algorithm ?? 'MD5').replace(/-sess$/, '');
  const hash = (text: string): string =>
    createHash(HASHES[name] ?? 'md5')
      .update(text)
      .digest('hex');
  let first = hash(`${user}:${fields.realm}:${password}`);
  if (fields.algorithm?.endsWith('-sess')) first = hash(`${first}:${fields.nonce}:${fields.cnonce}`);
  const second = hash(`${method}:${fields.uri}`);
  return fields.qop === undefined
    ? hash(`${first}:${fields.nonce}:${second}`)
    : hash(`${first}:${fields.nonce}:${fields.nc}:${fields.cnonce}:${fields.qop}:${second}`);
}
