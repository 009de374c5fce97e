/* Commands on a live queue, as tests of dashboards use them. `at` is the url, and `--name` with the name. */
import { type Ended, sh } from '../support/run.ts';

/** Returns records with these uuids, as NDJSON. */
export function tasks(...uuids: readonly string[]): string {
  return uuids.map((uuid) => `{"uuid":"${uuid}"}\n`).join('');
}

export function push(at: string, input: string, more = ''): Promise<Ended> {
  return sh(`task-queue push ${at} ${more} --quiet`, { input });
}

/** Takes all tasks and settles them. Returns their lines. */
export async function drain(at: string, verb = 'ack'): Promise<string> {
  const pull = `task-queue pull ${at} --until-empty --quiet`;
  return (await sh(`${pull} | tee out | task-queue ${verb} ${at} --quiet; cat out`)).stdout;
}

/** Returns some fields of `task-queue size`, as JSON. */
export async function size(at: string, fields: string): Promise<string> {
  return (await sh(`task-queue size ${at} | jq -c '[${fields}]'`)).stdout.trim();
}
