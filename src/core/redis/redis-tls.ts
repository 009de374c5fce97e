import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, createSecureContext } from 'node:tls';
import { ioError, messageOf, systemCode, TaskpipeError } from '../base/errors.ts';
import { hasLockedKey } from '../base/pem.ts';
import type { RedisAddress, TlsNames } from './redis-address.ts';

/**
 * Reads the files of TLS.
 * @throws {TaskpipeError} `IO` if one cannot be read; `USAGE` if it has other content
 */
export function tlsOptions({ ca, cert, key, servername }: TlsNames): ConnectionOptions {
  const options = {
    ...(ca === undefined ? {} : { ca: certificates(ca) }),
    ...(cert === undefined ? {} : { cert: certificates(cert) }),
    ...(key === undefined ? {} : { key: contentOf(key) }),
  };
  try {
    createSecureContext(options);
  } catch (error) {
    throw new TaskpipeError('USAGE', keyFault(cert, key, options.key ?? '', messageOf(error)), {
      cause: error,
    });
  }
  return { ...options, ...(servername === undefined ? {} : { servername }) };
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    throw ioError('cannot read', file, error);
  }
}

function certificates(file: string): string {
  const text = contentOf(file);
  if (/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/.test(text)) return text;
  throw new TaskpipeError(
    'USAGE',
    `${file} has no certificate in PEM format, which begins with "-----BEGIN CERTIFICATE-----"`,
  );
}

function keyFault(cert: string | undefined, key: string | undefined, pem: string, words: string): string {
  if (/mismatch/i.test(words)) return `the key ${key} does not belong to the certificate ${cert}`;
  if (hasLockedKey(pem))
    return `the key ${key} is encrypted; decrypt it into a file that only you can read: openssl pkey -in ${key} -out FILE`;
  return `${key} has no private key in PEM format (or ${cert} is damaged): ${words}`;
}

/** Patterns of the code and message of an error of TLS, each with its meaning and remedy. */
const REASONS: readonly (readonly [RegExp, (error: unknown, address: RedisAddress) => string])[] = [
  [
    /CERT_HAS_EXPIRED|certificate has expired/,
    () => `its certificate has expired; renew it on the server (the clock here says ${today()})`,
  ],
  [
    /CERT_NOT_YET_VALID|not yet valid/,
    () => `its certificate is not valid yet; is the clock right? It says ${today()} here`,
  ],
  [/ALTNAME/, otherName],
  [/alert certificate required|alert handshake failure/, () => CLIENT_CERTIFICATE],
  [
    /alert (?:unknown ca|bad certificate|certificate \w+|decrypt error)/,
    (_, { tls }) =>
      tls?.cert === undefined
        ? CLIENT_CERTIFICATE
        : `it rejects the client certificate ${tls.cert}; the server trusts only authorities in its tls-ca-cert-file`,
  ],
  [
    /DEPTH_ZERO_SELF_SIGNED|self.signed certificate$/,
    () =>
      'its certificate is not trusted: it is self-signed; if it is yours, add ?ca=FILE with this certificate to the url',
  ],
  [
    /certificate|SELF_SIGNED|UNABLE_TO_/i,
    () => 'its certificate is not trusted; name the certificate of its authority with ?ca=FILE in the url',
  ],
  [
    /wrong version number|packet length too long|unexpected message|record layer failure/,
    () => 'it does not speak TLS; use redis:// in place of rediss://',
  ],
];

const CLIENT_CERTIFICATE = 'it asks for a client certificate; add ?cert=FILE&key=FILE to the url';

function today(): string {
  return new Date().toISOString().slice(0, 16).replace('T', ' ');
}

function otherName(error: unknown, { host }: RedisAddress): string {
  const { cert, host: asked = host } = error as { host?: string; cert?: { subjectaltname?: string } };
  const names = (cert?.subjectaltname ?? '').replaceAll(/(?:DNS|IP Address):/g, '') || 'another name';
  const [first = 'NAME'] = names.split(', ');
  return `its certificate is for ${names}, not for ${asked}; use such a name in the url, or add ?servername=${first}`;
}

/** Returns the meaning of an error of TLS; undefined for any other error. Retrying cannot fix these. */
export function tlsReason(error: unknown, address: RedisAddress): string | undefined {
  if (address.tls === undefined) return undefined;
  const words = `${systemCode(error) ?? ''} ${messageOf(error)}`;
  return REASONS.find(([pattern]) => pattern.test(words))?.[1](error, address);
}

/**
 * First message of a server that rejects a connection. ioredis loses it if its own first command finds the connection
 * closed.
 */
const REFUSAL = /^-((?:DENIED|ERR max number of clients)[^\r\n]*)/;

/**
 * Finds the reason for a failed connection: the server speaks TLS although the url says that it does not, or the
 * reverse, the handshake fails, or the server reports the reason. No credentials are sent.
 * @param within time for an answer, in milliseconds
 * @returns an error with the remedy; undefined if it is something else
 */
export async function probe(address: RedisAddress, within: number): Promise<Error | undefined> {
  const { host, port, tls, place } = address;
  const final = (reason: string): Error => new TaskpipeError('IO', `${place}: ${reason}`);
  if (tls === undefined) {
    let words = '';
    const plain = connect({ host, port });
    plain.on('data', (chunk) => {
      words += chunk.toString('latin1');
    });
    await firstOf(plain, 'data', within / 4);
    const refusal = REFUSAL.exec(words)?.[1];
    if (refusal !== undefined) return new Error(refusal);
    // Any certificate will do: nothing is sent.
    const socket = connectTls({ host, port, rejectUnauthorized: false });
    const isTls = (await firstOf(socket, 'secureConnect', within)) === undefined;
    return isTls ? final('it speaks TLS; use rediss:// in place of redis://') : undefined;
  }
  const plain = connect({ host, port });
  plain.write('PING\r\n');
  if ((await firstOf(plain, 'data', within)) === undefined)
    return final('it does not speak TLS; use redis:// in place of rediss://');
  const error = await firstOf(connectTls({ host, port, ...tlsOptions(tls) }), 'secureConnect', within);
  const reason = tlsReason(error, address);
  return reason === undefined ? undefined : final(reason);
}

/** Waits for an event of a connection. Returns undefined, or the error that came first. Closes the connection. */
async function firstOf(socket: Socket, event: string, within: number): Promise<unknown> {
  try {
    return await new Promise<unknown>((resolve) => {
      socket.once(event, () => resolve(undefined));
      socket.once('error', resolve);
      socket.once('close', () => resolve(new Error('closed')));
      socket.setTimeout(within, () => resolve(new Error('no answer')));
    });
  } finally {
    socket.destroy();
    socket.on('error', () => {}); // it does not matter any more
  }
}
