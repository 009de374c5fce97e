import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { expect, test } from 'vitest';
import { openDatabase } from '../../src/core/storage/sqlite-database.ts';
import { freePort } from '../support/port.ts';
import { environment, freshFolder } from '../support/run.ts';

const CLIENTS = 500;
const SUBMISSIONS = 20_000;
const KILLS = 20;
const KINDS = ['service', 'child', 'both'] as const;

test('every acknowledged id reaches one final state, despite 20 kills of the service, its child, or both', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'work.mjs'), 'export default async (task) => ({ n: task.n * 2 });\n');
  const port = await freePort();
  const words = ['/api', '--port', String(port), '--exec', 'task-exec --module work.mjs -j 20 --quiet'];
  const start = (): ReturnType<typeof spawn> =>
    spawn('task-serve', words, { cwd, env: environment(), stdio: ['ignore', 'ignore', 'ignore'] });
  let service = start();
  const url = `http://127.0.0.1:${port}/api`;
  const answered = new Map<string, number>();
  const agent = new Agent({ connections: CLIENTS });
  let next = 0;
  const client = async (): Promise<void> => {
    for (let n = next++; n < SUBMISSIONS; n = next++) {
      for (let isTaken = false; !isTaken; ) {
        try {
          const options = {
            dispatcher: agent,
            method: 'POST',
            headers: { 'content-type': 'application/json' },
          } as const;
          const { statusCode, body } = await request(url, { ...options, body: `{"data":{"n":${n}}}` });
          const { data } = (await body.json()) as { data: { task_id: string } };
          isTaken = statusCode === 200;
          if (isTaken) answered.set(data.task_id, n);
          else await wait(100);
        } catch {
          await wait(100); // the service was killed, or is not up again
        }
      }
    }
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, client));
  const kill = (pid: number | undefined): void => {
    try {
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    } catch {
      // the process has ended
    }
  };
  for (let i = 0; i < KILLS; i++) {
    const aim = ((i + 1) * SUBMISSIONS * 0.9) / KILLS;
    while (answered.size < aim) await wait(20);
    const kind = KINDS[i % KINDS.length];
    const child = childOf(service.pid);
    if (kind !== 'service') kill(child);
    if (kind === 'child') continue;
    const exit = once(service, 'exit');
    kill(service.pid);
    await exit;
    service = start();
  }
  await clients;
  await agent.close();
  const database = await openDatabase(join(cwd, 'tasks.db'), { readonly: true });
  const count = async (sql: string): Promise<number> => Number((await database.all(sql))[0]?.[0]);
  while ((await count("select count(*) from submissions where state = 'PENDING'")) > 0) await wait(100);
  const rows = await database.all(
    "select t.uuid, t.state, t.result ->> 'n', s.state from tasks t join submissions s on s.uuid = t.uuid",
  );
  const ended = new Map(rows.map(([uuid, state, n, queued]) => [String(uuid), [state, Number(n), queued]]));
  expect(ended.size, 'each has one row').toBe(rows.length);
  expect(rows.length, 'each row is of a task that was accepted').toBe(
    await count('select count(*) from submissions'),
  );
  const lost = [...answered].filter(([uuid, n]) => String(ended.get(uuid)) !== `SUCCESS,${n * 2},SUCCESS`);
  expect(lost).toEqual([]);
  expect(answered.size).toBe(SUBMISSIONS);
  database.close();
  const exit = once(service, 'exit');
  service.kill('SIGTERM');
  expect((await exit)[0]).toBe(143);
}, 900_000);

/** Returns the pid of the process that a service has started. */
function childOf(parent: number | undefined): number | undefined {
  try {
    const [pid] = execFileSync('pgrep', ['-P', String(parent)], { encoding: 'utf8' })
      .trim()
      .split('\n');
    return pid === undefined ? undefined : Number(pid);
  } catch {
    return undefined;
  }
}
