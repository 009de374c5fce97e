import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AppOptions } from '../options.ts';
import { Refusal } from './envelope.ts';

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/** Returns whether a route needs no token: the page, which contains no data, and the health checks. */
function isOpen({ routeOptions }: FastifyRequest): boolean {
  return (routeOptions.config as { isOpen?: boolean }).isOpen === true;
}

/**
 * Rejects requests that are not authorized. A page of another site can reach a loopback address through the browser
 * of its user, so the Host header (against DNS rebinding) and the origin are checked.
 */
export function guard(app: FastifyInstance, options: AppOptions): void {
  const { token, allowHost = [], allowOrigin = [] } = options;
  const hosts = new Set([...LOOPBACK, ...allowHost].map((host) => host.toLowerCase()));
  // With a token these checks are not needed: a page of another site does not know it.
  const isNamed = token === undefined || allowHost.length > 0;
  const expected = token === undefined ? undefined : digest(token);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS);
    const host = (request.headers.host ?? '').toLowerCase();
    const name = host.replace(/:\d+$/, '');
    if (isNamed && !hosts.has(name)) {
      const hint = 'task-serve --allow-host NAME allows it';
      throw new Refusal(403, 'HOST', `host ${JSON.stringify(name)} is not allowed; ${hint}`);
    }
    const { origin } = request.headers;
    const isSame = origin === undefined || origin === `http://${host}` || origin === `https://${host}`;
    if (!isSame) {
      if (!allowOrigin.includes(origin))
        throw new Refusal(
          403,
          'ORIGIN',
          `origin ${origin} is not allowed; task-serve --allow-origin allows it`,
        );
      allow(reply, origin);
      if (request.method === 'OPTIONS') return reply.code(204).send();
    }
    if (expected === undefined || isOpen(request)) return undefined;
    const [, shown = ''] = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '') ?? [];
    // Digests have one length, so that the comparison takes constant time.
    if (timingSafeEqual(digest(shown), expected)) return undefined;
    reply.header('www-authenticate', 'Bearer');
    throw new Refusal(401, 'TOKEN', 'a token is required: Authorization: Bearer TOKEN');
  });
}

/** Headers that forbid the page to load from other hosts, and other sites to embed it. */
export const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

function allow(reply: FastifyReply, origin: string): void {
  reply.headers({
    'access-control-allow-origin': origin,
    'access-control-allow-headers': 'authorization, content-type',
    'access-control-allow-methods': 'GET, POST, DELETE',
    vary: 'origin',
    'cross-origin-resource-policy': 'cross-origin',
  });
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
