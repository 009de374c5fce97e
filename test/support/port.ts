import { once } from 'node:events';
import { createServer } from 'node:net';

/** Returns a port that is free now. @param host address that it is free at; `::` for IPv4 and IPv6 */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
