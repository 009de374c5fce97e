/* TLS: messages about faults of certificates and protocols, with the remedy. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import * as certificates from '../support/certificates.ts';
import { type Certificates, makeCertificates, needsOpenssl } from '../support/openssl.ts';
import { freePort } from '../support/port.ts';
import { needsRedis, startRedis, startSentinel } from '../support/redis.ts';
import { freshFolder, sh } from '../support/run.ts';

beforeEach(needsRedis);
beforeEach(needsOpenssl);

/** Starts a server with TLS alone. Returns its host and port. */
async function startTls(cert: string, key: string, ca: string, ...more: readonly string[]): Promise<string> {
  const port = await freePort();
  const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', ca];
  await startRedis('--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no', ...files, ...more);
  return `127.0.0.1:${port}`;
}

/** Returns the message of a command about a server, or `fine`. It must not wait for long. */
async function said(url: string): Promise<string> {
  const { code, stderr } = await sh(`timeout 20 task-queue size '${url}' --name q`);
  return code === 0 ? 'fine' : `${code} ${stderr.replace(/^task-queue: /, '').trim()}`;
}

const serverOf = (at: Certificates, name: string, ...more: readonly string[]): Promise<string> =>
  startTls(at(`${name}.pem`), at(`${name}.key`), at('ca.pem'), ...more);

test('a certificate that is not trusted, for another host, or expired is named with the remedy', async () => {
  const at = await makeCertificates();
  const ca = `?ca=${at('ca.pem')}`;
  const host = await serverOf(at, 'server');
  expect(await said(`rediss://${host}/0${ca}`)).toBe('fine');
  expect(await said(`rediss://${host}/0`)).toBe(
    `74 rediss://${host}/0: its certificate is not trusted; name the certificate of its authority with ?ca=FILE in the url`,
  );
  const self = await serverOf(at, 'self');
  expect(await said(`rediss://${self}/0`)).toMatch(/it is self-signed; if it is yours, add \?ca=FILE/);
  expect(await said(`rediss://${self}/0?ca=${at('self.pem')}`)).toBe('fine');
  const elsewhere = await serverOf(at, 'elsewhere');
  expect(await said(`rediss://${elsewhere}/0${ca}`)).toBe(
    `74 rediss://${elsewhere}/0: its certificate is for elsewhere.invalid, not for 127.0.0.1; use such a name in the url, or add ?servername=elsewhere.invalid`,
  );
  expect(await said(`rediss://${elsewhere}/0${ca}&servername=elsewhere.invalid`)).toBe('fine');
  const folder = freshFolder();
  const old = { cert: certificates.EXPIRED, key: certificates.KEY, ca: certificates.AUTHORITY };
  for (const [name, text] of Object.entries(old)) writeFileSync(join(folder, name), text);
  const expired = await startTls(join(folder, 'cert'), join(folder, 'key'), join(folder, 'ca'));
  expect(await said(`rediss://${expired}/0?ca=${join(folder, 'ca')}`)).toMatch(
    /its certificate has expired; renew it on the server \(the clock here says 20/,
  );
}, 60_000);

test('a client certificate is sent to a server that asks for one', async () => {
  const at = await makeCertificates();
  const host = await serverOf(at, 'server', '--tls-auth-clients', 'yes');
  const url = `rediss://${host}/0?ca=${at('ca.pem')}`;
  const pair = (cert: string, key: string): string => `${url}&cert=${at(cert)}&key=${at(key)}`;
  expect(await said(pair('client.pem', 'client.key'))).toBe('fine');
  expect(await said(url)).toMatch(/client certificate.*\?cert=FILE&key=FILE/);
  expect(await said(pair('stranger.pem', 'stranger.key'))).toMatch(
    /it rejects the client certificate .*stranger\.pem; the server trusts only .*tls-ca-cert-file/,
  );
  expect(await said(pair('client.pem', 'server.key'))).toMatch(
    /^2 the key .*server\.key does not belong to the certificate .*client\.pem$/,
  );
  expect(await said(pair('client.pem', 'locked.key'))).toMatch(
    /^2 the key .*locked\.key is encrypted; .*pkey/,
  );
  expect(await said(pair('client.key', 'client.key'))).toMatch(
    /client\.key has no certificate in PEM format/,
  );
  expect(await said(pair('client.pem', 'none.key'))).toMatch(/^74 cannot read .*none\.key: no such file/);
}, 60_000);

test('a server that speaks TLS contrary to the url, or does not, is detected within seconds', async () => {
  const at = await makeCertificates();
  const plain = await startRedis();
  const secure = await serverOf(at, 'server');
  const began = performance.now();
  expect(await said(plain.url.replace('redis:', 'rediss:'))).toMatch(
    /^74 rediss:\S+ it does not speak TLS; use redis:\/\/ in place of rediss:\/\/$/,
  );
  expect(await said(`redis://${secure}/0`)).toMatch(
    /^74 redis:\S+ it speaks TLS; use rediss:\/\/ in place of redis:\/\/$/,
  );
  expect(performance.now() - began).toBeLessThan(10_000);
}, 60_000);

test('Sentinel leads to a primary over TLS', async () => {
  const at = await makeCertificates();
  const host = await serverOf(at, 'server', '--tls-replication', 'yes');
  const files = ['cert-file server.pem', 'key-file server.key', 'ca-cert-file ca.pem'].map((line) => {
    const [name = '', file = ''] = line.split(' ');
    return `tls-${name} ${at(file)}`;
  });
  const tlsPort = await freePort();
  const more = [`tls-port ${tlsPort}`, 'tls-auth-clients no', 'tls-replication yes', ...files];
  await startSentinel(Number(host.split(':')[1]), ...more);
  const url = `rediss+sentinel://127.0.0.1:${tlsPort}/main`;
  expect(await said(`${url}?ca=${at('ca.pem')}`)).toBe('fine');
  expect(await said(url)).toMatch(/its certificate is not trusted/);
}, 60_000);
