import { STATES } from '../store/stored-record.ts';
import {
  type ApiSchema,
  BATCH,
  DATA,
  HISTORY,
  LOG,
  objectOf,
  PAGE,
  STATE,
  SUBMITTED,
  TASK,
} from './schemas.ts';

/** A parameter in the query of a url. */
export interface QueryParameter {
  /** Schema of the value; of one value if `isList`. */
  readonly schema: ApiSchema;
  /** Set if the parameter has several values, after commas or each with its name. The route checks them. */
  readonly isList?: true;
  readonly description: string;
  readonly isRequired?: boolean;
  readonly example?: unknown;
}

/** A request of the API. Its check and its description are made from this. */
export interface Operation {
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Path below the endpoint. */
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  readonly query?: Readonly<Record<string, QueryParameter>>;
  readonly body?: { readonly type: string; readonly schema: ApiSchema; readonly example: unknown };
  /** Schema of `data` in a success answer, or a content type if it is not JSON. */
  readonly answer: ApiSchema | string;
  /** Status codes of errors, besides those of all requests. */
  readonly errors: readonly number[];
}

const TASK_ID: QueryParameter = {
  schema: { type: 'string', minLength: 1, maxLength: 256 },
  description: 'id of the task',
  isRequired: true,
  example: '7c6c4290-2f4b-4d0e-9c93-0a4f3c0b9d11',
};

/** Largest number that a parameter may have: the largest integer that JSON readers keep. */
const MOST = Number.MAX_SAFE_INTEGER;

/** All requests below the endpoint. */
export const OPERATIONS = {
  submit: {
    ...{ id: 'submitTask', method: 'POST', path: '' },
    summary: 'Submits a task',
    description:
      'The task is stored before the answer is sent. If the id is made from the data, the same data is the same task.',
    body: {
      type: 'application/json',
      schema: objectOf({ data: DATA }, { additionalProperties: false }),
      example: { data: { n: 21 } },
    },
    answer: SUBMITTED,
    errors: [400, 413, 415, 429],
  },
  submitBatch: {
    ...{ id: 'submitTasks', method: 'POST', path: '/batch' },
    summary: 'Submits many tasks: all of them or none',
    description: 'Each line of the body is an object, the data of one task.',
    body: { type: 'application/x-ndjson', schema: { type: 'string' }, example: '{"n":1}\n{"n":2}\n' },
    answer: BATCH,
    errors: [400, 413, 415, 429],
  },
  get: {
    ...{ id: 'getTask', method: 'GET', path: '' },
    summary: 'Returns a task, with its result once it has ended',
    description: 'The id may also be in a body, as in {"task_id": "…"}, for clients that send one.',
    query: {
      task_id: TASK_ID,
      stack: {
        schema: { type: 'boolean', default: false },
        description: 'whether the answer includes the stack of the value that the work threw',
      },
    },
    answer: TASK,
    errors: [400, 404, 415],
  },
  remove: {
    ...{ id: 'deleteTask', method: 'DELETE', path: '' },
    summary: 'Deletes a task that has ended, with its result and its log',
    query: { task_id: TASK_ID },
    answer: SUBMITTED,
    errors: [400, 404, 409],
  },
  list: {
    ...{ id: 'listTasks', method: 'GET', path: '/tasks' },
    summary: 'Lists tasks, the newest first',
    query: {
      status: {
        schema: STATE,
        isList: true,
        description: `states, separated by commas: ${STATES.join(', ')}`,
        example: ['FAILURE', 'CANCELLED'],
      },
      search: {
        schema: { type: 'string', maxLength: 200 },
        description: 'text that the id or the data contains; searches the newest 20,000 tasks',
      },
      before: {
        schema: { type: 'integer', minimum: 1, maximum: MOST },
        description: '`next` of the previous page',
      },
      limit: {
        schema: { type: 'integer', minimum: 1, maximum: 1000, default: 50 },
        description: 'maximum number of tasks',
      },
    },
    answer: PAGE,
    errors: [400],
  },
  log: {
    ...{ id: 'getLog', method: 'GET', path: '/log' },
    summary: 'Returns the end of the log of a task, or the part after an offset',
    query: {
      task_id: TASK_ID,
      from: {
        schema: { type: 'integer', minimum: 0, maximum: MOST },
        description: 'offset in bytes: `next` of the previous answer',
      },
    },
    answer: LOG,
    errors: [400, 404],
  },
  cancel: {
    ...{ id: 'cancelTask', method: 'POST', path: '/cancel' },
    summary: 'Cancels a task that has not ended',
    description:
      'If it runs, its signal is aborted; if it does not end then, the program that runs it is replaced.',
    query: { task_id: TASK_ID },
    answer: SUBMITTED,
    errors: [400, 404, 409],
  },
  rerun: {
    ...{ id: 'rerunTask', method: 'POST', path: '/rerun' },
    summary: 'Runs a task that has ended again',
    query: { task_id: TASK_ID },
    answer: SUBMITTED,
    errors: [400, 404, 409],
  },
  history: {
    ...{ id: 'getHistory', method: 'GET', path: '/history' },
    summary: 'Returns how many tasks ended in the last hour, and how long they took',
    answer: HISTORY,
    errors: [],
  },
  events: {
    ...{ id: 'streamEvents', method: 'GET', path: '/events' },
    summary: 'Streams changes as server-sent events',
    description:
      'Each message is {"counts": {…}, "changes": [{"task_id", "status"}]}, at most four a second, with the newest 200 changes.',
    answer: 'text/event-stream',
    errors: [429],
  },
} as const satisfies Readonly<Record<string, Operation>>;

/** Returns the check of a query, for Fastify. `task_id` of `getTask` may be in the body instead. */
export function querySchema({ id, query = {} }: Operation): ApiSchema {
  const required = Object.keys(query).filter((name) => query[name]?.isRequired && id !== 'getTask');
  return {
    type: 'object',
    required,
    properties: Object.fromEntries(
      Object.entries(query).map(([name, { schema, isList }]) => [name, isList ? {} : schema]),
    ),
  };
}
