/*
 * Calls of a client that openapi-typescript and openapi-fetch make from openapi.json. client.test.ts generates api.d.ts,
 * compiles this file beside it, and runs it.
 */
import createClient from 'openapi-fetch';
import type { components, paths } from './api.js';

const [baseUrl = '', token = ''] = process.argv.slice(2);
const headers = { authorization: `Bearer ${token}` };
const client = createClient<paths>({ baseUrl, headers });

type Task = components['schemas']['Task'];
type State = components['schemas']['TaskState'];

/** Returns the id of a new task. */
async function post(data: Record<string, unknown>): Promise<string> {
  const { data: answer, error } = await client.POST('/api', { body: { data } });
  if (error) throw new Error(error.error_msg);
  return answer.data.task_id;
}

/** Waits until a task has one of these states. */
async function reach(task_id: string, ...states: readonly State[]): Promise<Task> {
  for (;;) {
    const { data: answer, error } = await client.GET('/api', { params: { query: { task_id } } });
    if (error) throw new Error(error.error_msg);
    if (states.includes(answer.data.status)) return answer.data;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Returns the ids in a list. */
async function list(
  query: NonNullable<paths['/api/tasks']['get']['parameters']['query']>,
): Promise<readonly string[]> {
  const { data: answer, error } = await client.GET('/api/tasks', { params: { query } });
  if (error) throw new Error(error.error_msg);
  return answer.data.tasks.map(({ task_id }) => task_id);
}

const seen: Record<string, unknown> = {};
const good = await post({ n: 21 });
const bad = await post({ bad: true });
const long = await post({ wait: true });
const { result, error, attempts, data } = await reach(good, 'SUCCESS');
seen.result = { result, error, attempts, n: data.n };
const failed = await reach(bad, 'FAILURE');
seen.failure = failed.error?.message;
await reach(long, 'RUNNING');

const state = (status: State[]) => list({ status });
seen.failed = (await state(['FAILURE'])).join() === bad;
seen.twoStates = (await state(['FAILURE', 'SUCCESS'])).join() === [bad, good].join();
seen.search = (await list({ search: '"n":21', limit: 5 })).join() === good;
const first = await client.GET('/api/tasks', { params: { query: { limit: 2 } } });
const before = first.data?.data.next ?? 0;
seen.nextPage = (await list({ before })).join() === good;
seen.counts = first.data?.data.counts.RUNNING;

const order = { params: { query: { task_id: long } } };
const refused = await client.DELETE('/api', order);
seen.forgetRunning = [refused.response.status, refused.error?.error_data[0]?.code];
const cancelled = await client.POST('/api/cancel', order);
seen.cancel = cancelled.data?.status;
await reach(long, 'CANCELLED');
seen.forget = (await client.DELETE('/api', order)).response.status;
const gone = await client.GET('/api', order);
seen.gone = [gone.data, gone.error?.status, gone.error?.error_data[0]?.code];
await client.POST('/api/rerun', { params: { query: { task_id: good } } });
await reach(good, 'SUCCESS');

const batch = await client.POST('/api/batch', {
  body: '{"n":1}\n{"n":2}\n',
  bodySerializer: (text) => text,
  headers: { 'content-type': 'application/x-ndjson' },
});
seen.batch = batch.data?.data.task_ids.length;
const log = await client.GET('/api/log', { params: { query: { task_id: bad, from: 0 } } });
seen.log = log.data?.data.log.includes('that went wrong');
const history = await client.GET('/api/history');
seen.history = history.data?.data.median_ms.length === history.data?.data.finished.length;
seen.health = (await client.GET('/healthz')).data?.status;

const invalid = await client.GET('/api/tasks', { params: { query: { limit: 0 } } });
seen.invalid = invalid.error?.error_data[0]?.code;
const stranger = await createClient<paths>({ baseUrl }).GET('/api/tasks');
seen.noToken = [stranger.response.status, stranger.error?.error_data[0]?.code];
process.stdout.write(JSON.stringify(seen));

/** Mistakes that the types must find. They are not called. */
export const mistakes: readonly (() => unknown)[] = [
  // @ts-expect-error a task has data
  () => client.POST('/api', { body: {} }),
  // @ts-expect-error data is an object
  () => client.POST('/api', { body: { data: 5 } }),
  // @ts-expect-error there is no such state
  () => client.GET('/api/tasks', { params: { query: { status: ['DONE'] } } }),
  // @ts-expect-error a limit is a number
  () => client.GET('/api/tasks', { params: { query: { limit: '5' } } }),
  // @ts-expect-error the id is missing
  () => client.POST('/api/cancel'),
  // @ts-expect-error there is no such path
  () => client.GET('/api/task'),
  // @ts-expect-error a task has no such member
  () => failed.reason,
];
