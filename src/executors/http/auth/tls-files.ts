import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import { ioError, messageOf, TaskpipeError } from '../../../core/base/errors.ts';
import { hasLockedKey } from '../../../core/base/pem.ts';
import { readSecretFile } from './secret-file.ts';

/** Files and variables of TLS. */
export interface HttpTlsNames {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly cacert?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Contexts of TLS connections. A context is made once: reading a bundle of authorities takes milliseconds. */
export interface TlsFiles {
  /** Context without a client certificate; undefined for Node's own authorities. */
  readonly plain: SecureContext | undefined;
  /** Context with the client certificate. */
  readonly own: SecureContext | undefined;
  /** Text that identifies the client certificate; `''` without one. */
  readonly identity: string;
}

/** Variable with the passphrase of `--key`. */
const PASSPHRASE = 'TASK_KEY_PASSPHRASE';

/**
 * Reads the files of `--cert`, `--key`, and `--cacert`, else of `SSL_CERT_FILE`.
 * @throws {TaskpipeError} `IO` if one cannot be read; `USAGE` if it has other content
 */
export async function readTlsFiles({ cert, key, cacert, env }: HttpTlsNames): Promise<TlsFiles> {
  if (key !== undefined && cert === undefined)
    throw new TaskpipeError('USAGE', '--key is the key of a client certificate; add --cert FILE');
  const variable = env.SSL_CERT_FILE;
  const ca =
    cacert !== undefined
      ? await certificatesIn('--cacert', cacert)
      : variable
        ? await certificatesIn('SSL_CERT_FILE', variable)
        : undefined;
  const plain = ca === undefined ? undefined : contextOf({ ca }, 'the authorities cannot be used');
  if (cert === undefined) return { plain, own: undefined, identity: '' };
  // A file with both is read once, as it may be a pipe.
  const both = key === undefined ? await readSecretFile('--cert', cert) : undefined;
  const chain =
    both === undefined ? await certificatesIn('--cert', cert) : certificatesOf(both, '--cert', cert);
  const secret = both ?? (await readSecretFile('--key', key ?? cert));
  const passphrase = env[PASSPHRASE];
  const given = { cert: chain, key: secret, ...(ca && { ca }), ...(passphrase && { passphrase }) };
  return { plain, own: contextOf(given, keyFault(cert, key, secret, env)), identity: hash('sha256', chain) };
}

async function certificatesIn(option: string, file: string): Promise<string> {
  const text = await readFile(file, 'latin1').catch((error) => {
    throw ioError(`cannot read ${option}`, file, error);
  });
  return certificatesOf(text, option, file);
}

/** Returns a text that has certificates. @throws {TaskpipeError} `USAGE` if it has none */
function certificatesOf(text: string, option: string, file: string): string {
  if (/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/.test(text)) return text;
  throw new TaskpipeError(
    'USAGE',
    `${option} ${file} has no certificate in PEM format, which begins with "-----BEGIN CERTIFICATE-----"`,
  );
}

function contextOf(
  given: Parameters<typeof createSecureContext>[0],
  rule: string | ((words: string) => string),
): SecureContext {
  try {
    return createSecureContext(given);
  } catch (error) {
    const words = messageOf(error);
    const message = typeof rule === 'string' ? `${rule}: ${words}` : rule(words);
    throw new TaskpipeError('USAGE', message, { cause: error });
  }
}

function keyFault(
  cert: string,
  key: string | undefined,
  pem: string,
  env: HttpTlsNames['env'],
): (words: string) => string {
  return (words) => {
    if (/mismatch/i.test(words))
      return `the key ${key ?? cert} does not belong to the certificate --cert ${cert}`;
    if (hasLockedKey(pem))
      return env[PASSPHRASE]
        ? `${PASSPHRASE} does not decrypt the key ${key ?? cert}`
        : `the key ${key ?? cert} is encrypted; set ${PASSPHRASE}, or decrypt it: openssl pkey -in ${key ?? cert} -out FILE`;
    if (key === undefined) return `--cert ${cert} has no private key in PEM format; add --key FILE`;
    return `--key ${key} has no private key in PEM format: ${words}`;
  };
}
