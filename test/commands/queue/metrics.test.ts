/* task-queue size --metrics: the text format of Prometheus, version 0.0.4, read by a strict parser. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { needsRedis, startRedis } from '../../support/redis.ts';
import { ended, freshFolder, sh, start } from '../../support/run.ts';

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/y;

/** Parses metrics by the rules of the format. @throws {Error} with the line that breaks a rule */
function parse(text: string): Sample[] {
  if (!text.endsWith('\n')) throw new Error('the last line must end with a newline');
  const samples: Sample[] = [];
  const seen = new Set<string>();
  const families = new Set<string>();
  let family = '';
  let next: 'help' | 'type' | 'sample' = 'help';
  for (const line of text.slice(0, -1).split('\n')) {
    const fail = (why: string): never => {
      throw new Error(`${why}: ${line}`);
    };
    const [, kind, name = '', more = ''] = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`).exec(line) ?? [];
    if (kind === 'HELP') {
      if (families.has(name)) fail('second group of a family');
      families.add(name);
      family = name;
      next = 'type';
    } else if (kind === 'TYPE') {
      if (next !== 'type' || name !== family) fail('TYPE without HELP');
      if (!['gauge', 'counter'].includes(more)) fail('unknown type');
      next = 'sample';
    } else {
      const parts = new RegExp(`^(${NAME})\\{(.*)\\} (\\S+)$`).exec(line) ?? fail('not a sample');
      const [, sample = '', labelText = '', value = ''] = parts as string[];
      if (next !== 'sample' || sample !== family) fail('sample outside of its family');
      const labels = labelsIn(labelText) ?? fail('invalid labels');
      if (!/^[-+]?(\d+(\.\d+)?(e[-+]?\d+)?|Inf)$|^NaN$/.test(value)) fail('invalid value');
      const key = JSON.stringify([sample, Object.entries(labels as object).sort()]);
      if (seen.has(key)) fail('two samples with the same labels');
      seen.add(key);
      samples.push({ name: sample, labels: labels as Record<string, string>, value: Number(value) });
    }
  }
  return samples;
}

function labelsIn(text: string): Record<string, string> | undefined {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const [, name, value] = LABEL.exec(text) ?? [];
    if (name === undefined || value === undefined) return undefined;
    labels[name] = value.replace(/\\(.)/g, (_, character) => (character === 'n' ? '\n' : character));
  }
  return labels;
}

const values = (samples: readonly Sample[], name: string, label: string): Record<string, number> =>
  Object.fromEntries(
    samples.filter((sample) => sample.name === name).map(({ labels, value }) => [labels[label], value]),
  );

beforeEach(needsRedis);

const record = (uuid: string, code: string): string =>
  `${JSON.stringify({ uuid, run: { state: 'FAILURE', as: 'result', error: { code, message: 'no' } } })}\n`;

describe('task-queue size --metrics', () => {
  test('counts tasks by state, dead ones by cause, and workers', async () => {
    const redis = await startRedis();
    const at = `${redis.url} --name q`;
    const input = ['a', 'b', 'c', 'd', 'e', 'f'].map((uuid) => `{"uuid":"${uuid}"}\n`).join('');
    await sh(`task-queue push ${at} --quiet --attempts 1`, { input });
    const pull = start(`exec task-queue pull ${at} --worker m1 --window 4`);
    await once(pull.stdout as NodeJS.ReadableStream, 'data');
    const failed = record('a', 'HTTP_500') + record('b', 'HTTP_500') + record('c', 'TIMEOUT');
    await sh(`task-queue ack ${at} --worker other`, { input: failed }); // no worker has this name
    await sh(`task-queue push ${at} --quiet --delay 1h`, { input: '{"uuid":"later"}\n' });
    await sh(`task-done mark '${redis.url}#q' x y`);
    let samples: Sample[] = [];
    while (values(samples, 'taskpipe_queue_worker_tasks', 'worker').m1 !== 3) {
      const { stdout, code } = await sh(`task-queue size ${at} --metrics`);
      expect(code).toBe(0);
      samples = parse(stdout);
    }
    expect(values(samples, 'taskpipe_queue_tasks', 'state')).toEqual({
      ...{ waiting: 0, delayed: 1, active: 3, dead: 3 },
    });
    expect(values(samples, 'taskpipe_queue_dead_tasks', 'code')).toEqual({ HTTP_500: 2, TIMEOUT: 1 });
    expect(values(samples, 'taskpipe_queue_finished_tasks', 'queue')).toEqual({ q: 2 });
    expect(values(samples, 'taskpipe_queue_workers', 'queue')).toEqual({ q: 1 });
    expect(values(samples, 'taskpipe_queue_paused', 'queue')).toEqual({ q: 0 });
    expect(samples.every(({ labels }) => labels.queue === 'q')).toBe(true);
    pull.kill('SIGKILL');
  });

  test('escapes labels, adds up workers of one name, and keeps families of several queues together', async () => {
    const redis = await startRedis();
    const name = 'a"b\\c é';
    const at = `${redis.url} --name '${name}' --name other`;
    const worker = `m"1\\n\n2`;
    const env = { TASK_QUEUE_WORKER: worker };
    const pulls = [1, 2].map(() => start(`exec task-queue pull ${at}`, { env }));
    let samples: Sample[] = [];
    while (values(samples, 'taskpipe_queue_workers', 'queue')[name] !== 2)
      samples = parse((await sh(`task-queue size ${at} --metrics`)).stdout);
    expect(values(samples, 'taskpipe_queue_worker_tasks', 'worker')).toEqual({ [worker]: 0 });
    expect(Object.keys(values(samples, 'taskpipe_queue_paused', 'queue'))).toEqual([name, 'other']);
    for (const pull of pulls) pull.kill('SIGKILL');
  });

  test('has the age of the next task, also on machines with wrong clocks', async () => {
    const redis = await startRedis();
    const at = `${redis.url} --name q`;
    const cwd = freshFolder();
    /** Returns an environment in which the clock of Node is wrong by this many hours. */
    const off = (hours: number): Record<string, string> => {
      const file = join(cwd, `clock${hours}.mjs`);
      writeFileSync(file, `const { now } = Date; Date.now = () => now() + ${hours * 3_600_000};\n`);
      return { NODE_OPTIONS: `--import=file://${file}` };
    };
    const latency = async (env: Record<string, string>): Promise<number | undefined> => {
      const samples = parse((await sh(`task-queue size ${at} --metrics`, { env })).stdout);
      return values(samples, 'taskpipe_queue_latency_seconds', 'queue').q;
    };
    expect(await latency({})).toBe(0);
    const began = performance.now();
    await sh(`task-queue push ${at} --quiet`, { input: '{"uuid":"old"}\n', env: off(-1) });
    const pushed = performance.now();
    while (performance.now() - pushed < 1500)
      await sh(`task-queue push ${at} --quiet`, { input: '{"uuid":"new"}\n' });
    for (const env of [off(1), off(-2)]) {
      const waited = await latency(env);
      expect(waited).toBeGreaterThan(1.4);
      expect(waited).toBeLessThan((performance.now() - began) / 1000);
    }
  });

  test('leaves out a worker that has stopped reporting', async () => {
    const redis = await startRedis();
    const at = `${redis.url} --name q`;
    const pull = start(`exec task-queue pull ${at} --worker lost`);
    const workers = async (): Promise<Record<string, number>> =>
      values(
        parse((await sh(`task-queue size ${at} --metrics`)).stdout),
        'taskpipe_queue_worker_tasks',
        'worker',
      );
    while (!('lost' in (await workers())));
    pull.kill('SIGKILL');
    await ended(pull);
    while ('lost' in (await workers())) await new Promise((resolve) => setTimeout(resolve, 500));
  }, 60_000);
});
