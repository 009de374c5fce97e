import { withoutMembers } from '../../core/record/json-text.ts';
import type { AppOptions } from '../options.ts';
import type { FullTask, ListedTask, Submission } from '../store/queries.ts';
import { STATES } from '../store/stored-record.ts';
import type { RunningTask } from '../work/running-tasks.ts';
import type { Service } from '../work/service.ts';
import { Refusal } from './envelope.ts';
import { countsOf } from './watchers.ts';

/** Parameters of the list. */
export interface Asked {
  readonly status?: string | readonly string[];
  readonly search?: string;
  readonly before?: number;
  readonly limit: number;
}

/** Maximum length of a preview, in characters. */
const PREVIEW = 200;

/** Returns a task. @throws {Refusal} 404 */
export async function find(service: Service, uuid: string): Promise<Submission> {
  const submission = await service.store.queries.get(uuid);
  if (submission === undefined) throw noTask(uuid);
  return submission;
}

function noTask(uuid: string): Refusal {
  return new Refusal(404, 'TASK', `no task ${JSON.stringify(uuid)}`);
}

/**
 * Returns a task with its result, as JSON text.
 * @param hasStack whether to include the stack of the thrown value
 * @param retrieve replaces the answer
 * @throws {Refusal} 404
 */
export async function taskText(
  service: Service,
  uuid: string,
  hasStack: boolean,
  retrieve: AppOptions['retrieve'],
): Promise<string> {
  const running = service.running.get(uuid);
  const task = await service.store.queries.full(uuid);
  const stored = task === undefined ? undefined : storedText(service, task, running, hasStack);
  if (retrieve === undefined) {
    if (stored === undefined) throw noTask(uuid);
    return stored;
  }
  const answer = await retrieve(uuid, stored === undefined ? undefined : JSON.parse(stored));
  if (answer === undefined || answer === null) throw noTask(uuid);
  return JSON.stringify(answer);
}

function storedText(
  service: Service,
  task: FullTask,
  running: RunningTask | undefined,
  hasStack: boolean,
): string {
  const { line, stack, result } = task;
  const members = [
    ...headOf(service, task, running),
    `"data":${withoutMembers(line, (key) => key === 'uuid')}`,
    `"result":${result ?? 'null'}`,
    ...(hasStack ? [`"stack":${JSON.stringify(stack)}`] : []),
  ];
  return `{${members.join(',')}}`;
}

function headOf(service: Service, task: ListedTask, running: RunningTask | undefined): string[] {
  const { uuid, state, submitted, started, finished, error } = task;
  const attempts = task.attempts ?? running?.attempts ?? null;
  const isOver = finished !== null;
  return [
    `"task_id":${JSON.stringify(uuid)}`,
    `"status":"${service.stateOf(uuid, state, running !== undefined)}"`,
    `"submitted":"${submitted}"`,
    `"started":${JSON.stringify(isOver ? started : (running?.at ?? null))}`,
    `"finished":${JSON.stringify(finished)}`,
    `"attempts":${attempts}`,
    `"ms":${task.ms ?? null}`,
    `"error":${JSON.stringify(error ?? null)}`,
  ];
}

/** Returns a page of the list, as JSON text. */
export async function listText(service: Service, { status, search, before, limit }: Asked): Promise<string> {
  const states = status === undefined ? undefined : statesOf([status].flat());
  const running = service.running.copy();
  const uuids = [...running.keys()];
  const rows = await service.store.queries.list({ states, search, before, limit, running: uuids });
  const next = rows.length < limit ? null : (rows.at(-1)?.seq ?? null);
  const tasks = rows.map((row) => {
    const members = [
      ...headOf(service, row, running.get(row.uuid)),
      `"preview":${JSON.stringify(previewOf(row))}`,
    ];
    return `{${members.join(',')}}`;
  });
  return `{"tasks":[${tasks.join(',')}],"next":${next},"counts":${JSON.stringify(countsOf(service))}}`;
}

/** Returns the states of a filter, each once. @throws {Refusal} 400 */
function statesOf(values: readonly string[]): readonly string[] {
  const states = [...new Set(values.flatMap((value) => value.split(',')))];
  const unknown = states.find((state) => !(STATES as readonly string[]).includes(state));
  if (unknown === undefined) return states;
  const got = JSON.stringify(unknown.slice(0, 40));
  throw new Refusal(400, 'STATUS', `status must be one or more of ${STATES.join(', ')}; got ${got}`);
}

/** Returns the beginning of the data. The line of a task begins with its uuid. */
function previewOf({ uuid, line }: Submission): string {
  const rest = line.slice(`{"uuid":${JSON.stringify(uuid)}`.length).replace(/^,/, '');
  return `{${rest}`.slice(0, PREVIEW).toWellFormed();
}
