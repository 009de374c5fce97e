import { Task } from '../../src/core/record/task.ts';
import { http } from '../../src/executors/http/index.ts';
import { type ExecOptions, exec } from '../../src/stages/exec/exec.ts';
import { serve } from '../support/http-server.ts';
import type { Breach, Report } from './support/report.ts';

/** Requests at once that a server answers without delay, and at most. */
const [EASY, MOST] = [8, 48];
/** Time of an answer without load, in milliseconds: long, so that the speed of this machine hardly counts. */
const WORK = 50;

interface Load {
  /** Tasks per second. */
  readonly rate: number;
  readonly failed: number;
  /** Requests that the server refused. */
  readonly refused: number;
}

/** Sends tasks to a separate server, whose throughput falls with each request at once beyond `EASY`. */
async function load(tasks: number, options: ExecOptions): Promise<Load> {
  let [running, refused] = [0, 0];
  const server = await serve((response) => {
    if (running === MOST) {
      refused++;
      response.writeHead(500).end();
      return;
    }
    running++;
    const work = WORK * Math.max(1, running / EASY) ** 1.2;
    setTimeout(() => {
      running--;
      response.end('ok');
    }, work);
  });
  async function* input(): AsyncGenerator<Task[]> {
    yield Array.from({ length: tasks }, (_, i) => {
      const uuid = `u${i}`;
      return new Task(uuid, JSON.stringify({ uuid, url: `${server.url}/${i}` }));
    });
  }
  const executor = await http();
  const began = performance.now();
  const execution = exec(executor, { backoff: { min: 1, max: 5 }, ...options })(input());
  for await (const _ of execution);
  const rate = tasks / ((performance.now() - began) / 1000);
  await executor.close();
  return { rate, failed: tasks - execution.counts.succeeded, refused };
}

/**
 * Runs `--adaptive` beside fixed numbers of requests at once, each with its own server. They run at the same time, so
 * that they have the same share of a busy machine.
 * @param least percentage of the best fixed rate that is wanted
 */
export async function risingLatency(tasks: number, fixed: readonly number[], least: number): Promise<Report> {
  const [own, ...others] = await Promise.all([
    load(tasks, { adaptive: true, jobs: 200 }),
    ...fixed.map((jobs) => load(tasks, { jobs })),
  ]);
  const { rate, failed, refused } = own as Load;
  const percent = Math.round((100 * rate) / Math.max(...others.map((one) => one.rate)));
  const breaches: Breach[] = [];
  if (failed > 0) breaches.push({ kind: 'other', words: `${failed} tasks failed` });
  if (refused >= tasks / 100) breaches.push({ kind: 'other', words: `${refused} requests refused` });
  if (percent < least) breaches.push({ kind: 'other', words: `${percent} % of the best fixed rate` });
  return { figures: { tasks, 'percent of the best fixed rate': percent, refused }, breaches };
}
