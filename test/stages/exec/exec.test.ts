import { describe, expect, test } from 'vitest';
import { Task } from '../../../src/core/record/task.ts';
import type { Executor, Outcome } from '../../../src/executors/contract.ts';
import { type ExecOptions, exec } from '../../../src/stages/exec/exec.ts';

const task = (uuid: string, more: object = {}): Task => new Task(uuid, JSON.stringify({ uuid, ...more }));
const numbered = (count: number, more: object = {}): Task[] =>
  Array.from({ length: count }, (_, i) => task(`t${i}`, { n: i, ...more }));

async function* batches(tasks: readonly Task[], size = tasks.length): AsyncGenerator<readonly Task[]> {
  for (let at = 0; at < tasks.length; at += size) yield tasks.slice(at, at + size);
}

async function run(
  work: Parameters<typeof exec>[0],
  tasks: readonly Task[] | AsyncIterable<readonly Task[]>,
  options: ExecOptions = {},
) {
  const stage = exec(
    work,
    options,
  )(Array.isArray(tasks) ? batches(tasks) : (tasks as AsyncIterable<readonly Task[]>));
  const out: Task[] = [];
  for await (const batch of stage) out.push(...batch);
  return { out, counts: stage.counts, uuids: out.map(({ uuid }) => uuid) };
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const runOf = (one: Task | undefined): Record<string, unknown> => Object(one?.fields.run);
const quick = { min: 0, max: 1 };

/** Makes an executor with lanes that takes its outcomes from a function. */
function lanes(outcome: (task: Task, number: number) => Promise<Outcome> | Outcome): Executor {
  return {
    lane: ({ fields }) => String(fields.host),
    attempt: (one, { number }) => outcome(one, number),
    describe: ({ uuid }) => uuid,
    close: async () => {},
  };
}

describe('the outcome of a task', () => {
  test('is a result under its key or a failure under run, and both are emitted', async () => {
    const work = ({ fields: { n } }: Task): unknown => {
      if (n === 1) throw Object.assign(new Error('no good'), { code: 'BAD' });
      return n === 2 ? undefined : { twice: Number(n) * 2 };
    };
    const { out, counts } = await run(work, numbered(3), { as: 'sum', keepOrder: true });
    expect(out.map(({ fields }) => fields.sum)).toEqual([{ twice: 0 }, undefined, undefined]);
    expect(out.map((one) => runOf(one).state)).toEqual(['SUCCESS', 'FAILURE', 'SUCCESS']);
    expect(runOf(out[1])).toMatchObject({
      as: 'sum',
      attempts: 1,
      error: { code: 'BAD', message: 'no good' },
    });
    expect(runOf(out[0]).at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(counts).toMatchObject({ succeeded: 2, failed: 1 });
  });

  test('is kept for FAILURE and REVERTED tasks, while SUCCESS and PENDING ones run again', async () => {
    const states = ['FAILURE', 'REVERTED', 'REVERT_FAILURE', 'SUCCESS', 'PENDING'];
    const tasks = states.map(
      (state) => new Task(state, `{"uuid":"${state}", "run":{"state":"${state}","as":"x"}}`),
    );
    const { out, counts } = await run(() => 1, tasks, { keepOrder: true });
    expect(out.slice(0, 3).map(({ line }) => line)).toEqual(tasks.slice(0, 3).map(({ line }) => line));
    expect(out.slice(3).map(({ fields }) => fields.result)).toEqual([1, 1]);
    expect(counts).toMatchObject({ passed: 3, succeeded: 2 });
  });

  test('does not depend on a column named state or an invalid run', async () => {
    const { out } = await run(() => 1, [task('a', { state: 'FAILURE' }), task('b', { run: 'fast' })], {
      keepOrder: true,
    });
    expect(out.map((one) => runOf(one).state)).toEqual(['SUCCESS', 'SUCCESS']);
  });

  test('is a failure without its result if the result makes the record too long', async () => {
    const { out } = await run(() => 'x'.repeat(500), [task('a')], { maxLine: 300 });
    expect(out[0]?.fields.result).toBeUndefined();
    expect(runOf(out[0])).toMatchObject({ state: 'FAILURE', error: { code: 'RESULT_TOO_LONG' } });
  });

  test('does not exist for an empty input', async () => {
    expect((await run(() => 1, [])).out).toEqual([]);
  });

  test('is emitted before a later error of the input', async () => {
    async function* broken(): AsyncGenerator<readonly Task[]> {
      yield [task('a')];
      throw new Error('the disk is gone');
    }
    const out: Task[] = [];
    const reading = async (): Promise<void> => {
      for await (const batch of exec(async () => 1)(broken())) out.push(...batch);
    };
    await expect(reading()).rejects.toThrow('the disk is gone');
    expect(out.map(({ fields }) => fields.result)).toEqual([1]);
  });
});

describe('concurrency', () => {
  test('reaches jobs and never exceeds it', async () => {
    let running = 0;
    let most = 0;
    await run(
      async () => {
        most = Math.max(most, ++running);
        await wait(1);
        running--;
      },
      numbered(100),
      { jobs: 7 },
    );
    expect(most).toBe(7);
  });

  test('tasks leave as they finish, or in input order with keepOrder', async () => {
    const work = ({ fields: { n } }: Task): Promise<void> => wait(n === 0 ? 30 : 1);
    expect((await run(work, numbered(5))).uuids.at(-1)).toBe('t0');
    expect((await run(work, numbered(50), { keepOrder: true })).uuids).toEqual(
      numbered(50).map(({ uuid }) => uuid),
    );
  });

  test.each([false, true])('reads ahead a bounded number of tasks (keepOrder: %s)', async (keepOrder) => {
    let read = 0;
    async function* endless(): AsyncGenerator<readonly Task[]> {
      while (read < 100_000) yield [task(`t${read++}`)];
    }
    const leaving = new AbortController();
    const running = run(() => new Promise(() => {}), endless(), {
      jobs: 5,
      keepOrder,
      aborting: leaving.signal,
    });
    await wait(50);
    const seen = read;
    leaving.abort();
    await running;
    expect(seen).toBeLessThanOrEqual(40);
  });

  test('work stops if the output is not read', async () => {
    let done = 0;
    const stage = exec(() => {
      done++;
      return 'x'.repeat(100_000);
    })(batches(numbered(1000), 10));
    const iterator = stage[Symbol.asyncIterator]();
    await iterator.next();
    await wait(50);
    expect(done).toBeLessThan(200);
    await iterator.return?.();
  });

  test('starts no faster than the rate', async () => {
    const starts: number[] = [];
    const began = performance.now();
    await run(() => void starts.push(performance.now()), numbered(11), { rate: { count: 100, per: 1000 } });
    expect(performance.now() - began).toBeGreaterThan(85);
    expect(starts).toHaveLength(11);
  });
});

describe('lanes', () => {
  test('a hanging lane does not block the others', async () => {
    const tasks = numbered(400).map(({ uuid }, i) =>
      task(uuid, { host: i % 10 === 0 ? 'slow' : `h${i % 10}` }),
    );
    const stopping = new AbortController();
    let fast = 0;
    const executor = lanes(({ fields }) => {
      if (fields.host === 'slow') return new Promise(() => {});
      if (++fast === 360) stopping.abort();
      return { result: '1' };
    });
    const { counts } = await run(executor, batches(tasks, 20), {
      jobs: 10,
      stopping: stopping.signal,
      grace: 0,
    });
    expect(counts).toMatchObject({ succeeded: 360, pending: 40 });
  });

  test('a single lane gets all jobs, and perHost limits each lane', async () => {
    const running = new Map<string, number>();
    const most = new Map<string, number>();
    const executor = lanes(async ({ fields }) => {
      const host = String(fields.host);
      running.set(host, (running.get(host) ?? 0) + 1);
      most.set(host, Math.max(most.get(host) ?? 0, running.get(host) ?? 0));
      await wait(1);
      running.set(host, (running.get(host) ?? 0) - 1);
      return {};
    });
    await run(executor, numbered(60, { host: 'only' }), { jobs: 8 });
    expect(most.get('only')).toBe(8);
    const mixed = numbered(60).map(({ uuid }, i) => task(uuid, { host: i % 2 ? 'a' : 'b' }));
    await run(executor, mixed, { jobs: 8, perHost: 2 });
    expect([most.get('a'), most.get('b')]).toEqual([2, 2]);
  });

  test('the last lane gets the jobs of those that have ended', async () => {
    let running = 0;
    let most = 0;
    let late = 0;
    let allDone = (): void => {};
    const untilAllDone = new Promise<void>((resolve) => {
      allDone = resolve;
    });
    const executor = lanes(async ({ fields }) => {
      if (fields.host !== 'last') return {};
      most = Math.max(most, ++running);
      await wait(1);
      running--;
      if (++late === 2000) allDone();
      return {};
    });
    const input = async function* (): AsyncGenerator<readonly Task[]> {
      yield numbered(500).map(({ uuid }) => task(uuid, { host: uuid }));
      for (let i = 0; i < 20; i++) yield numbered(100, { host: 'last' });
      await untilAllDone; // keeps the input open while they run
    };
    await run(executor, input(), { jobs: 20 });
    expect(most).toBe(20);
  });

  test('read ahead at most a few megabytes', async () => {
    let read = 0;
    const big = 'x'.repeat(1024 * 1024);
    async function* endless(): AsyncGenerator<readonly Task[]> {
      while (read < 1000) yield [task(`t${read++}`, { host: 'h', big })];
    }
    const leaving = new AbortController();
    const running = run(
      lanes(() => new Promise(() => {})),
      endless(),
      { jobs: 4, aborting: leaving.signal },
    );
    await wait(200);
    const seen = read;
    leaving.abort();
    await running;
    expect(seen).toBeLessThan(30);
  });

  test('a pause affects only its lane, and a burst of rejections counts once', async () => {
    let refusedUntil = 0;
    const starts: [host: unknown, at: number][] = [];
    const executor = lanes(async ({ fields: { host } }) => {
      const now = performance.now();
      starts.push([host, now]);
      await wait(2);
      if (host === 'free') return { result: '1' };
      if (refusedUntil === 0) refusedUntil = now + 100;
      if (now >= refusedUntil) return { result: '1' };
      return { error: { code: 'HTTP_STATUS', message: '429' }, retry: { after: 100, pauseLane: true } };
    });
    const tasks = [...numbered(8, { host: 'busy' }), task('x', { host: 'free' })];
    const { counts } = await run(executor, tasks, { jobs: 8, perHost: 4, retries: 1, backoff: quick });
    expect(counts).toMatchObject({ succeeded: 9, failed: 0 });
    const busy = starts.filter(([host]) => host === 'busy').map(([, at]) => at);
    expect(busy.filter((at) => at < refusedUntil - 2).length).toBe(4);
    const [free] = starts.filter(([host]) => host === 'free').map(([, at]) => at);
    expect(free).toBeLessThan(refusedUntil);
  });

  test('each lane keeps to the lane rate', async () => {
    const tasks = numbered(10).map(({ uuid }, i) => task(uuid, { host: i % 2 ? 'a' : 'b' }));
    const began = performance.now();
    await run(
      lanes(() => ({})),
      tasks,
      { hostRate: { count: 100, per: 1000 } },
    );
    const took = performance.now() - began;
    expect(took).toBeGreaterThan(25);
    expect(took).toBeLessThan(2000);
  });
});

describe('errors and dry runs', () => {
  const broken = (number: number): Executor =>
    lanes((_, attempt) => {
      if (attempt === number) throw new Error('out of order');
      return { error: { code: 'X', message: '' }, retry: {} };
    });

  test.each([1, 2])('an executor that throws at attempt %i ends the stage with its error', async (number) => {
    await expect(run(broken(number), numbered(3, { host: 'h' }), { backoff: quick })).rejects.toThrow(
      'out of order',
    );
  });

  test('a result that JSON cannot hold makes its task fail', async () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    for (const work of [() => 10n, async () => 10n, async () => circle]) {
      const { out } = await run(work, numbered(2));
      expect(out.map((one) => runOf(one).state)).toEqual(['FAILURE', 'FAILURE']);
    }
  });

  test.each([[{ jobs: 0 }], [{ jobs: Number.NaN }], [{ retries: -1 }], [{ perHost: 1.5 }], [{ as: 'uuid' }]])(
    'an invalid option is rejected by name: %o',
    (options) => {
      const [name = ''] = Object.keys(options);
      expect(() => exec(() => 1, options)).toThrow(new RegExp(`^${name} must be`));
    },
  );

  test('a dry run emits tasks as PENDING, not as finished', async () => {
    const said: string[] = [];
    const { out } = await run(
      lanes(() => ({ result: '1' })),
      numbered(2, { host: 'h' }),
      { dryRun: (line) => said.push(line) },
    );
    expect(said).toEqual(['t0', 't1']);
    expect(out.map((one) => [runOf(one).state, runOf(one).attempts])).toEqual([
      ['PENDING', 0],
      ['PENDING', 0],
    ]);
  });
});

describe('retries', () => {
  test('repeat a temporary failure, and the record has the number of attempts', async () => {
    const executor = lanes((_, number) =>
      number < 3 ? { error: { code: 'CONNECTION', message: 'reset' }, retry: {} } : { result: '"ok"' },
    );
    const { out, counts } = await run(executor, numbered(20, { host: 'h' }), { retries: 2, backoff: quick });
    expect(out.map((one) => runOf(one))).toEqual(
      out.map(() => expect.objectContaining({ state: 'SUCCESS', attempts: 3 })),
    );
    expect(counts.retries).toBe(40);
  });

  test('leave the failure when they are used up, and do not apply to permanent failures', async () => {
    const executor = lanes((one) => ({
      error: { code: 'X', message: '' },
      ...(one.uuid === 't0' ? { retry: {} } : {}),
    }));
    const { out, counts } = await run(executor, numbered(2, { host: 'h' }), {
      retries: 2,
      backoff: quick,
      keepOrder: true,
    });
    expect(out.map((one) => runOf(one).attempts)).toEqual([3, 1]);
    expect([...counts.causes]).toEqual([['X', 2]]);
  });

  test('hold no job while they wait', async () => {
    const order: string[] = [];
    const executor = lanes((one, number) => {
      order.push(one.uuid);
      return one.uuid === 't0' && number === 1
        ? { error: { code: 'X', message: '' }, retry: { after: 30 } }
        : {};
    });
    await run(executor, numbered(5, { host: 'h' }), { jobs: 1, backoff: quick });
    expect(order).toEqual(['t0', 't1', 't2', 't3', 't4', 't0']);
  });
});

describe('the end of a run', () => {
  test('lets running tasks finish after a stop, and leaves the rest PENDING', async () => {
    const stopping = new AbortController();
    const work = async ({ fields: { n } }: Task): Promise<number> => {
      if (n === 4) stopping.abort();
      await wait(10);
      return 1;
    };
    const { out, counts } = await run(work, numbered(100), { jobs: 5, stopping: stopping.signal });
    expect(out).toHaveLength(100);
    expect(counts).toMatchObject({ succeeded: 5, pending: 95 });
    expect(new Set(out.map(({ uuid }) => uuid)).size).toBe(100);
    expect(runOf(out[0])).toMatchObject({ state: 'PENDING', attempts: 0 });
  });

  test('leaves tasks PENDING that exceed the grace or wait for a retry', async () => {
    const stopping = new AbortController();
    const executor = lanes(async (one) => {
      if (one.uuid === 't0') stopping.abort();
      if (one.uuid === 't1') return { error: { code: 'X', message: '' }, retry: {} };
      return new Promise(() => {});
    });
    const { out, counts } = await run(executor, numbered(3, { host: 'h' }), {
      stopping: stopping.signal,
      grace: 20,
    });
    expect(out.map((one) => runOf(one).state)).toEqual(['PENDING', 'PENDING', 'PENDING']);
    expect(counts.pending).toBe(3);
  });

  test('keeps unfinished tasks out of the output if they have another destination', async () => {
    const stopping = new AbortController();
    stopping.abort();
    const kept: Task[] = [];
    const input = async function* (): AsyncGenerator<readonly Task[]> {
      yield numbered(3);
    };
    const { out } = await run(() => 1, input(), {
      stopping: stopping.signal,
      unfinished: (one) => kept.push(one),
    });
    expect(out.length + kept.length).toBeLessThanOrEqual(3);
    expect(out).toEqual([]);
  });

  test.each([
    [{ count: 3 }, 3],
    [{ percent: 50 }, 100],
  ])('comes after too many failures: %o', async (maxFailures, failures) => {
    const work = (): never => {
      throw new Error('always');
    };
    const { counts } = await run(work, batches(numbered(500), 1), { jobs: 1, maxFailures });
    expect(counts).toMatchObject({ failed: failures, hasTooManyFailures: true });
  });

  test('closes the executor, also if the output is not read to its end', async () => {
    let closed = 0;
    const executor = { ...lanes(() => ({})), close: async () => void closed++ };
    await run(executor, numbered(3, { host: 'h' }));
    for await (const _ of exec(executor)(batches(numbered(10, { host: 'h' }), 1))) break;
    expect(closed).toBe(2);
  });
});
