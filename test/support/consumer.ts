/*
 * Program that uses the package through its types. test/package.test.ts compiles it where the package is
 * installed.
 */
import {
  exec,
  http,
  load,
  type ModuleContext,
  procession,
  type SaveSummary,
  save,
  type Task,
} from 'taskpipe';
import { Engine, linear, times } from 'taskpipe/flow';

export async function fetchAll(): Promise<SaveSummary> {
  return procession({
    load: load('a.csv', { uuidFields: ['url'], ledger: 'done.jsonl' }),
    exec: [exec(await http({ expectStatus: '2xx' }), { jobs: 50 }), exec((task: Task) => task.fields.url)],
    save: (tasks) => save(tasks, 'out.csv', { ledger: 'done.jsonl' }),
  });
}

export default async function work(task: { url: string }, context: ModuleContext): Promise<number> {
  return (await context.fetch(task.url, { headers: { accept: 'text/html' } })).status;
}

const flow = linear('f', { retry: times(3) }).add({ name: 'a', provides: 'b', execute: () => 1 });
export const engine: Engine = new Engine(flow, { store: { c: 2 } });

// @ts-expect-error: the types report this mistake
load('a.csv', { uuidFields: 3 });
