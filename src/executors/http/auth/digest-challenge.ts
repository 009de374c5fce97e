import { asSent } from '../response/body.ts';
import type { Answer } from '../transport/answer.ts';

/** Algorithms of RFC 7616, with their names in Node. */
const ALGORITHMS: Readonly<Record<string, string>> = {
  md5: 'md5',
  'sha-256': 'sha256',
  'sha-512-256': 'sha512-256',
};

/** Challenge of a server that asks for Digest. */
export interface DigestChallenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  /** Name of the algorithm as the server wrote it; undefined if it named none, which means MD5. */
  readonly algorithm: string | undefined;
  /** Name of the hash in Node. */
  readonly hash: string;
  /** True for the `-sess` variants. */
  readonly isSession: boolean;
  /** True for `qop=auth`, false for servers of RFC 2069. */
  readonly hasQop: boolean;
  /** True if the server rejects only the nonce, not the password. */
  readonly isStale: boolean;
  /** True if the user is sent as a hash. */
  readonly hidesUser: boolean;
  readonly isUtf8: boolean;
}

type Parameters = Readonly<Record<string, string>>;

const PART = /[\s,]*([\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/y;

/** Parses `WWW-Authenticate`: pairs of a scheme in lower case, and its parameters by names in lower case. */
export function challengesIn(header: string | string[] | undefined): (readonly [string, Parameters])[] {
  const text = [header ?? []].flat().map(asSent).join(', ');
  const all: [string, Record<string, string>][] = [];
  const part = new RegExp(PART);
  for (let found = part.exec(text); found !== null; found = part.exec(text)) {
    const [, name = '', quoted, plain] = found;
    const value = quoted?.replace(/\\(.)/gs, '$1') ?? plain;
    if (value === undefined) all.push([name.toLowerCase(), Object.create(null)]);
    else if (all.length > 0)
      (all.at(-1) as [string, Record<string, string>])[1][name.toLowerCase()] ??= value;
  }
  return all;
}

/** Returns the first Digest challenge of an answer that is supported; undefined if there is none. */
export function digestChallenge({ headers }: Answer): DigestChallenge | undefined {
  for (const [scheme, parameters] of challengesIn(headers['www-authenticate'])) {
    const challenge = scheme === 'digest' ? readChallenge(parameters) : undefined;
    if (challenge !== undefined) return challenge;
  }
  return undefined;
}

function readChallenge(parameters: Parameters): DigestChallenge | undefined {
  const { realm = '', nonce, opaque, algorithm, qop, stale, userhash, charset } = parameters;
  const [, name = '', session] = /^(.*?)(-sess)?$/i.exec(algorithm ?? 'MD5') ?? [];
  const hash = ALGORITHMS[name.toLowerCase()];
  const hasQop = qop !== undefined && qop !== '';
  if (nonce === undefined || hash === undefined) return undefined;
  if (hasQop && !qop.split(/[\s,]+/).some((one) => one.toLowerCase() === 'auth')) return undefined;
  return {
    ...{ realm, nonce, opaque, algorithm, hash, hasQop },
    isSession: session !== undefined,
    isStale: stale?.toLowerCase() === 'true',
    hidesUser: userhash?.toLowerCase() === 'true',
    isUtf8: charset?.toLowerCase() === 'utf-8',
  };
}

/** Returns the nonce that a server gives for the next request (`Authentication-Info`). */
export function nextNonce({ headers }: Answer): string | undefined {
  const text = [headers['authentication-info'] ?? []].flat().join(', ');
  return /(?:^|[\s,])nextnonce\s*=\s*"((?:[^"\\]|\\.)*)"/i.exec(text)?.[1]?.replace(/\\(.)/gs, '$1');
}
