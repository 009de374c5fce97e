/* Client certificates and authorities, with certificates of openssl. */
import { once } from 'node:events';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { HttpOptions } from '../../../../src/executors/http/index.ts';
import { type Certificates, makeCertificates } from '../../../support/openssl.ts';
import { freshFolder, has, sh } from '../../../support/run.ts';
import { attempt, fetchOne, open } from '../support.ts';

const isThere = await has('openssl');
let files: Certificates;
beforeAll(async () => {
  if (isThere) files = await makeCertificates();
});

interface KnowingServer {
  readonly url: string;
  /** Name in the client certificate of each request, `''` without one. */
  readonly names: string[];
}

/** Serves TLS, and asks for a client certificate. @param location of a redirect that it answers with */
async function serveKnowing(location?: string, mustKnow = false): Promise<KnowingServer> {
  const names: string[] = [];
  const [key, cert, ca] = ['server.key', 'server.pem', 'ca.pem'].map((name) => readFileSync(files(name)));
  const options = { key, cert, ca, requestCert: true, rejectUnauthorized: mustKnow };
  const server = createServer(options as object, (request, response) => {
    const { subject } = (request.socket as TLSSocket).getPeerCertificate();
    names.push(String(subject?.CN ?? ''));
    response.setHeader('cache-control', 'max-age=1000');
    if (location !== undefined) response.writeHead(302, { location });
    response.end(`hello ${subject?.CN ?? 'no one'}`);
  });
  server.on('tlsClientError', () => {});
  server.listen(0);
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, names };
}

const mine = (): HttpOptions => ({
  cert: files('client.pem'),
  key: files('client.key'),
  cacert: files('ca.pem'),
});

describe.skipIf(!isThere)('a client certificate (needs openssl)', () => {
  test('is sent to the server of a task, which is trusted by --cacert', async () => {
    const server = await serveKnowing(undefined, true);
    const { result, error } = await fetchOne({ url: server.url }, mine());
    expect(error).toBeUndefined();
    expect(result).toMatchObject({ text: 'hello client' });
  });

  test('is not sent after a redirect to another origin', async () => {
    const other = await serveKnowing();
    const server = await serveKnowing(`${other.url}/x`);
    const executor = await open(mine());
    expect((await attempt(executor, { url: server.url })).result).toMatchObject({ text: 'hello no one' });
    expect((await attempt(executor, { url: other.url })).result).toMatchObject({ text: 'hello client' });
    expect([server.names, other.names]).toEqual([['client'], ['', 'client']]);
  });

  test('is sent through the tunnel of an https proxy, and not to the proxy', async () => {
    const server = await serveKnowing();
    const known: string[] = [];
    const [key, cert, ca] = ['server.key', 'server.pem', 'ca.pem'].map((name) => readFileSync(files(name)));
    const proxy = createServer({ key, cert, ca, requestCert: true, rejectUnauthorized: false } as object);
    proxy.on('connect', (request, socket) => {
      known.push(String((socket as TLSSocket).getPeerCertificate().subject?.CN ?? ''));
      const on = connect(Number((request.url ?? '').split(':')[1]), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        on.pipe(socket).pipe(on);
      });
      for (const end of [on, socket]) end.on('error', () => {});
    });
    proxy.listen(0);
    await once(proxy, 'listening');
    onTestFinished(() => void proxy.close());
    const url = `https://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const { result } = await fetchOne({ url: server.url }, { ...mine(), proxy: url });
    expect(result).toMatchObject({ text: 'hello client' });
    expect(known).toEqual(['']);
  });

  test('separates the entries of a cache', async () => {
    const server = await serveKnowing();
    const cache = join(freshFolder(), 'cache');
    const { cacert } = mine();
    const texts: unknown[] = [];
    for (const options of [mine(), { cacert }, mine()])
      texts.push((await fetchOne({ url: server.url }, { ...options, cache })).result?.text);
    expect(texts).toEqual(['hello client', 'hello no one', 'hello client']);
    expect(server.names).toHaveLength(2);
  });

  test('may have its key in the same file, and a key that TASK_KEY_PASSPHRASE decrypts', async () => {
    const server = await serveKnowing();
    const both = join(freshFolder(), 'both.pem');
    writeFileSync(
      both,
      readFileSync(files('client.pem'), 'utf8') + readFileSync(files('client.key'), 'utf8'),
      {
        mode: 0o600,
      },
    );
    chmodSync(files('locked.key'), 0o600);
    const cacert = files('ca.pem');
    const locked = { cert: files('client.pem'), key: files('locked.key'), cacert };
    const env = { TASK_KEY_PASSPHRASE: 'secret' };
    for (const options of [
      { cert: both, cacert },
      { ...locked, env },
    ])
      expect((await fetchOne({ url: server.url }, options)).result).toMatchObject({ text: 'hello client' });
    await expect(open(locked)).rejects.toThrow('set TASK_KEY_PASSPHRASE, or decrypt it: openssl pkey');
    await expect(open({ ...locked, env: { TASK_KEY_PASSPHRASE: 'no' } })).rejects.toThrow('does not decrypt');
  });

  test('may come from a pipe together with its key', async () => {
    const server = await serveKnowing(undefined, true);
    const both = `<(cat ${files('client.pem')} ${files('client.key')})`;
    const { code, stderr } = await sh(`task-exec --http --cert ${both} --cacert ${files('ca.pem')}`, {
      input: `{"uuid":"1","url":"${server.url}"}\n`,
    });
    expect(stderr).toContain('1 done');
    expect(code).toBe(0);
  });

  test('that cannot be used is an error that says why', async () => {
    const [cert, key] = [files('client.pem'), files('client.key')];
    await expect(open({ cert, key: files('ca.key') })).rejects.toThrow('does not belong to the certificate');
    await expect(open({ cert: key, key })).rejects.toThrow('has no certificate in PEM format');
    const empty = join(freshFolder(), 'empty.key');
    writeFileSync(empty, 'nothing', { mode: 0o600 });
    await expect(open({ cert, key: empty })).rejects.toThrow('has no private key in PEM format');
    await expect(open({ cacert: join(tmpdir(), 'none.pem') })).rejects.toMatchObject({ code: 'IO' });
    const readable = join(freshFolder(), 'readable.key');
    writeFileSync(readable, readFileSync(key), { mode: 0o644 });
    await expect(open({ cert, key: readable })).rejects.toThrow(`chmod 600 ${readable}`);
  });

  test('reaches curl by --print-curl', async (context) => {
    if (!(await has('curl'))) context.skip('curl is not installed');
    const server = await serveKnowing(undefined, true);
    const { cert, key, cacert } = mine();
    const { stderr, code } = await sh(
      `task-exec --http --cert ${cert} --key ${key} --cacert ${cacert} --print-curl`,
      { input: `{"uuid":"a","url":"${server.url}"}\n` },
    );
    expect(code).toBe(0);
    const line = stderr.split('\n').find((one) => one.includes('curl ')) ?? '';
    expect((await sh(`${line.slice(line.indexOf('curl '))} --silent`)).stdout).toBe('hello client');
  });
});

describe.skipIf(!isThere)('SSL_CERT_FILE (needs openssl)', () => {
  test('is trusted instead of the authorities of Node, unless --cacert is given', async () => {
    const server = await serveKnowing();
    const fetched = async (options: HttpOptions): Promise<unknown> => {
      const { error, result } = await fetchOne({ url: server.url }, options);
      return error?.code ?? result?.status;
    };
    const [ca, stranger] = [files('ca.pem'), files('stranger.pem')];
    expect(await fetched({ env: { SSL_CERT_FILE: ca } })).toBe(200);
    expect(await fetched({ env: { SSL_CERT_FILE: stranger } })).toBe('TLS');
    expect(await fetched({ env: { SSL_CERT_FILE: stranger }, cacert: ca })).toBe(200);
    expect(await fetched({})).toBe('TLS');
  });
});
