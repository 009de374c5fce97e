import Fastify, { type FastifyInstance } from 'fastify';
import { TaskpipeError } from '../core/base/errors.ts';
import { textOf } from '../core/base/format.ts';
import type { Task } from '../core/record/task.ts';
import { addAnswers, answerNoRequest } from './api/answers.ts';
import { guard } from './api/guard.ts';
import { metricsOf } from './api/metrics.ts';
import { addPages } from './api/pages.ts';
import { addRoutes } from './api/routes.ts';
import { Watchers } from './api/watchers.ts';
import { type AppOptions, DEFAULTS } from './options.ts';
import { Store } from './store/task-store.ts';
import { childStage, isTaskExec } from './work/child-stage.ts';
import { doneCaller } from './work/on-done.ts';
import { Service } from './work/service.ts';
import type { Stage } from './work/stage.ts';

export type { AppOptions } from './options.ts';
export type { Stage } from './work/stage.ts';

/**
 * Makes a web service over a long-running function: clients submit tasks and ask for their results.
 *
 *     const service = app('/api', {
 *       store: 'tasks.db',
 *       exec: exec(async (task) => Number(attribute(task.fields, 'n')) * 2),
 *     });
 *     await service.listen({ port: 8080 });
 *
 * @param endpoint a path such as `/api`
 * @returns a Fastify instance: call `service.listen()`, or after `service.ready()` pass requests of another
 *   server to `service.routing(request, response)`. `service.close()` stops the work gracefully.
 * @throws {TaskpipeError} `USAGE`; `service.ready()` and `service.listen()` also throw `IO` and `DATA`
 */
export function app(endpoint: string, options: AppOptions): FastifyInstance {
  checkEndpoint(endpoint);
  const { maxBody = DEFAULTS.maxBody } = options;
  const server = Fastify(serverOptions(options));
  server.server.maxConnections = options.maxConnections ?? DEFAULTS.maxConnections;
  let service: Service | undefined;
  const metrics = metricsOf(() => service as Service);
  addAnswers(server, metrics, options.warn ?? (() => {}));
  guard(server, options);
  const closing = new AbortController();
  const stopping = AbortSignal.any([closing.signal, ...(options.stopping ? [options.stopping] : [])]);
  const stage = stageOf(options, stopping, (uuid) => service?.began(uuid));
  const onDone = doneCaller(options);
  server.register(async (scope) => {
    await addPages(scope, endpoint, metrics, () => service);
    const store = await Store.open(options.store, options.warn ?? (() => {}));
    service = new Service(store, {
      stage,
      stopping,
      isAdopting: options.exec === undefined,
      isToldOfBegin: typeof options.exec === 'string' && isTaskExec(options.exec, options.shell),
      window: options.window ?? DEFAULTS.window,
      timeout: options.timeout ?? DEFAULTS.timeout,
      backlog: options.backlog ?? DEFAULTS.backlog,
      rerunAfter: options.rerunAfter ?? Number.POSITIVE_INFINITY,
      onDone: (end) => {
        metrics.finished(end);
        onDone?.(end);
      },
      warn: options.warn ?? (() => {}),
    });
    const watchers = new Watchers(service);
    const room = { service, watchers, metrics, options, maxBody };
    scope.register(async (routes) => addRoutes(routes, room), { prefix: endpoint });
    scope.addHook('preClose', async () => watchers.close());
    scope.addHook('onClose', async () => {
      closing.abort();
      await service?.stop();
      await store.close();
    });
    await service.start();
  });
  return server;
}

function checkEndpoint(endpoint: string): void {
  if (/^(\/[\w.~-]+)+$/.test(endpoint) && !/^\/(healthz|metrics)$/.test(endpoint)) return;
  throw new TaskpipeError('USAGE', `the path must look like /api; got ${JSON.stringify(endpoint)}`);
}

/** Returns the options of the server. They limit clients: a slow one is disconnected and delays no other. */
function serverOptions({
  maxBody = DEFAULTS.maxBody,
  requestTimeout = DEFAULTS.requestTimeout,
}: AppOptions): object {
  return {
    bodyLimit: maxBody,
    requestTimeout,
    connectionTimeout: 60_000,
    keepAliveTimeout: 10_000,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    http: {
      headersTimeout: Math.min(requestTimeout, 10_000),
      connectionsCheckingInterval: 1000,
      maxHeaderSize: 16 * 1024,
    },
    clientErrorHandler: answerNoRequest,
    routerOptions: { maxParamLength: 256 },
    ajv: { customOptions: { coerceTypes: true, removeAdditional: false } },
  };
}

function stageOf(options: AppOptions, stopping: AbortSignal, began: (uuid: string) => void): Stage {
  const { exec, give, shell, environment = {}, timeout, logDir, warn = () => {} } = options;
  const aborting = options.aborting ?? new AbortController().signal;
  if (typeof exec === 'function') return exec;
  if (exec === undefined) return giveTo(give);
  const also = { timeout: `${timeout ?? DEFAULTS.timeout}ms`, 'log-dir': logDir };
  return childStage(exec, { shell, environment, also, began, stopping, aborting, warn });
}

/** Makes a stage that passes tasks to `give`; their results arrive through the database. */
function giveTo(give: AppOptions['give']): Stage {
  if (give === undefined) throw new TaskpipeError('USAGE', 'app() needs exec, or give');
  return async function* (tasks: AsyncIterable<readonly Task[]>) {
    for await (const batch of tasks) await give(textOf(batch));
    yield [];
  };
}
