/* Servers that speak HTTP/2 only: without --http2, task-exec cannot use them, and reports why. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { GOOD, KEY } from '../../../support/certificates.ts';
import { serve } from '../../../support/http-server.ts';
import { needsServer, startNghttpd } from '../../../support/web-servers.ts';
import { fetchOne } from '../support.ts';

test('a server of HTTP/2 without encryption fails its tasks, and the message says what it speaks', async (context) => {
  await needsServer(context, 'nghttpd');
  const url = await startNghttpd();
  const { error } = await fetchOne({ url });
  expect(error).toEqual({
    code: 'CONNECTION',
    message: `${new URL(url).host} speaks only HTTP/2 (--http2 uses it for https urls)`,
  });
});

test('a server of HTTP/2 over TLS that does not know HTTP/1.1 is named as such', async (context) => {
  await needsServer(context, 'nghttpd');
  const url = await startNghttpd({ key: KEY, cert: GOOD });
  const { error } = await fetchOne({ url }, { insecure: true });
  expect(error?.message).toBe(
    `${new URL(url).host} closed the connection before it answered; perhaps it speaks only HTTP/2 (--http2): it did not choose HTTP/1.1 (ALPN)`,
  );
});

test('a server that refuses HTTP/1.1 in the handshake is named as such', async () => {
  const server = createServer({ key: KEY, cert: GOOD, ALPNProtocols: ['h2'] }).listen(0, '127.0.0.1');
  server.on('tlsClientError', () => {});
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const { error } = await fetchOne({ url: `https://127.0.0.1:${port}` }, { insecure: true });
  expect(error).toEqual({
    code: 'TLS',
    message: `127.0.0.1:${port} does not speak HTTP/1.1 (--http2 uses HTTP/2)`,
  });
});

test('a server without TLS fails a https url, with a hint at http', async () => {
  const server = await serve((response) => response.end());
  const { error } = await fetchOne({ url: `https://127.0.0.1:${server.port}` });
  expect(error?.message).toMatch(
    /wrong version number; perhaps it does not speak TLS, and its urls begin with http:$/,
  );
});
