/** Returns whether PEM text has an encrypted private key. What OpenSSL says of one without its passphrase varies by chance. */
export function hasLockedKey(pem: string): boolean {
  return /^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem);
}
