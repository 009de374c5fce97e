import { OPERATIONS, type Operation, type QueryParameter } from './operations.ts';
import { type ApiSchema, BAD, goodSchema, NAMED_SCHEMAS, objectOf } from './schemas.ts';

/** Meanings of the status codes of errors. */
const ERRORS: Readonly<Record<number, readonly [description: string, code: string, message: string]>> = {
  400: ['The request is invalid.', 'QUERY', 'task_id must NOT have fewer than 1 characters'],
  401: ['A token is required.', 'TOKEN', 'a token is required: Authorization: Bearer TOKEN'],
  403: [
    'The host name or the origin is not allowed.',
    'HOST',
    'host "x" is not allowed; task-serve --allow-host NAME allows it',
  ],
  404: ['There is no such task.', 'TASK', 'no task "x"'],
  409: [
    'The state of the task does not allow it.',
    'STATE',
    'the task is RUNNING: only an ended task can be deleted; cancel it first',
  ],
  413: ['The body is too large.', 'SIZE', 'the body is too large'],
  415: ['The body has another content type.', 'TYPE', 'the body must be application/json'],
  429: [
    'There are too many unfinished tasks, or too many watchers; try again after Retry-After.',
    'BACKLOG',
    'the backlog is full (100000 tasks); try again later',
  ],
  503: [
    'The store is not available; try again after Retry-After.',
    'STORE',
    'the store is not available; try again later',
  ],
};

/** Returns the OpenAPI document of a service. @param hasToken whether requests need a token */
export function openApiOf(endpoint: string, hasToken: boolean, version: string): ApiSchema {
  const paths: Record<string, Record<string, ApiSchema>> = {};
  const all: readonly Operation[] = Object.values(OPERATIONS);
  for (const operation of all) {
    const path = endpoint + operation.path;
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: describe(operation, hasToken) };
  }
  paths['/healthz'] = { get: HEALTH };
  return {
    openapi: '3.1.0',
    info: {
      title: `task-serve ${endpoint}`,
      version,
      summary: 'Long-running tasks',
      description:
        'Submit a task, get an id, ask how it went. Every JSON answer has the form {"status", "data", "error_data", "error_msg"}.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'this service' }],
    tags: [
      { name: 'tasks', description: 'Submitted tasks' },
      { name: 'service', description: 'The service itself' },
    ],
    security: hasToken ? [{ token: [] }] : [],
    paths,
    components: {
      schemas: NAMED_SCHEMAS,
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'task-serve --token' } },
    },
  };
}

function describe(operation: Operation, hasToken: boolean): ApiSchema {
  const { id, summary, description, query, body, answer, errors } = operation;
  const always = [...(hasToken ? [401] : []), 403, 503];
  const responses = {
    200: { description: `${summary}.`, content: contentOf(answer) },
    ...Object.fromEntries(
      [...errors, ...always].sort((a, b) => a - b).map((status) => [status, errorOf(status)]),
    ),
  };
  return {
    ...{ operationId: id, summary, tags: ['tasks'] },
    ...(description && { description }),
    ...(query && { parameters: Object.entries(query).map(parameterOf) }),
    ...(body && {
      requestBody: {
        required: true,
        content: { [body.type]: { schema: body.schema, example: body.example } },
      },
    }),
    responses,
  };
}

function parameterOf([name, parameter]: readonly [string, QueryParameter]): ApiSchema {
  const { schema, isList, description, isRequired = false, example } = parameter;
  return {
    ...{ name, in: 'query', required: isRequired, description },
    ...(isList ? { style: 'form', explode: false, schema: { type: 'array', items: schema } } : { schema }),
    ...(example === undefined ? {} : { example }),
  };
}

function contentOf(answer: ApiSchema | string): ApiSchema {
  if (typeof answer === 'string') return { [answer]: { schema: { type: 'string' } } };
  const [data] = (answer.examples ?? []) as readonly unknown[];
  const example = { status: 'ok', data, error_data: [], error_msg: '' };
  return {
    'application/json': { schema: goodSchema(answer), ...(data === undefined ? {} : { example }) },
  };
}

function errorOf(status: number): ApiSchema {
  const [description = '', code, message] = ERRORS[status] ?? [];
  const headers = { 'Retry-After': { description: 'seconds to wait', schema: { type: 'integer' } } };
  const example = { status: 'error', data: null, error_data: [{ code, message }], error_msg: message };
  return {
    description,
    ...(status === 429 || status === 503 ? { headers } : {}),
    content: { 'application/json': { schema: BAD, example } },
  };
}

const HEALTH: ApiSchema = {
  ...{ operationId: 'getHealth', summary: 'Reports whether the service works', tags: ['service'] },
  security: [],
  responses: {
    200: { description: 'It works.', content: { 'application/json': { schema: goodSchema(objectOf({})) } } },
    403: errorOf(403),
    503: errorOf(503),
  },
};
