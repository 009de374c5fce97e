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
  const html = (title: string, kind: string): string => `<!doctype html>
<html lang="en" data-endpoint="${endpoint}" data-kind="${kind}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="stylesheet" href="${endpoint}/page.css">
<main></main>
<script src="${endpoint}/page.js"></script>
</html>
`;
  const page = (url: string, kind: string): void => {
    app.get(url, OPEN, (_, reply) =>
      reply.type('text/html; charset=utf-8').send(html(`task-serve ${endpoint}`, kind)),
    );
  };
  page('/', 'watch');
  page(`${endpoint}/docs`, 'docs');
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
    const { isStageUp, store } = service() ?? {};
    await store?.queries.counts();
    if (!isStageUp)
      throw new Refusal(503, 'EXEC', 'the stage that runs the tasks has ended; it is being restarted');
    return sendText(reply, 200, good('{}'));
  });
  app.get('/metrics', async (_, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
}
