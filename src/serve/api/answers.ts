import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify';
import { TaskpipeError } from '../../core/base/errors.ts';
import { LostStore } from '../store/store-file.ts';
import { type ApiFault, bad, Refusal, sendText } from './envelope.ts';
import { HEADERS } from './guard.ts';
import type { Metrics } from './metrics.ts';
import { wordsOf } from './query-faults.ts';

/** Answers input that is not a valid or timely HTTP request, and closes the connection. */
export function answerNoRequest(error: Error & { code?: string }, socket: Socket): void {
  const [status, code, message] = NO_REQUESTS[error.code ?? ''] ?? [
    '400 Bad Request',
    'REQUEST',
    'this is not an HTTP request',
  ];
  const text = bad([{ code, message }]);
  const head = `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(text)}`;
  if (socket.writable) socket.write(`${head}\r\nConnection: close\r\n\r\n${text}`);
  socket.destroySoon();
}

const NO_REQUESTS: Readonly<Record<string, readonly [string, string, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'SLOW', 'the request took too long to arrive'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'HEADERS', 'the headers are too large'],
};

/** Answers a request with a path that Fastify cannot decode. Such a request does not reach any hook. */
export function answerBadPath(error: FastifyError, _request: unknown, reply: FastifyReply): void {
  const message =
    error.code === 'FST_ERR_BAD_URL'
      ? 'the path has a % without two hexadecimal digits after it; write %25 for a %'
      : error.message;
  sendText(reply.headers(HEADERS), error.statusCode ?? 400, bad([{ code: 'PATH', message }]));
}

/** Formats all answers in the same way, including errors. */
export function addAnswers(server: FastifyInstance, metrics: Metrics, warn: (message: string) => void): void {
  const say = withoutRepeats(warn);
  const methods = new Map<string, Set<string>>();
  server.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set();
    for (const one of [method].flat()) known.add(one);
    methods.set(url, known);
  });
  server.removeAllContentTypeParsers();
  for (const type of ['application/json', 'application/x-ndjson'])
    server.addContentTypeParser(type, { parseAs: 'buffer' }, ({ headers }, body, done) => {
      const encoding = headers['content-encoding'] ?? 'identity';
      if (encoding.toLowerCase() === 'identity') done(null, body);
      else done(new Refusal(415, 'ENCODING', `the body is packed (${encoding}); send it unpacked`));
    });
  server.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    const allowed = [...(methods.get(path) ?? [])];
    if (allowed.length === 0)
      return sendText(reply, 404, bad([{ code: 'PATH', message: `no route ${JSON.stringify(path)}` }]));
    reply.header('allow', allowed.join(', '));
    const message = `method ${request.method} is not allowed; allowed: ${allowed.join(', ')}`;
    return sendText(reply, 405, bad([{ code: 'METHOD', message }]));
  });
  server.setErrorHandler((error: FastifyError, _request, reply) => {
    const { status, faults } = faultsOf(error);
    if (status >= 500 && !(error instanceof Refusal) && !(error instanceof LostStore))
      say(`a request failed: ${error.message}`);
    if (faults[0]?.code === 'ENCODING') reply.header('accept-encoding', 'identity');
    if (status === 429 || status === 503) reply.header('retry-after', '5');
    metrics.refused(faults[0]?.code ?? 'ERROR');
    return sendText(reply, status, bad(faults));
  });
  server.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    metrics.answered(route, reply.statusCode, reply.elapsedTime / 1000);
  });
}

/** Time in which a message is not repeated, in milliseconds: with a broken disk, every request fails. */
const QUIET = 60_000;

function withoutRepeats(warn: (message: string) => void): (message: string) => void {
  let last = '';
  let since = Number.NEGATIVE_INFINITY;
  return (message) => {
    const now = performance.now();
    if (message === last && now - since < QUIET) return;
    last = message;
    since = now;
    warn(message);
  };
}

/** Answers for requests that Fastify rejects, and for internal errors. */
const FAULTS: Readonly<Record<number, ApiFault>> = {
  413: { code: 'SIZE', message: 'the body is too large' },
  415: { code: 'TYPE', message: 'the body must be application/json, or a batch application/x-ndjson' },
  500: { code: 'ERROR', message: 'internal error; see the log of the service' },
  503: { code: 'STORE', message: 'the store is not available; try again later' },
};

function faultsOf(error: FastifyError): Pick<Refusal, 'status' | 'faults'> {
  if (error instanceof Refusal) return error;
  if (error.validation !== undefined)
    return {
      status: 400,
      faults: error.validation.map((invalid) => ({ code: 'QUERY', message: wordsOf(invalid) })),
    };
  const status = error.statusCode ?? (error instanceof TaskpipeError ? 503 : 500);
  const { code, message } = FAULTS[status] ?? { code: 'REQUEST', message: error.message };
  return { status, faults: [{ code, message }] };
}
