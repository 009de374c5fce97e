import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { ioError } from '../base/errors.ts';
import type { PostgresAddress } from './postgres-address.ts';

/** Message of the library for a server that does not speak TLS. */
export const NO_TLS = 'The server does not support SSL connections';

/**
 * Returns the options of TLS for a connection, as libpq understands the mode: `prefer` and `require` encrypt,
 * `verify-ca` checks the certificate of the server, `verify-full` its name too.
 * @returns false for a connection without TLS
 * @throws {TaskpipeError} `IO` if a file cannot be read
 */
export function postgresTls({ host, tls }: PostgresAddress): ConnectionOptions | false {
  const { mode, rootCert, cert, key } = tls;
  if (mode === 'disable' || mode === 'allow' || host.startsWith('/')) return false;
  const known = join(homedir(), '.postgresql/root.crt');
  const root = rootCert ?? (existsSync(known) ? known : undefined);
  const checks = mode.startsWith('verify') || (mode === 'require' && root !== undefined);
  const isNamed = mode === 'verify-full' || rootCert === 'system';
  return {
    rejectUnauthorized: checks || rootCert === 'system',
    ...(root === undefined || root === 'system' ? {} : { ca: fileOf('sslrootcert', root) }),
    ...(cert === undefined ? {} : { cert: fileOf('sslcert', cert) }),
    ...(key === undefined ? {} : { key: fileOf('sslkey', key) }),
    ...(isNamed ? {} : { checkServerIdentity: () => undefined }),
  };
}

function fileOf(use: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw ioError(`cannot read ${use}`, path, error);
  }
}
