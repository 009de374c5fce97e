import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Task } from '../../core/record/task.ts';
import type { AppOptions } from '../options.ts';
import type { Submission } from '../store/queries.ts';
import { STATES } from '../store/stored-record.ts';
import type { Service } from '../work/service.ts';
import { envelopeSchema, good, Refusal, sendText } from './envelope.ts';
import { taskOfBody, tasksOfBatch, textOfBody } from './intake.ts';
import type { Metrics } from './metrics.ts';
import { type Asked, find, listText, logOf, taskText } from './task-list.ts';
import type { Watchers } from './watchers.ts';

/** Services that the routes use. */
export interface Room {
  readonly service: Service;
  readonly watchers: Watchers;
  readonly metrics: Metrics;
  readonly options: AppOptions;
  readonly maxBody: number;
}

const NAMED = {
  type: 'object',
  required: ['task_id'],
  properties: { task_id: { type: 'string', minLength: 1, maxLength: 256 } },
} as const;
type Named = { Querystring: { task_id: string } };

const TASK = {
  type: 'object',
  properties: {
    task_id: { type: 'string' },
    status: { type: 'string', enum: STATES },
    submitted: { type: 'string' },
    finished: { type: ['string', 'null'] },
  },
};
const ID = { type: 'object', properties: { task_id: { type: 'string' } } };

/** Returns the OpenAPI description of a route. Answers are serialized by hand, so their schemas only document them. */
function about(
  summary: string,
  data: object,
  more: { querystring?: object; body?: object } = {},
): { schema: object; config: object } {
  const { body, ...checked } = more;
  return { schema: { summary, ...checked }, config: { answers: envelopeSchema(data), body } };
}

/** Adds the routes below the endpoint. */
export function addRoutes(app: FastifyInstance, room: Room): void {
  addIntake(app, room);
  addQuestions(app, room);
  addOrders(app, room);
}

function addIntake(app: FastifyInstance, { service, metrics, options, maxBody }: Room): void {
  const { idFields } = options;
  const take = async (tasks: readonly Task[]): Promise<readonly string[]> => {
    if (service.pending + tasks.length > service.options.backlog)
      throw new Refusal(429, 'BACKLOG', `the backlog is full (${service.pending} tasks); try again later`);
    const submitted = await service.submit(tasks);
    metrics.accepted(submitted.filter(({ isNew }) => isNew).length);
    return submitted.map(({ uuid }) => uuid);
  };
  const body = { type: 'object', required: ['data'], properties: { data: { type: 'object' } } };
  app.post(
    '',
    about('Submits a task; it is stored before the answer is sent', ID, shownBody('application/json', body)),
    async (request, reply) => {
      const [uuid] = await take([taskOfBody(textOfBody(bodyOf(request, 'application/json')), idFields)]);
      return sendText(reply, 200, good(JSON.stringify({ task_id: uuid })));
    },
  );
  const ids = { type: 'object', properties: { task_ids: { type: 'array', items: { type: 'string' } } } };
  const batch = about(
    'Submits one object per line, each the data of a task: all of them or none',
    ids,
    shownBody('application/x-ndjson', { type: 'string' }),
  );
  app.post('/batch', { ...batch, bodyLimit: maxBody * 16 }, async (request, reply) => {
    const text = textOfBody(bodyOf(request, 'application/x-ndjson'));
    return sendText(reply, 200, good(JSON.stringify({ task_ids: await take(tasksOfBatch(text, idFields)) })));
  });
}

/** Returns the OpenAPI description of a body. Bodies are read as text, so that numbers keep their digits. */
function shownBody(type: string, schema: object): { body: object } {
  return { body: { content: { [type]: { schema: { ...schema } } } } };
}

function bodyOf({ body, headers }: FastifyRequest, type: string): Buffer {
  const [given = ''] = (headers['content-type'] ?? '').split(';');
  if (given.trim().toLowerCase() !== type)
    throw new Refusal(415, 'TYPE', `the body must be ${type}; got ${JSON.stringify(given)}`);
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

function addQuestions(app: FastifyInstance, { service, watchers, options }: Room): void {
  const found = (uuid: string): Promise<Submission> => find(service, uuid);
  app.get<Named>('', about('Returns a task', TASK, { querystring: NAMED }), async ({ query }, reply) =>
    sendText(reply, 200, good(await taskText(service, await found(query.task_id)))),
  );
  const listed = {
    type: 'object',
    properties: {
      status: { type: 'string', description: `states, separated by commas: ${STATES.join(', ')}` },
      search: {
        type: 'string',
        maxLength: 200,
        description: 'text that the id or the data contains; searches the newest 20,000 tasks',
      },
      before: { type: 'integer', minimum: 1, description: '`next` of the previous page' },
      limit: { type: 'integer', minimum: 1, maximum: 1000, default: 50 },
    },
  };
  const page = {
    type: 'object',
    properties: {
      tasks: { type: 'array', items: TASK },
      next: { type: ['integer', 'null'] },
      counts: { type: 'object' },
    },
  };
  app.get<{ Querystring: Asked }>(
    '/tasks',
    about('Lists tasks, the newest first', page, { querystring: listed }),
    async ({ query }, reply) => sendText(reply, 200, good(await listText(service, query))),
  );
  app.get<Named>(
    '/log',
    about(
      'Returns the end of the log of a task',
      { type: 'object', properties: { log: { type: 'string' } } },
      { querystring: NAMED },
    ),
    async ({ query }, reply) => {
      const { uuid } = await found(query.task_id);
      return sendText(reply, 200, good(JSON.stringify(await logOf(options.logDir, uuid))));
    },
  );
  app.get('/events', { schema: { summary: 'Streams changes as server-sent events' } }, (request, reply) => {
    if (!watchers.hasRoom) throw new Refusal(429, 'WATCHERS', 'too many clients are watching');
    reply.hijack();
    reply.raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream',
    });
    request.raw.socket.setTimeout(0); // the connection stays open; the watchers close one whose client does not read
    watchers.add(reply.raw);
  });
}

function addOrders(app: FastifyInstance, { service }: Room): void {
  const order = (
    method: 'POST' | 'DELETE',
    url: string,
    summary: string,
    act: (uuid: string) => Promise<boolean>,
    no: string,
  ): void => {
    app.route<Named>({
      ...{ method, url, ...about(summary, ID, { querystring: NAMED }) },
      async handler({ query }, reply) {
        const { uuid, state } = await find(service, query.task_id);
        if (!(await act(uuid)))
          throw new Refusal(409, 'STATE', `the task is ${service.stateOf(uuid, state)}: ${no}`);
        return sendText(reply, 200, good(JSON.stringify({ task_id: uuid })));
      },
    });
  };
  order(
    'POST',
    '/cancel',
    'Cancels a task that has not started',
    (uuid) => service.cancel(uuid),
    'only a task that has not started can be cancelled',
  );
  order(
    'POST',
    '/rerun',
    'Runs a finished task again',
    (uuid) => service.rerun(uuid),
    'only a finished task can be run again',
  );
  order(
    'DELETE',
    '',
    'Deletes a finished task',
    (uuid) => service.remove(uuid),
    'only a finished task can be deleted; cancel it first',
  );
}
