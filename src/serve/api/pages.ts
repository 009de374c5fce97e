import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import type { Service } from '../work/service.ts';
import { good, Refusal, sendText } from './envelope.ts';
import type { Metrics } from './metrics.ts';
import { openApiOf } from './openapi.ts';

declare const TASKPIPE_VERSION: string;

const OPEN = { config: { isOpen: true } };

/** Adds the routes outside the endpoint: the page, its assets, health checks, metrics and OpenAPI. */
export async function addPages(
  app: FastifyInstance,
  endpoint: string,
  hasToken: boolean,
  metrics: Metrics,
  service: () => Service | undefined,
): Promise<void> {
  const { default: swagger } = await import('@fastify/swagger');
  const version = typeof TASKPIPE_VERSION === 'undefined' ? '0' : TASKPIPE_VERSION; // tests run the source
  const document = openApiOf(endpoint, hasToken, version);
  await app.register(swagger, { mode: 'static', specification: { document: document as never } });
  // Urls are relative, so that a proxy may put the service below a path.
  const page = (url: string, kind: string, base: string): void => {
    app.get(url, OPEN, (_, reply) =>
      reply.type('text/html; charset=utf-8').send(htmlOf(`task-serve ${endpoint}`, kind, base)),
    );
  };
  page('/', 'watch', `.${endpoint}`);
  page(`${endpoint}/docs`, 'docs', '.');
  app.get(`${endpoint}/favicon.svg`, OPEN, (_, reply) => reply.type('image/svg+xml').send(ICON));
  app.get('/favicon.ico', OPEN, (_, reply) => reply.type('image/svg+xml').send(ICON));
  // The build makes them from src/web/service/.
  const files = { 'page.js': './serve-page.js', 'page.css': './serve-page-style.css' } as const;
  for (const [name, file] of Object.entries(files)) {
    const type = name.endsWith('.js') ? 'text/javascript' : 'text/css';
    app.get(`${endpoint}/${name}`, OPEN, async (_, reply) =>
      reply.type(`${type}; charset=utf-8`).send(await readFile(new URL(file, import.meta.url), 'utf8')),
    );
  }
  app.get(`${endpoint}/openapi.json`, OPEN, (_, reply) =>
    sendText(reply, 200, JSON.stringify(app.swagger())),
  );
  app.get('/healthz', OPEN, async (_, reply) => {
    const { isStageUp, store, trouble = '' } = service() ?? {};
    await store?.queries.counts();
    if (!isStageUp)
      throw new Refusal(
        503,
        'EXEC',
        `the stage that runs the tasks has ended; it is being restarted${trouble && `: ${trouble}`}`,
      );
    return sendText(reply, 200, good('{}'));
  });
  app.get('/metrics', async (_, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
}

/** Returns a page. @param base relative url of the endpoint */
function htmlOf(title: string, kind: string, base: string): string {
  return `<!doctype html>
<html lang="en" data-endpoint="${base}" data-kind="${kind}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="${base}/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="${base}/page.css">
<main></main>
<script src="${base}/page.js"></script>
</html>
`;
}

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1f6feb"/><path d="M8 11h9M8 16h6M8 21h9" stroke="#fff" stroke-width="2.6" stroke-linecap="round"/><path d="m19 16 3 3 5-7" fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round"/></svg>
`;
