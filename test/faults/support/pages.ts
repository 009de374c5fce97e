import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/*
 * Work for a pipeline: tasks, and a server that does them. Every tenth fails.
 */

/** The uuid of a task. */
export function uuidOf(n: number): string {
  return `täsk ${n}`;
}

export function isBad(n: number): boolean {
  return n % 10 === 0;
}

/** The text of an input with so many tasks, from 1. */
export function inputText(format: 'csv' | 'ndjson', count: number, url: string): string {
  let text = format === 'csv' ? 'uuid,url,note\n' : '';
  for (let n = 1; n <= count; n++) {
    const record = { uuid: uuidOf(n), url: `${url}/${n}`, note: n % 3 === 0 ? 'a, "b"\nc' : 'ü' };
    if (format === 'ndjson') text += `${JSON.stringify(record)}\n`;
    else text += `${record.uuid},${record.url},"${record.note.replaceAll('"', '""')}"\n`;
  }
  return text;
}

/** Rounds that begin so never get an answer. */
export const HANGING = 'hanging';

/** A server, and who is told what it is asked for. */
export interface Pages {
  /** As in `http://127.0.0.1:41234`; tasks have `URL/ROUND/NUMBER`. */
  readonly url: string;
  /** By round; is told of each request, and of the user agent that it names. */
  readonly asked: Map<string, (n: number, agent: string) => void>;
  close(): void;
}

export async function startPages(): Promise<Pages> {
  const asked: Pages['asked'] = new Map();
  const server = createServer((request, response) => {
    const [, round = '', n = ''] = (request.url ?? '').split('/');
    asked.get(round)?.(Number(n), request.headers['user-agent'] ?? '');
    if (!round.startsWith(HANGING)) answer(response, Number(n));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () => void server.close().closeAllConnections(),
  };
}

/** Most are answered at once, some late, and some in two parts with a while between them. */
function answer(response: ServerResponse, n: number): void {
  const body = `answer ${n}, "of two\nlines"`;
  response.writeHead(isBad(n) ? 404 : 200, { 'content-type': 'text/plain' });
  if (n % 7 === 3) setTimeout(() => response.end(body), n % 30);
  else if (n % 13 === 5) {
    response.write(body.slice(0, 8));
    setTimeout(() => response.end(body.slice(8)), 5);
  } else response.end(body);
}
