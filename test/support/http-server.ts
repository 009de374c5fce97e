import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import {
  type AddressInfo,
  createServer as createRawServer,
  type Server as RawServer,
  type Socket,
} from 'node:net';
import { onTestFinished } from 'vitest';

/** Request that a server received, with its body. */
export interface Seen {
  readonly method: string;
  /** Path and query, or the whole url of a request to a proxy. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** Local server that ends with the test. */
export interface TestServer {
  /** Url such as `http://127.0.0.1:41234`. */
  readonly url: string;
  readonly port: number;
  /** Requests so far, in order. */
  readonly seen: readonly Seen[];
  /** Number of connections so far. */
  readonly connections: number;
}

/** Function that answers a request; `seen` is the request with its body. */
export type Answering = (response: ServerResponse, seen: Seen) => void;

/** Serves HTTP on a free port. */
export async function serve(answer: Answering): Promise<TestServer> {
  const seen: Seen[] = [];
  return listen(createServer(reading(answer, seen)), 'http', seen);
}

/** Serves HTTPS with a self-signed certificate for localhost and 127.0.0.1. */
export async function serveTls(answer: Answering): Promise<TestServer> {
  const seen: Seen[] = [];
  return listen(createTlsServer({ key: KEY, cert: CERTIFICATE }, reading(answer, seen)), 'https', seen);
}

/**
 * Serves raw bytes. For each request whose head has arrived, `answer` uses the socket as it likes.
 * @param answer receives the number of the request on this server, from 1
 */
export async function serveRaw(
  answer: (socket: Socket, head: string, count: number) => void,
): Promise<TestServer> {
  let count = 0;
  const heads = new WeakMap<Socket, string>();
  return serveSocket((socket, chunk) => {
    const head = (heads.get(socket) ?? '') + chunk.toString('latin1');
    const isWhole = head.includes('\r\n\r\n');
    heads.set(socket, isWhole ? '' : head);
    if (isWhole) answer(socket, head, ++count);
  });
}

/** Serves raw bytes for any input: `answer` receives each chunk. */
export async function serveSocket(answer: (socket: Socket, chunk: Buffer) => void): Promise<TestServer> {
  const server = createRawServer((socket) => {
    socket.on('error', () => {}); // some tests cause resets
    socket.on('data', (chunk) => answer(socket, chunk));
  });
  return listen(server, 'http', []);
}

/** Returns a port without a listener. */
export async function closedPort(): Promise<number> {
  const server = createRawServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function listen(server: Server | RawServer, scheme: string, seen: Seen[]): Promise<TestServer> {
  let connections = 0;
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  onTestFinished(async () => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  return {
    url: `${scheme}://127.0.0.1:${port}`,
    port,
    seen,
    get connections() {
      return connections;
    },
  };
}

function reading(
  answer: Answering,
  seen: Seen[],
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers, rawHeaders } = request;
      const one = { method, url, headers, rawHeaders, body: Buffer.concat(chunks).toString() };
      seen.push(one);
      answer(response, one);
    });
  };
}

/** Certificate for tests only. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUNivt9FHrBljWCmAIuzAW3CHskzAwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTExNTA1MloYDzIxMjYxMDI4
MTE1MDUyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATl9PeytL+UzJYooyWg9DdUfdArPkBf8ZUruhoCniibusEZafen3PJG
LZucIJ1+eP+3JEd5gLdEIHNIEJ8+EYI2o28wbTAdBgNVHQ4EFgQUShpVLmqjdVMV
QswK+uCP0K1IY6kwHwYDVR0jBBgwFoAUShpVLmqjdVMVQswK+uCP0K1IY6kwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSQAwRgIhAN7lSLoL1pXP1uCA0Q12hIrr4z2ko7moXSzRihKsmvsOAiEA
yR0FAJTTgjoJZ0UhFJVuosWD3wTCBPXxHVFhEsDrHgw=
-----END CERTIFICATE-----
`;

const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgVXHEOLQRHc0amFIS
k1u/qR0aDAZ/p9pFDDE60KDiMvWhRANCAATl9PeytL+UzJYooyWg9DdUfdArPkBf
8ZUruhoCniibusEZafen3PJGLZucIJ1+eP+3JEd5gLdEIHNIEJ8+EYI2
-----END PRIVATE KEY-----
`;
