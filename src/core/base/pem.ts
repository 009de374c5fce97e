/**
 * Returns whether PEM text has an encrypted private key. The error of OpenSSL for such a key without its
 * passphrase varies from call to call.
 */
export function hasLockedKey(pem: string): boolean {
  return /^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem);
}
