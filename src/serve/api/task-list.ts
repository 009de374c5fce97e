import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../core/base/errors.ts';
import { withoutMembers } from '../../core/record/json-text.ts';
import { logName } from '../../executors/module/logger.ts';
import type { Submission } from '../store/queries.ts';
import { STATES } from '../store/stored-record.ts';
import type { Service } from '../work/service.ts';
import { Refusal } from './envelope.ts';
import { countsOf } from './watchers.ts';

/** Parameters of the list. */
export interface Asked {
  readonly status?: string;
  readonly search?: string;
  readonly before?: number;
  readonly limit: number;
}

/** Returns a task. @throws {Refusal} 404 */
export async function find(service: Service, uuid: string): Promise<Submission> {
  const submission = await service.store.queries.get(uuid);
  if (submission === undefined) throw new Refusal(404, 'TASK', `no task ${JSON.stringify(uuid)}`);
  return submission;
}

/** Returns a task with its result, as JSON text. */
export async function taskText(service: Service, submission: Submission): Promise<string> {
  const { uuid, line } = submission;
  const ending = await service.store.queries.ending(uuid);
  const started = service.running.get(uuid);
  const members = [
    ...headOf(service, submission),
    `"started":${started === undefined ? null : JSON.stringify(new Date(started).toISOString())}`,
    `"data":${withoutMembers(line, (key) => key === 'uuid')}`,
    `"result":${ending?.result ?? 'null'}`,
    `"error":${JSON.stringify(ending?.error ?? null)}`,
    `"attempts":${ending?.attempts ?? null}`,
    `"ms":${ending?.ms ?? null}`,
  ];
  return `{${members.join(',')}}`;
}

function headOf(service: Service, { uuid, state, submitted, finished }: Submission): string[] {
  return [
    `"task_id":${JSON.stringify(uuid)}`,
    `"status":"${service.stateOf(uuid, state)}"`,
    `"submitted":"${submitted}"`,
    `"finished":${JSON.stringify(finished)}`,
  ];
}

/** Returns a page of the list, as JSON text. */
export async function listText(service: Service, { status, search, before, limit }: Asked): Promise<string> {
  const states = status?.split(',');
  const unknown = states?.find((state) => !(STATES as readonly string[]).includes(state));
  if (unknown !== undefined)
    throw new Refusal(
      400,
      'STATUS',
      `status must be one or more of ${STATES.join(', ')}; got ${JSON.stringify(unknown)}`,
    );
  // The store lists running tasks as PENDING.
  const stored = states?.map((state) => (state === 'RUNNING' ? 'PENDING' : state));
  const rows = await service.store.queries.list({ states: stored, search, before, limit });
  const kept = rows.filter(
    ({ uuid, state }) => states === undefined || states.includes(service.stateOf(uuid, state)),
  );
  const next = rows.length < limit ? null : (rows.at(-1)?.seq ?? null);
  const tasks = kept.map((row) => `{${headOf(service, row).join(',')}}`);
  return `{"tasks":[${tasks.join(',')}],"next":${next},"counts":${JSON.stringify(countsOf(service))}}`;
}

/** Maximum size of a log in an answer, in bytes. */
const SHOWN = 1024 * 1024;

/** Returns the end of the log of a task. */
export async function logOf(folder: string | undefined, uuid: string): Promise<{ log: string }> {
  if (folder === undefined)
    throw new Refusal(404, 'LOG', 'logs are not enabled; start the service with --log-dir DIR');
  try {
    const file = await open(join(folder, logName(uuid)));
    try {
      const { size } = await file.stat();
      const from = Math.max(0, size - SHOWN);
      const buffer = Buffer.alloc(size - from);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
      return { log: buffer.toString('utf8', 0, bytesRead) };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    return { log: '' };
  }
}
