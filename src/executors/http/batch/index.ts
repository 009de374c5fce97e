/*
 * Batches of --http: one request for several tasks, and their results from one answer. Owns the body and the reading
 * of the answer. Must not send anything itself: that is for the caller.
 */
import { TaskpipeError } from '../../../core/base/errors.ts';
import { nameUuid } from '../../../core/ids/index.ts';
import { InvalidValue } from '../../../core/options/option.ts';
import { membersOf, withoutMembers } from '../../../core/record/json-text.ts';
import { type Failure, Task } from '../../../core/record/task.ts';
import type { Attempt, BatchOutcome, Executor, Outcome } from '../../contract.ts';
import type { HttpOptions } from '../options.ts';
import { type Request, type RequestDefaults, requestOf } from '../request/build-request.ts';
import { contentOf } from '../request/request-body.ts';
import { openItems } from './answer-items.ts';

type Batches = Required<Pick<Executor, 'attemptAll' | 'batchKey'>>;

/** Function that sends the request of a batch. The uuid is used for the key of an idempotent request. */
type Send = (batch: Task, request: Request, attempt: Attempt) => Promise<Outcome>;

const JSON_TYPE = 'application/json';

/** Statuses that do not depend on the tasks of a request. */
const OF_ALL: readonly number[] = [401, 402, 405, 407, 429];

/**
 * Returns the functions of an executor for batches.
 * @throws {TaskpipeError} `USAGE` if an option is invalid
 */
export async function openBatches(
  options: HttpOptions,
  defaults: RequestDefaults,
  send: Send,
): Promise<Batches> {
  const { body = 'auto' } = options;
  if (body !== 'auto' && body !== 'json')
    throw new TaskpipeError(
      'USAGE',
      `--body ${body} and --batch cannot be combined: an answer is divided as JSON`,
    );
  const itemsOf = await openItems(options.batchAnswer);
  return {
    batchKey(task) {
      const item = itemOf(task, defaults);
      const request = typeof item === 'string' ? requestFor(task, '', defaults) : item;
      if ('code' in request) return request;
      const { method, target, headers, timeout } = request;
      return JSON.stringify([method, target.href, headers, timeout]);
    },
    async attemptAll(tasks, attempt) {
      const [first] = tasks as [Task, ...Task[]];
      const items = tasks.map((task) => itemOf(task, defaults));
      const request = requestFor(first, `[${items.join(',')}]`, defaults);
      if ('code' in request) return { whole: { error: request }, halves: 'now' };
      const key = nameUuid(tasks.map(({ uuid }) => uuid).join('\n'), 5);
      const outcome = await send(new Task(key, first.line), request, attempt);
      if (outcome.error !== undefined || outcome.state !== undefined) return failedAll(outcome, tasks);
      return divided(outcome, tasks, itemsOf);
    },
  };
}

/** Returns the request of a batch, with the address and the headers of one of its tasks. */
function requestFor(task: Task, text: string, defaults: RequestDefaults): Request | Failure {
  return requestOf(task, { ...defaults, body: () => ({ text, type: JSON_TYPE }) });
}

/** Returns the item of a task: the text of `--data` for it, else its attribute "json" or "data", else its record. */
function itemOf(task: Task, { body }: RequestDefaults): string | Failure {
  if (body === undefined) return attributeItem(task);
  const made = itemFault(() => body(task, JSON_TYPE, true));
  if ('code' in made) return made;
  try {
    JSON.parse(made.text);
    return made.text;
  } catch {
    return { code: 'REQUEST', message: 'with --batch, --data must make JSON of a task, an item of the body' };
  }
}

function attributeItem(task: Task): string | Failure {
  const made = itemFault(() => contentOf(task, true, undefined) ?? { text: '' });
  if ('code' in made) return made;
  if (made.text !== '') return made.text;
  return task.has('run') ? withoutMembers(task.line, (key) => key === 'run') : task.line;
}

function itemFault<T>(make: () => T): T | Failure {
  try {
    return make();
  } catch (error) {
    if (error instanceof InvalidValue) return { code: 'REQUEST', message: error.message };
    throw error;
  }
}

/** Returns the outcome of a request that failed. A request that may have been acted on is not sent again in halves. */
function failedAll({ result, ...rest }: Outcome, tasks: readonly Task[]): BatchOutcome {
  const whole = tasks.length === 1 && result !== undefined ? { ...rest, result } : rest;
  const { error, retry } = whole;
  const status = error?.code === 'HTTP_STATUS' ? Number.parseInt(error.message, 10) : undefined;
  if (retry !== undefined) {
    const isPause = retry.pauseLane === true && (retry.after !== undefined || status !== 503);
    return { whole, halves: isPause ? 'never' : 'later' }; // a task may cause a 503 that asks for no time
  }
  const isJudged = error?.code.startsWith('EXPECT_') === true;
  const isRefused = status !== undefined && !OF_ALL.includes(status);
  return { whole, halves: isRefused || isJudged ? 'now' : 'never' };
}

/** Returns the outcomes of the tasks: each has the answer with its own item as the JSON body. */
function divided(
  outcome: Outcome,
  tasks: readonly Task[],
  itemsOf: Awaited<ReturnType<typeof openItems>>,
): BatchOutcome {
  const { result = '{}', ...rest } = outcome;
  const json = membersOf(result).find(({ key }) => key === 'json');
  const items =
    json === undefined
      ? { fault: 'it is not JSON', hint: '--batch-answer' }
      : itemsOf(result.slice(json.value, json.end), tasks);
  if ('fault' in items) {
    const wanted = `the answer must be an array with an item for each of its ${tasks.length} tasks, or an object by uuid`;
    const whole = {
      ...rest,
      error: { code: 'BATCH', message: `${wanted}; ${items.fault} (${items.hint ?? '--batch-answer'})` },
    };
    return { whole: tasks.length === 1 ? { ...whole, result } : whole, halves: 'never' };
  }
  const [start, end] = [result.slice(0, json?.value), result.slice(json?.end)];
  return items.map((item) =>
    item === undefined
      ? { ...rest, error: { code: 'BATCH', message: 'the answer has nothing for this task of its batch' } }
      : { ...rest, result: start + item + end },
  );
}
