import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { onTestFinished } from 'vitest';
import { ELSEWHERE, EXPIRED, GOOD, KEY, SELF_SIGNED } from '../../support/certificates.ts';
import { closedPort } from '../../support/http-server.ts';

/** Function that answers a request for a path on its connection. */
export type Answering = (socket: Socket, path: string) => void;

/** Origins of the servers of the fault suite. */
export interface Places {
  /** Server that answers each path by its case, and `/good/…` correctly. */
  readonly ill: string;
  /** Server at another origin, which records the headers that redirects bring. */
  readonly other: string;
  /** Server with the same cases over TLS, with a trusted certificate. */
  readonly secure: string;
  /** Servers named by the fault of their certificate. */
  readonly selfSigned: string;
  readonly expired: string;
  readonly elsewhere: string;
  /** Server on the loopback address of IPv6; undefined if there is no IPv6. */
  readonly ipv6: string | undefined;
  /** Server that answers before it receives a request. */
  readonly early: string;
  /** Server that closes each connection after an answer that promised to keep it. */
  readonly dying: string;
  /** Server that accepts connections and sends nothing. */
  readonly mute: string;
  /** Origin without a server. */
  readonly closed: string;
  /** Headers of each request to `other`. */
  readonly landed: readonly string[];
}

/** Starts the servers; they end with the test. @param answering behaviour of `ill`, `other` and `secure` */
export async function startServers(answering: Answering): Promise<Places> {
  const landed: string[] = [];
  const land: RequestListener = ({ url, rawHeaders }, response) => {
    landed.push(`${url} ${rawHeaders.join(' ')}`);
    response.end(`this is ${url}`);
  };
  const listening = onHeads(answering);
  const tls = (cert: string): Server => createTlsServer({ key: KEY, cert }, listening) as Server;
  const ports = await Promise.all([
    listen(createServer(listening)),
    listen(createHttpServer(land)),
    ...[GOOD, SELF_SIGNED, EXPIRED, ELSEWHERE].map((cert) => listen(tls(cert))),
    listen(createServer((socket) => void quiet(socket).write(TOO_EARLY))),
    listen(createServer(onHeads((socket, path) => void socket.end(wellOf(path))))),
    listen(createServer((socket) => void quiet(socket).resume())),
  ]);
  const [ill, other, secure, selfSigned, expired, elsewhere, early, dying, mute] = ports;
  const ipv6 = await listen(createServer(listening), '::1').catch(() => undefined);
  return {
    ill: `http://127.0.0.1:${ill}`,
    other: `http://localhost:${other}`,
    secure: `https://127.0.0.1:${secure}`,
    selfSigned: `https://127.0.0.1:${selfSigned}`,
    expired: `https://127.0.0.1:${expired}`,
    elsewhere: `https://127.0.0.1:${elsewhere}`,
    ipv6: ipv6 === undefined ? undefined : `http://[::1]:${ipv6}`,
    early: `http://127.0.0.1:${early}`,
    dying: `http://127.0.0.1:${dying}`,
    mute: `http://127.0.0.1:${mute}`,
    closed: `http://127.0.0.1:${await closedPort()}`,
    landed,
  };
}

/** Returns the correct answer to a path. */
export function wellOf(path: string): string {
  const body = `this is ${path}`;
  return `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

const TOO_EARLY = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nearly';

/** Returns a listener that answers each request after its head. It ignores bodies. */
function onHeads(answering: Answering): (socket: Socket) => void {
  return (socket) => {
    let head = '';
    quiet(socket).on('data', (chunk) => {
      head += chunk.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      const path = head.split(' ', 2)[1] as string;
      head = head.slice(end + 4);
      answering(socket, path);
    });
  };
}

function quiet(socket: Socket): Socket {
  return socket.on('error', () => {}); // some cases cause resets
}

/** Listens on a free port, which it returns. */
async function listen(server: Server, host = '127.0.0.1'): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(quiet(socket));
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', () => {});
  server.listen(0, host);
  await once(server, 'listening');
  onTestFinished(async () => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  return (server.address() as AddressInfo).port;
}
