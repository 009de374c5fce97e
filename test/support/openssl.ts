import { join } from 'node:path';
import type { TestContext } from 'vitest';
import { freshFolder, has, sh } from './run.ts';

/** Skips a test if openssl is not installed. */
export async function needsOpenssl(context: TestContext): Promise<void> {
  if (!(await has('openssl'))) context.skip('openssl is not installed');
}

/** Function that returns the path of a certificate file, `NAME.pem` or `NAME.key`. */
export type Certificates = (name: string) => string;

/**
 * Makes an authority `ca`, another one `stranger`, a certificate `server` for 127.0.0.1, one for
 * `elsewhere.invalid`, a self-signed one `self`, and a `client` certificate.
 */
export async function makeCertificates(): Promise<Certificates> {
  const cwd = freshFolder();
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';
  const authority = (name: string): string =>
    `openssl req -x509 ${key} -keyout ${name}.key -out ${name}.pem -subj '/CN=${name}' -days 2`;
  const signed = (name: string, alternative: string): string =>
    `openssl req ${key} -keyout ${name}.key -out ${name}.csr -subj '/CN=${name}' &&
     printf 'subjectAltName=${alternative}\\n' > ${name}.ext &&
     openssl x509 -req -in ${name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ${name}.ext -out ${name}.pem`;
  const commands = [
    ...[authority('ca'), authority('stranger')],
    ...[signed('server', 'IP:127.0.0.1,DNS:localhost'), signed('elsewhere', 'DNS:elsewhere.invalid')],
    ...[signed('client', 'DNS:client'), `${authority('self')} -addext 'subjectAltName=IP:127.0.0.1'`],
    'openssl pkey -in client.key -aes256 -passout pass:secret -out locked.key',
  ];
  const { code, stderr } = await sh(commands.join(' &&\n'), { cwd });
  if (code !== 0) throw new Error(`openssl failed:\n${stderr}`);
  return (name) => join(cwd, name);
}
