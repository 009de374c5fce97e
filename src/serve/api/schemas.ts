import { STATES } from '../store/stored-record.ts';

/* Schemas of the requests and answers of the API, as JSON Schema 2020-12 (OpenAPI 3.1). */

export type ApiSchema = Readonly<Record<string, unknown>>;

const ID = '7c6c4290-2f4b-4d0e-9c93-0a4f3c0b9d11';
const TIME = { type: 'string', format: 'date-time' };

/** Returns the schema of a value that may be null. */
function orNull({ type, ...more }: ApiSchema): ApiSchema {
  return { type: [type, 'null'], ...more };
}

/** Returns the schema of an object with required members only. */
export function objectOf(properties: Readonly<Record<string, ApiSchema>>, more: ApiSchema = {}): ApiSchema {
  return { type: 'object', required: Object.keys(properties), properties, ...more };
}

const TASK_ID: ApiSchema = { type: 'string', description: 'id of the task', examples: [ID] };

/** A state of a task. */
export const STATE: ApiSchema = {
  type: 'string',
  enum: [...STATES],
  description: 'PENDING: waits; RUNNING: has started; all others are final',
};

/** Members of the data of a task: any JSON. */
export const DATA: ApiSchema = {
  type: 'object',
  additionalProperties: true,
  description: 'attributes of the task: any JSON object without `uuid`, `run` and `result`',
  examples: [{ n: 21 }],
};

const FAILURE: ApiSchema = objectOf(
  {
    code: { type: 'string', examples: ['TIMEOUT'] },
    message: { type: 'string', examples: ['the task did not end within 60 s (--timeout)'] },
  },
  { type: ['object', 'null'], description: 'why the task failed; null if it did not' },
);

const HEAD = {
  task_id: TASK_ID,
  status: STATE,
  submitted: { ...TIME, description: 'time at which the task was accepted' },
  started: { ...orNull(TIME), description: 'start of the first attempt' },
  finished: { ...orNull(TIME), description: 'end of the task' },
  attempts: { ...orNull({ type: 'integer' }), description: 'number of started attempts' },
  ms: { ...orNull({ type: 'integer' }), description: 'duration of the work, in milliseconds' },
  error: FAILURE,
};

/** A task with its result. */
export const TASK: ApiSchema = {
  ...objectOf({
    ...HEAD,
    data: DATA,
    result: {
      description: 'result of the work: any JSON; null if there is none',
      examples: [{ twice: 42 }],
    },
  }),
  properties: {
    ...HEAD,
    data: DATA,
    result: {
      description: 'result of the work: any JSON; null if there is none',
      examples: [{ twice: 42 }],
    },
    stack: {
      type: ['string', 'null'],
      description: 'stack of the value that the work threw; only with `stack=true`',
    },
  },
  examples: [
    {
      ...{ task_id: ID, status: 'SUCCESS', submitted: '2026-01-31T02:03:04.567Z' },
      ...{ started: '2026-01-31T02:03:04.570Z', finished: '2026-01-31T02:03:05.103Z' },
      ...{ attempts: 1, ms: 533, error: null, data: { n: 21 }, result: { twice: 42 } },
    },
  ],
};

/** A task in the list. */
export const LISTED: ApiSchema = objectOf({
  ...HEAD,
  preview: { type: 'string', description: 'beginning of the data, as JSON text' },
});

/** Answer to a submission and to an order. */
export const SUBMITTED: ApiSchema = objectOf({ task_id: TASK_ID }, { examples: [{ task_id: ID }] });

export const BATCH: ApiSchema = objectOf(
  { task_ids: { type: 'array', items: TASK_ID, description: 'in the order of the lines' } },
  { examples: [{ task_ids: [ID] }] },
);

const COUNTS: ApiSchema = {
  type: 'object',
  description: 'number of tasks by state',
  properties: Object.fromEntries(STATES.map((state) => [state, { type: 'integer', minimum: 0 }])),
  required: ['PENDING', 'RUNNING'],
};

export const PAGE: ApiSchema = objectOf({
  tasks: { type: 'array', items: { $ref: '#/components/schemas/ListedTask' } },
  next: { type: ['integer', 'null'], description: '`before` of the next page; null on the last one' },
  counts: COUNTS,
});

export const LOG: ApiSchema = objectOf({
  log: { type: 'string', description: 'at most 1 MiB' },
  next: { type: 'integer', minimum: 0, description: '`from` of the next piece' },
});

export const HISTORY: ApiSchema = objectOf({
  step: { type: 'integer', description: 'length of an interval, in seconds' },
  from: { ...TIME, description: 'start of the first interval' },
  finished: { type: 'array', items: { type: 'integer' }, description: 'tasks that ended in each interval' },
  failed: { type: 'array', items: { type: 'integer' }, description: 'those of them that failed' },
  median_ms: {
    type: 'array',
    items: { type: ['number', 'null'] },
    description: 'median duration of their work, in milliseconds',
  },
});

const FAULT: ApiSchema = objectOf({
  code: { type: 'string', examples: ['TASK'] },
  message: { type: 'string', examples: ['no task "x"'] },
});

/** Returns the schema of a success answer. */
export function goodSchema(data: ApiSchema): ApiSchema {
  return objectOf({
    status: { type: 'string', const: 'ok' },
    data,
    error_data: { type: 'array', items: FAULT, maxItems: 0 },
    error_msg: { type: 'string', const: '' },
  });
}

/** Schema of an error answer. */
export const BAD: ApiSchema = objectOf({
  status: { type: 'string', const: 'error' },
  data: { type: 'null', properties: {} },
  error_data: { type: 'array', items: FAULT, minItems: 1 },
  error_msg: { type: 'string', description: 'the messages of `error_data`, joined' },
});

/** Schemas to which the OpenAPI document refers. */
export const NAMED_SCHEMAS: Readonly<Record<string, ApiSchema>> = {
  Task: TASK,
  ListedTask: LISTED,
  TaskState: STATE,
  Counts: COUNTS,
  ErrorAnswer: BAD,
};
