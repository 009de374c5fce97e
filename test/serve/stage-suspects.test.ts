/* Tasks that kill the stage of a task-serve: they fail, and the others run. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshFolder, sh } from '../support/run.ts';
import { until as holds } from '../support/until.ts';
import { type Answer, ask, type Serving, serve, submit, until } from './service.ts';

const WORK = `import { appendFileSync } from 'node:fs';
export default async (task) => {
  appendFileSync('calls', task.n + '\\n');
  if (task.end === 'exit') process.exit(3);
  if (task.end === 'kill') process.kill(process.pid, 'SIGKILL');
  return task.n;
};
`;
const EXEC = 'task-exec --module work.mjs -j 4 --quiet';

function folder(): string {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'work.mjs'), WORK);
  return cwd;
}

/** Submits tasks together. Returns their ids. */
async function submitAll(url: string, tasks: readonly object[]): Promise<string[]> {
  const body = tasks.map((task) => JSON.stringify(task)).join('\n');
  const headers = { 'content-type': 'application/x-ndjson' };
  return (await ask(`${url}/batch`, { method: 'POST', headers, body })).body.data.task_ids;
}

async function ended({ url }: Serving, id: string): Promise<Answer['body']> {
  const answer = await until(`${url}?task_id=${id}`, ({ body }) => body.data.finished !== null);
  return answer.body.data;
}

describe('a task that kills the stage', { timeout: 60_000 }, () => {
  for (const [end, how] of [
    ['exit', 'ended, with 70'],
    ['kill', 'ended, SIGKILL'],
  ] as const)
    test(`fails after three deaths if its work ends by ${end}, and the others succeed`, async () => {
      const cwd = folder();
      const service = await serve(cwd, ['--port', '0', '--exec', EXEC]);
      const tasks = Array.from({ length: 6 }, (_, n) => (n === 2 ? { n, end } : { n }));
      const ids = await submitAll(service.url, tasks);
      const bad = ids[2] as string;
      const failure = await ended(service, bad);
      expect(failure).toMatchObject({ status: 'FAILURE', attempts: 3, error: { code: 'EXEC_DIED' } });
      expect(failure.error.message).toContain('3 times');
      for (const id of ids.filter((id) => id !== bad))
        expect(await ended(service, id)).toMatchObject({ status: 'SUCCESS' });
      expect(service.said()).toContain(how);
      expect(service.said()).toContain(`while it had only task ${bad}`);
      const later = await submit(service.url, { n: 9 });
      expect(await ended(service, later.body.data.task_id)).toMatchObject({ status: 'SUCCESS' });
    });

  test('is named by /healthz while the stage is down, and its deaths are kept over a restart', async () => {
    const cwd = folder();
    const words = ['--port', '0', '--exec', EXEC];
    const first = await serve(cwd, words);
    const { body } = await submit(first.url, { n: 1, end: 'exit' });
    const id = body.data.task_id;
    const health = new URL('/healthz', first.url).href;
    const down = await until(health, ({ code, body }) => code === 503 && body.error_msg.includes(id));
    expect(down.body.error_data[0].code).toBe('EXEC');
    await holds(() => first.said().includes('(death 2; it fails from 3 on)'));
    await first.end('SIGKILL');
    const second = await serve(cwd, words);
    expect(await ended(second, id)).toMatchObject({ status: 'FAILURE', attempts: 3 });
    expect(second.said()).not.toContain('(death 1;');
  });
});

describe('a task-exec that cannot start', { timeout: 60_000 }, () => {
  test('ends task-serve with its exit code, and no task is lost', async () => {
    const cwd = folder();
    const broken = "task-serve /api --port 0 --exec 'task-exec --module absent.mjs'";
    const result = await sh(`timeout 30 ${broken}`, { cwd });
    expect(result.code).toBe(74);
    expect(result.stderr).toContain('cannot read --module absent.mjs');
    expect(result.stderr).toContain('--exec cannot start');
  });
});
