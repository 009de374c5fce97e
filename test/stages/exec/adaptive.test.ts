import { expect, test } from 'vitest';
import { Task } from '../../../src/core/record/task.ts';
import { http } from '../../../src/executors/http/index.ts';
import { exec } from '../../../src/stages/exec/exec.ts';
import { serve } from '../../support/http-server.ts';

const TASKS = 400;
const WORKERS = 8;
const QUEUE = 40;

test('--adaptive uses a server whose latency rises with load, and does not overload it', async () => {
  let [running, most, refused] = [0, 0, 0];
  const waiting: (() => void)[] = [];
  const server = await serve((response) => {
    const work = (): void => {
      running++;
      setTimeout(() => {
        running--;
        response.end('ok');
        waiting.shift()?.();
      }, 10);
    };
    most = Math.max(most, running + waiting.length + 1);
    if (running < WORKERS) work();
    else if (waiting.length < QUEUE) waiting.push(work);
    else {
      refused++;
      response.writeHead(500).end();
    }
  });
  async function* tasks(): AsyncGenerator<Task[]> {
    yield Array.from({ length: TASKS }, (_, i) => {
      const uuid = `u${i}`;
      return new Task(uuid, JSON.stringify({ uuid, url: `${server.url}/${i}` }));
    });
  }
  const stage = exec(await http(), { adaptive: true, jobs: 200, backoff: { min: 1, max: 5 } });
  const execution = stage(tasks());
  for await (const _ of execution);
  expect(execution.counts.succeeded).toBe(TASKS);
  expect(refused).toBeLessThan(TASKS / 100 + 1);
  expect(most).toBeGreaterThan(WORKERS / 2);
});
