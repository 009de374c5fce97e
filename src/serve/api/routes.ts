import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Task } from '../../core/record/task.ts';
import type { AppOptions } from '../options.ts';
import type { EndHistory } from '../work/history.ts';
import type { Service } from '../work/service.ts';
import { readLog } from '../work/task-log.ts';
import { good, Refusal, sendText } from './envelope.ts';
import { type Ids, taskOfBody, tasksOfBatch, textOfBody } from './intake.ts';
import type { Metrics } from './metrics.ts';
import { OPERATIONS, type Operation, querySchema } from './operations.ts';
import { missing } from './query-faults.ts';
import { type Asked, find, listText, taskText } from './task-list.ts';
import type { Watchers } from './watchers.ts';

/** Services that the routes use. */
export interface Room {
  readonly service: Service;
  readonly watchers: Watchers;
  readonly metrics: Metrics;
  readonly history: EndHistory;
  readonly options: AppOptions;
  readonly maxBody: number;
}

type Named = { Querystring: { task_id: string; from?: number } };

/** Returns the check of the query of an operation. */
function checked(operation: Operation): { schema: { querystring: object } } {
  return { schema: { querystring: querySchema(operation) } };
}

/** Adds the routes below the endpoint. */
export function addRoutes(app: FastifyInstance, room: Room): void {
  addIntake(app, room);
  addQuestions(app, room);
  addStreams(app, room);
  addOrders(app, room);
}

function addIntake(app: FastifyInstance, { service, metrics, options, maxBody }: Room): void {
  const ids: Ids = { idFields: options.idFields, taskId: options.taskId };
  const take = async (tasks: readonly Task[]): Promise<readonly string[]> => {
    if (service.pending + tasks.length > service.options.backlog)
      throw new Refusal(429, 'BACKLOG', `the backlog is full (${service.pending} tasks); try again later`);
    const submitted = await service.submit(tasks);
    metrics.accepted(submitted.filter(({ isNew }) => isNew).length);
    return submitted.map(({ uuid }) => uuid);
  };
  const { submit, submitBatch } = OPERATIONS;
  app.post(submit.path, async (request, reply) => {
    const text = textOfBody(bodyOf(request, submit.body.type));
    const [uuid] = await take([await taskOfBody(text, ids)]);
    return sendText(reply, 200, good(JSON.stringify({ task_id: uuid })));
  });
  app.post(submitBatch.path, { bodyLimit: maxBody * 16 }, async (request, reply) => {
    const text = textOfBody(bodyOf(request, submitBatch.body.type));
    const uuids = await take(await tasksOfBatch(text, ids));
    return sendText(reply, 200, good(JSON.stringify({ task_ids: uuids })));
  });
}

function bodyOf({ body, headers }: FastifyRequest, type: string): Buffer {
  const [given = ''] = (headers['content-type'] ?? '').split(';');
  if (given.trim().toLowerCase() !== type)
    throw new Refusal(415, 'TYPE', `the body must be ${type}; got ${JSON.stringify(given)}`);
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

/** Returns the id of a GET: from the query, or from a body such as `{"task_id": "…"}`. */
function idOf(request: FastifyRequest): string {
  const { task_id } = request.query as { task_id?: string };
  if (task_id !== undefined) return task_id;
  const { body } = request;
  if (!Buffer.isBuffer(body) || body.length === 0) throw new Refusal(400, 'QUERY', missing('task_id'));
  try {
    const given = (JSON.parse(textOfBody(body)) as { task_id?: unknown } | null)?.task_id;
    if (typeof given === 'string' && given !== '' && given.length <= 256) return given;
  } catch (error) {
    if (error instanceof Refusal) throw error;
  }
  throw new Refusal(400, 'QUERY', 'the body must be like {"task_id": "…"}');
}

function addQuestions(app: FastifyInstance, { service, history, options }: Room): void {
  const { get, list, log } = OPERATIONS;
  app.get<{ Querystring: { stack?: boolean } }>(get.path, checked(get), async (request, reply) => {
    const text = await taskText(service, idOf(request), request.query.stack === true, options.retrieve);
    return sendText(reply, 200, good(text));
  });
  app.get<{ Querystring: Asked }>(list.path, checked(list), async ({ query }, reply) =>
    sendText(reply, 200, good(await listText(service, query))),
  );
  app.get<Named>(log.path, checked(log), async ({ query }, reply) => {
    const { logDir } = service.options;
    const { uuid } = await find(service, query.task_id);
    if (logDir === undefined)
      throw new Refusal(404, 'LOG', 'logs are not enabled; start the service with --log-dir DIR');
    return sendText(reply, 200, good(JSON.stringify(await readLog(logDir, uuid, query.from))));
  });
  app.get(OPERATIONS.history.path, (_, reply) => sendText(reply, 200, good(history.text(Date.now()))));
}

function addStreams(app: FastifyInstance, { watchers }: Room): void {
  app.get(OPERATIONS.events.path, { exposeHeadRoute: false }, (request, reply) => {
    if (!watchers.hasRoom) throw new Refusal(429, 'WATCHERS', 'too many clients are watching');
    reply.hijack();
    reply.raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform', // a compressing proxy would wait for more data
      'x-accel-buffering': 'no', // nginx buffers answers by default
    });
    request.raw.socket.setTimeout(0); // the connection stays open, unless the client does not read: then the watchers close it
    watchers.add(reply.raw);
  });
}

function addOrders(app: FastifyInstance, { service }: Room): void {
  const order = (operation: Operation, act: (uuid: string) => Promise<boolean>, no: string): void => {
    const { method, path } = operation;
    app.route<Named>({
      ...{ method, url: path, ...checked(operation) },
      async handler({ query }, reply) {
        const { uuid, state } = await find(service, query.task_id);
        if (!(await act(uuid)))
          throw new Refusal(409, 'STATE', `the task is ${service.stateOf(uuid, state)}: ${no}`);
        return sendText(reply, 200, good(JSON.stringify({ task_id: uuid })));
      },
    });
  };
  order(OPERATIONS.cancel, (uuid) => service.cancel(uuid), 'it has ended and cannot be cancelled');
  order(OPERATIONS.rerun, (uuid) => service.rerun(uuid), 'only a task that has ended can be run again');
  order(
    OPERATIONS.remove,
    (uuid) => service.remove(uuid),
    'only a task that has ended can be deleted; cancel it first',
  );
}
