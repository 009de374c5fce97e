import Fastify, { type FastifyInstance } from 'fastify';
import { TaskpipeError } from '../core/base/errors.ts';
import { textOf } from '../core/base/format.ts';
import type { Task } from '../core/record/task.ts';
import { addAnswers, answerBadPath, answerNoRequest } from './api/answers.ts';
import { guard } from './api/guard.ts';
import { metricsOf } from './api/metrics.ts';
import { addPages } from './api/pages.ts';
import { addRoutes } from './api/routes.ts';
import { Watchers } from './api/watchers.ts';
import { type AppOptions, DEFAULTS } from './options.ts';
import { Store } from './store/task-store.ts';
import { childStage } from './work/child-stage.ts';
import { execCall } from './work/exec-call.ts';
import { EndHistory, endOf } from './work/history.ts';
import { doneCaller } from './work/on-done.ts';
import { Service } from './work/service.ts';
import type { ServiceOptions, Stage } from './work/stage.ts';

/** Default time that running tasks have to finish after a stop, in milliseconds. */
const GRACE = 10_000;

export type { AppOptions } from './options.ts';
export type { ServedStage, Stage, StageHooks } from './work/stage.ts';

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
  server.addHttpMethod('GET', { hasBody: true, overrideExisting: true }); // some clients send the id in a body
  server.server.maxConnections = options.maxConnections ?? DEFAULTS.maxConnections;
  let service: Service | undefined;
  const metrics = metricsOf(() => service as Service);
  addAnswers(server, metrics, options.warn ?? (() => {}));
  guard(server, options);
  const closing = new AbortController();
  const setting = settingOf(options, closing.signal);
  const onDone = doneCaller(options);
  server.register(async (scope) => {
    await addPages(scope, endpoint, options.token !== undefined, metrics, () => service);
    const store = await Store.open(options.store, {
      warn: setting.warn,
      isPrivate: options.token !== undefined,
      isPruned: options.keep !== undefined,
    });
    service = new Service(store, setting);
    const history = new EndHistory();
    service.on('end', (end) => {
      metrics.finished(end);
      history.add(endOf(end));
      onDone?.call(end);
    });
    const watchers = new Watchers(service);
    const room = { service, watchers, metrics, history, options, maxBody };
    scope.register(async (routes) => addRoutes(routes, room), { prefix: endpoint });
    scope.addHook('preClose', async () => watchers.close());
    scope.addHook('onClose', async () => {
      closing.abort();
      await service?.stop();
      await onDone?.close(setting.grace);
      await store.close();
    });
    await service.start();
    for (const end of await store.queries.ends(new Date(Date.now() - 3_600_000).toISOString()))
      history.add(end);
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
    exposeHeadRoutes: true,
    http: {
      headersTimeout: Math.min(requestTimeout, 10_000),
      connectionsCheckingInterval: 1000,
      maxHeaderSize: 16 * 1024,
    },
    clientErrorHandler: answerNoRequest,
    frameworkErrors: answerBadPath,
    routerOptions: { maxParamLength: 256 },
    // With strictNumbers, the bounds of a number do not apply to 1e400, which becomes Infinity.
    ajv: { customOptions: { coerceTypes: true, removeAdditional: false, strictNumbers: false } },
  };
}

/** Returns the options of the service. @throws {TaskpipeError} `USAGE` */
function settingOf(options: AppOptions, closing: AbortSignal): ServiceOptions {
  const { exec, shell, environment = {}, timeout = DEFAULTS.timeout, grace, logDir } = options;
  if (options.idFields !== undefined && options.taskId !== undefined)
    throw new TaskpipeError('USAGE', 'idFields and taskId both make the id; give one');
  const warn = options.warn ?? (() => {});
  const stopping = AbortSignal.any([closing, ...(options.stopping ? [options.stopping] : [])]);
  const aborting = options.aborting ?? new AbortController().signal;
  const call =
    typeof exec === 'string' ? execCall(exec, { timeout, grace, logDir }, { shell, environment }) : undefined;
  const ownStage = typeof exec === 'function' ? exec : giveTo(options.give, exec);
  return {
    stage: call === undefined ? ownStage : childStage(call, { environment, stopping, aborting, warn }),
    ...{ stopping, aborting, timeout, warn },
    grace: grace ?? call?.grace ?? GRACE,
    logDir: call?.logDir ?? logDir,
    isAdopting: exec === undefined,
    window: options.window ?? DEFAULTS.window,
    backlog: options.backlog ?? DEFAULTS.backlog,
    rerun: {
      after: options.rerunAfter ?? Number.POSITIVE_INFINITY,
      failed: options.rerunFailed ?? true,
    },
    keep: options.keep,
    onBroken: options.onBroken,
  };
}

/** Makes a stage that passes tasks to `give`; their results arrive through the database. */
function giveTo(give: AppOptions['give'], exec: unknown): Stage {
  if (give === undefined && exec === undefined) throw new TaskpipeError('USAGE', 'app() needs exec, or give');
  return async function* (tasks: AsyncIterable<readonly Task[]>) {
    for await (const batch of tasks) await give?.(textOf(batch));
    yield [];
  };
}
