import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/* Work for a pipeline: tasks, and a server that processes them. Every tenth task fails. */

export function uuidOf(n: number): string {
  return `täsk ${n}`;
}

export function isBad(n: number): boolean {
  return n % 10 === 0;
}

/** Returns the text of an input with this many tasks, from 1. */
export function inputText(format: 'csv' | 'ndjson', count: number, url: string): string {
  let text = format === 'csv' ? 'uuid,url,note\n' : '';
  for (let n = 1; n <= count; n++) {
    const record = { uuid: uuidOf(n), url: `${url}/${n}`, note: n % 3 === 0 ? 'a, "b"\nc' : 'ü' };
    if (format === 'ndjson') text += `${JSON.stringify(record)}\n`;
    else text += `${record.uuid},${record.url},"${record.note.replaceAll('"', '""')}"\n`;
  }
  return text;
}

/** Prefix of rounds whose requests are never answered. */
export const HANGING = 'hanging';

/** Server that reports its requests. */
export interface Pages {
  /** Url such as `http://127.0.0.1:41234`; tasks have `URL/ROUND/NUMBER`. */
  readonly url: string;
  /** Listeners by round. Each receives the number and the user agent of a request. */
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

/** Answers most requests at once, some late, and some in two parts with a pause between them. */
function answer(response: ServerResponse, n: number): void {
  const body = `answer ${n}, "of two\nlines"`;
  response.writeHead(isBad(n) ? 404 : 200, { 'content-type': 'text/plain' });
  if (n % 7 === 3) setTimeout(() => response.end(body), n % 30);
  else if (n % 13 === 5) {
    response.write(body.slice(0, 8));
    setTimeout(() => response.end(body.slice(8)), 5);
  } else response.end(body);
}
