import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Task } from '../../../src/core/record/task.ts';
import type { BatchOutcome, Executor, Outcome } from '../../../src/executors/contract.ts';
import type { StageHandle } from '../../../src/stages/exec/cancels.ts';
import { type ExecOptions, type Execution, exec } from '../../../src/stages/exec/exec.ts';
import { MachineRoom } from '../../../src/stages/exec/limits/machine/machine-room.ts';

const numbered = (count: number): Task[] =>
  Array.from({ length: count }, (_, n) => new Task(`t${n}`, JSON.stringify({ uuid: `t${n}`, n, of: n % 3 })));

async function* chunks(tasks: readonly Task[], size = tasks.length): AsyncGenerator<readonly Task[]> {
  for (let at = 0; at < tasks.length; at += size) yield tasks.slice(at, at + size);
}

type Call = (tasks: readonly Task[], number: number) => BatchOutcome | Promise<BatchOutcome>;

/** Makes an executor for batches, and lists the sizes of its calls. */
function calls(call: Call, more: Partial<Executor> = {}): { executor: Executor; sizes: number[] } {
  const sizes: number[] = [];
  const attemptAll = (tasks: readonly Task[], { number }: { number: number }) => {
    sizes.push(tasks.length);
    return call(tasks, number);
  };
  const attempt = (): never => {
    throw new Error('single');
  };
  return { executor: { attempt, attemptAll, describe: String, close: async () => {}, ...more }, sizes };
}

async function run(executor: Executor, tasks: AsyncIterable<readonly Task[]>, options: ExecOptions) {
  const stage = exec(executor, { backoff: { min: 0, max: 1 }, ...options })(tasks);
  const out: Task[] = [];
  for await (const batch of stage) out.push(...batch);
  return { out, counts: stage.counts, states: statesOf(out) };
}

const runOf = (one: Task | undefined): { state?: string; attempts?: number; error?: { message: string } } =>
  Object(one?.fields.run);
const statesOf = (out: readonly Task[]): Record<string, number> => {
  const states: Record<string, number> = {};
  for (const one of out) states[String(runOf(one).state)] = (states[String(runOf(one).state)] ?? 0) + 1;
  return states;
};
const ok: Call = (tasks) => tasks.map(({ fields }) => ({ result: String(fields.n) }));
const bad = (message: string, halves: 'now' | 'later' | 'never', retry = false): BatchOutcome => ({
  whole: { error: { code: 'BAD', message }, ...(retry && { retry: {} }) },
  halves,
});
const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('a batch', () => {
  test('has N tasks, and the end of input ends the wait for more', async () => {
    const { executor, sizes } = calls(ok);
    const { out, states } = await run(executor, chunks(numbered(25)), { batch: 10, batchWait: 1e6 });
    expect(sizes).toEqual([10, 10, 5]);
    expect(states).toEqual({ SUCCESS: 25 });
    expect(out.every(({ fields }) => fields.result === fields.n)).toBe(true);
  });

  // celery-batches #107 and PR #95, datacube #45: a timer that is not set again, or only checked when tasks arrive.
  test('waits for more tasks each time, and no longer than --batch-wait', async () => {
    const { executor, sizes } = calls(ok);
    async function* slowly(): AsyncGenerator<readonly Task[]> {
      const tasks = numbered(6);
      for (let i = 0; i < 6; i += 2) {
        yield tasks.slice(i, i + 2);
        const known = sizes.length;
        while (sizes.length === known) await later(5);
      }
    }
    await run(executor, slowly(), { batch: 4, batchWait: 20 });
    expect(sizes).toEqual([2, 2, 2]);
  });

  // vector #8705 and #9790: events larger than the batch are dropped.
  test('is limited in bytes, and a larger record is called alone', async () => {
    const tasks = [10, 10, 900, 10].map((length, i) => {
      const line = JSON.stringify({ uuid: `t${i}`, text: 'x'.repeat(length) });
      return new Task(`t${i}`, line);
    });
    const { executor, sizes } = calls((some) => some.map(() => ({})));
    const { states } = await run(executor, chunks(tasks), { batch: 10, batchBytes: 500 });
    expect(sizes).toEqual([2, 1, 1]);
    expect(states).toEqual({ SUCCESS: 4 });
  });

  test('has only tasks with the same value of --batch-by', async () => {
    const seen: unknown[][] = [];
    const { executor } = calls((tasks) => {
      seen.push([...new Set(tasks.map(({ fields }) => fields.of))]);
      return tasks.map(() => ({}));
    });
    await run(executor, chunks(numbered(60), 7), { batch: 5, batchBy: 'of', jobs: 2 });
    expect(seen.length).toBe(12);
    expect(seen.every((values) => values.length === 1)).toBe(true);
  });

  test('runs -j at once, and the others wait', async () => {
    let [running, most] = [0, 0];
    const { executor } = calls(async (tasks) => {
      most = Math.max(most, ++running);
      await later(2);
      running--;
      return tasks.map(() => ({}));
    });
    await run(executor, chunks(numbered(300)), { batch: 10, jobs: 3 });
    expect(most).toBe(3);
  });

  test('counts as one call for --rate', async () => {
    const { executor, sizes } = calls(ok);
    const since = performance.now();
    await run(executor, chunks(numbered(40)), { batch: 10, rate: { count: 20, per: 1000 } });
    expect(sizes).toEqual([10, 10, 10, 10]);
    expect(performance.now() - since).toBeGreaterThan(130);
    expect(performance.now() - since).toBeLessThan(1500); // 40 tasks at this rate take 2 s
  });

  test('keeps the order of the input with --keep-order', async () => {
    const { executor } = calls(async (tasks) => {
      await later(Number(tasks[0]?.fields.of) * 3);
      return tasks.map(() => ({}));
    });
    const { out } = await run(executor, chunks(numbered(90), 20), {
      batch: 7,
      batchBy: 'of',
      keepOrder: true,
    });
    expect(out.map(({ fields }) => fields.n)).toEqual(numbered(90).map(({ fields }) => fields.n));
  });

  // celery-batches #93: what becomes of buffered tasks at a shutdown?
  test('that waits for more tasks at a stop is passed on as PENDING, without an attempt', async () => {
    const stopping = new AbortController();
    const { executor, sizes } = calls(ok);
    async function* input(): AsyncGenerator<readonly Task[]> {
      yield numbered(3);
      setTimeout(() => stopping.abort(), 20);
      await new Promise(() => {});
    }
    const { states, out } = await run(executor, input(), {
      batch: 10,
      batchWait: 1e6,
      stopping: stopping.signal,
    });
    expect(sizes).toEqual([]);
    expect(states).toEqual({ PENDING: 3 });
    expect(runOf(out[0]).attempts).toBe(0);
  });

  test('counts as one call for --load, and the tasks in it do not', async () => {
    const { executor, sizes } = calls(async (tasks) => ok(tasks, 1));
    let waits = 0;
    let seen: number[] = [];
    const machine = new MachineRoom({
      ...{ load: { most: 8, typed: '8' }, memfree: undefined, processes: () => 1, info: () => {} },
      ...{ running: () => stage.calls, stopping: new AbortController().signal },
    });
    const room = (): Promise<void> | undefined => {
      const wait = machine.room();
      if (wait !== undefined) waits++;
      seen = [stage.running, stage.calls];
      return wait;
    };
    const stage: Execution = exec(executor, { batch: 50, batchWait: 1e6, jobs: 2, room })(
      chunks(numbered(120)),
    );
    const out: Task[] = [];
    for await (const batch of stage) out.push(...batch);
    machine.close();
    expect([sizes, waits, out.length]).toEqual([[50, 50, 20], 0, 120]);
    expect(seen[0]).toBeLessThanOrEqual(100);
    expect(seen[1]).toBeLessThanOrEqual(2);
  });

  test('loses only a task that is cancelled', async () => {
    let handle: StageHandle | undefined;
    const { executor, sizes } = calls(ok);
    async function* input(): AsyncGenerator<readonly Task[]> {
      yield numbered(3);
      await later(10);
      handle?.cancel('t1');
    }
    const control = (stage: StageHandle): void => {
      handle = stage;
    };
    const { states } = await run(executor, input(), { batch: 10, batchWait: 1e6, control });
    expect(states).toEqual({ SUCCESS: 2, FAILURE: 1 });
    expect(sizes).toEqual([2]);
  });

  test('needs work that takes several tasks', () => {
    expect(() => exec(() => 1, { batch: 2 })).toThrow('batch needs work that takes several tasks');
    expect(() => exec(() => 1, { batchWait: 2 })).toThrow('--batch-wait has no effect without --batch');
  });
});

describe('a batch that fails as a whole', () => {
  const poison = (of: number, halves: 'now' | 'later', retry = false): Call => {
    return (tasks, number) =>
      tasks.some(({ fields }) => fields.n === of)
        ? bad(`poison of ${tasks.length}`, halves, retry)
        : ok(tasks, number);
  };

  test.each([0, 99, 4444, 5555, 9901, 9999])(
    'costs 2·log2(100) more calls for task %i among 10,000 in batches of 100',
    async (of) => {
      const { executor, sizes } = calls(poison(of, 'now'));
      const { out, counts } = await run(executor, chunks(numbered(10_000)), { batch: 100 });
      expect(sizes.length - 100).toBeLessThanOrEqual(Math.floor(2 * Math.log2(100)));
      expect(counts).toMatchObject({ succeeded: 9999, failed: 1, retries: 0 });
      const failed = out.filter((one) => runOf(one).state === 'FAILURE');
      expect(failed.map(({ fields }) => [fields.n, runOf(failed[0]).error?.message])).toEqual([
        [of, 'poison of 1'],
      ]);
    },
  );

  // fluent-bit #4630: accepted records are sent again and again together with the rejected one.
  test('is retried as a whole if the failure may be temporary, and then halved', async () => {
    const { executor, sizes } = calls(poison(3, 'later', true));
    const { counts, out } = await run(executor, chunks(numbered(8)), {
      batch: 8,
      retries: 2,
      jobs: 1,
      batchWait: 50,
    });
    expect(sizes.slice(0, 3)).toEqual([8, 8, 8]);
    expect(counts).toMatchObject({ succeeded: 7, failed: 1, retries: 16 });
    expect(out.every((one) => runOf(one).attempts === 3)).toBe(true);
  });

  test('is not halved repeatedly if both halves fail temporarily', async () => {
    const { executor, sizes } = calls(() => bad('down', 'later', true));
    const { counts } = await run(executor, chunks(numbered(64)), { batch: 64, retries: 0 });
    expect(sizes).toEqual([64, 32, 32]);
    expect(counts.failed).toBe(64);
  });

  test('costs 2·log2(n) more calls if nothing succeeds, whatever n is, and is retried as a whole', async () => {
    const { executor, sizes } = calls(() => bad('down', 'now'));
    const { counts } = await run(executor, chunks(numbered(300)), { batch: 100, retries: 0 });
    expect(sizes.length).toBe(3 * (1 + 14));
    expect(counts).toMatchObject({ succeeded: 0, failed: 300 });
    const retried = calls(() => bad('down', 'now'));
    const ended = await run(retried.executor, chunks(numbered(100)), {
      batch: 100,
      retries: 2,
      batchWait: 50,
    });
    // Found in the first search; after that only the last attempt is halved.
    expect(retried.sizes.filter((size) => size === 100).length).toBe(3);
    expect(retried.sizes.length).toBe(3 + 2 * 14);
    expect(ended.counts).toMatchObject({ failed: 100, retries: 200 });
  });

  test.each([5, 16, 100])('loses no task of batches of %i in an outage, whenever it ends', async (batch) => {
    const search = 2 * Math.ceil(Math.log2(batch));
    for (let failing = 1; failing <= search + 2; failing++) {
      let left = failing;
      const { executor } = calls((tasks, number) => (left-- > 0 ? bad('down', 'now') : ok(tasks, number)));
      const { counts } = await run(executor, chunks(numbered(2 * batch)), {
        batch,
        retries: 3,
        batchWait: 1e6,
        jobs: 1,
      });
      expect([failing, counts.succeeded, counts.failed]).toEqual([failing, 2 * batch, 0]);
    }
  });

  // Calls that began before an outage succeed in it: they say nothing about the calls after them.
  test.each([1, 2, 4])('loses no task in an outage that begins while %i other calls run', async (others) => {
    for (const endsIn of ['outage', 'search'] as const) {
      let made = 0;
      let failed = 0;
      let [letGo, down] = [(): void => {}, (): void => {}];
      const release = new Promise<void>((resolve) => (letGo = resolve));
      const isDown = new Promise<void>((resolve) => (down = resolve));
      const { executor } = calls(async (tasks, number) => {
        if (made++ < others) {
          await (endsIn === 'outage' ? isDown : release);
          return ok(tasks, number);
        }
        await later(0);
        if (failed++ >= 60) return ok(tasks, number);
        down();
        if (failed === 4) letGo();
        return bad('down', 'now');
      });
      const { counts } = await run(executor, chunks(numbered(200)), {
        ...{ batch: 20, batchWait: 1e6, jobs: others + 1, retries: 20 },
      });
      expect([endsIn, counts.succeeded, counts.failed]).toEqual([endsIn, 200, 0]);
    }
  });

  test.each([1, 3])(
    'loses no task of its batch in an outage that begins after a poison, with -j %i',
    async (jobs) => {
      // The search has made this many calls when the outage begins: the first ones fail otherwise, or succeed.
      for (const before of [0, 1, 2, 3]) {
        let [failing, searched] = [20, -1];
        const { executor } = calls(async (tasks, number) => {
          await later(0);
          const isPoison = tasks.some(({ fields }) => fields.n === 99);
          if (searched < 0 && !isPoison) return ok(tasks, number);
          if (searched++ < before) return isPoison ? bad('poison', 'now') : ok(tasks, number);
          if (failing-- > 0) return bad('down', 'now');
          return isPoison ? bad('poison', 'now') : ok(tasks, number);
        });
        const { counts, out } = await run(executor, chunks(numbered(100)), {
          ...{ batch: 100, batchWait: 1e6, jobs, retries: 10 },
        });
        const lost = out.filter(({ fields, line }) => fields.n !== 99 && !line.includes('"SUCCESS"'));
        expect([before, lost.length, counts.failed]).toEqual([before, 0, 1]);
      }
    },
  );

  test('finds each of several bad tasks if their failures differ, or if few fail in the same way', async () => {
    const some = fc.uniqueArray(fc.nat(99), { minLength: 1, maxLength: 7 });
    const many = fc.uniqueArray(fc.nat(99), { minLength: 1, maxLength: 100 });
    const kind = fc.oneof(
      fc.record({ poisons: some, isOwn: fc.constant(false) }),
      fc.record({ poisons: many, isOwn: fc.constant(true) }),
    );
    await fc.assert(
      fc.asyncProperty(kind, async ({ poisons, isOwn }) => {
        const known = new Set<unknown>(poisons);
        const { executor, sizes } = calls((tasks, number) => {
          const found = tasks.filter(({ fields }) => known.has(fields.n)).map(({ fields }) => fields.n);
          return found.length > 0 ? bad(isOwn ? `bad: ${found}` : 'bad', 'now') : ok(tasks, number);
        });
        const { out, counts } = await run(executor, chunks(numbered(100)), {
          batch: 100,
          jobs: 1,
          retries: 0,
        });
        expect(counts).toMatchObject({ succeeded: 100 - poisons.length, failed: poisons.length });
        expect(sizes.length).toBeLessThan(200);
        for (const { fields, line } of out)
          if (known.has(fields.n)) expect(line).toContain(isOwn ? `"bad: ${fields.n}"` : '"bad"');
      }),
      { numRuns: 100, seed: 2 },
    );
  });

  test('finds the good tasks beside many adjacent ones that fail alike', async () => {
    const row = fc.record({ from: fc.nat(49), count: fc.integer({ min: 8, max: 40 }) });
    await fc.assert(
      fc.asyncProperty(row, async ({ from, count }) => {
        const isBad = (n: unknown): boolean => Number(n) >= from && Number(n) < Math.min(50, from + count);
        const { executor } = calls((tasks, number) =>
          tasks.some(({ fields }) => isBad(fields.n)) ? bad('bad', 'now') : ok(tasks, number),
        );
        const options = { batch: 100, jobs: 1, retries: 2, batchWait: 1e6 };
        const { out } = await run(executor, chunks(numbered(100)), options);
        const failed = out.filter((one) => runOf(one).state === 'FAILURE').map(({ fields }) => fields.n);
        expect(failed.sort()).toEqual(
          numbered(100)
            .map(({ fields }) => fields.n)
            .filter(isBad)
            .sort(),
        );
      }),
      { numRuns: 50, seed: 3 },
    );
  });

  test('is not halved if it may have done its work, or with --batch-split never', async () => {
    const done = calls(() => bad('done', 'never'));
    await run(done.executor, chunks(numbered(8)), { batch: 8 });
    const never = calls(() => bad('no', 'now'));
    await run(never.executor, chunks(numbered(8)), { batch: 8, batchSplit: 'never' });
    const always = calls((tasks) => (tasks.length > 1 ? bad('done', 'never') : ok(tasks, 1)));
    const { counts } = await run(always.executor, chunks(numbered(8)), { batch: 8, batchSplit: 'always' });
    expect([done.sizes, never.sizes, counts.succeeded]).toEqual([[8], [8], 8]);
  });

  test('is retried after the pause that a server asks for, in batches as large as before', async () => {
    let refusals = 3;
    const { executor, sizes } = calls((tasks, number) =>
      refusals-- > 0
        ? {
            whole: { error: { code: 'BUSY', message: '429' }, retry: { after: 10, pauseLane: true } },
            halves: 'later',
          }
        : ok(tasks, number),
    );
    const { counts } = await run(executor, chunks(numbered(80)), { batch: 20, jobs: 1, batchWait: 50 });
    expect(counts).toMatchObject({ succeeded: 80, failed: 0 });
    expect(Math.min(...sizes)).toBeGreaterThan(9);
  });
});

describe('for random batches', () => {
  const scenario = fc.record({
    count: fc.integer({ min: 1, max: 120 }),
    chunk: fc.integer({ min: 1, max: 50 }),
    batch: fc.integer({ min: 1, max: 20 }),
    jobs: fc.integer({ min: 1, max: 5 }),
    retries: fc.integer({ min: 0, max: 2 }),
    batchWait: fc.constantFrom(0, 1, 3),
    batchBytes: fc.constantFrom(60, 200, 1e6),
    batchSplit: fc.constantFrom('auto' as const, 'always' as const, 'never' as const),
    isKeyed: fc.boolean(),
    keepOrder: fc.boolean(),
    bad: fc.array(fc.integer({ min: 0, max: 119 }), { maxLength: 6 }),
    halves: fc.constantFrom('now' as const, 'later' as const, 'never' as const),
    isAsync: fc.boolean(),
    end: fc.constantFrom('complete' as const, 'complete' as const, 'stop' as const, 'leave' as const),
    endAt: fc.integer({ min: 0, max: 30 }),
    seed: fc.nat(),
  });

  test('every task ends as exactly one record with its own state', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async (of) => {
        const [stopping, aborting] = [new AbortController(), new AbortController()];
        let made = 0;
        const poisons = new Set(of.bad);
        const call: Call = async (tasks, number) => {
          if (made++ === of.endAt && of.end !== 'complete') (of.end === 'stop' ? stopping : aborting).abort();
          if (of.isAsync) await later((of.seed + made) % 3);
          const isWhole =
            tasks.some(({ fields }) => poisons.has(Number(fields.n))) && (of.seed + made) % 2 === 0;
          if (isWhole) return bad('whole', of.halves, of.halves === 'later');
          return tasks.map(({ fields: { n } }): Outcome => {
            if (!poisons.has(Number(n))) return { result: String(n) };
            return { error: { code: 'OWN', message: `own ${n} ${number}` }, retry: {} };
          });
        };
        const { executor } = calls(call);
        const { batch, jobs, retries, batchWait, batchBytes, batchSplit, keepOrder } = of;
        const { out, counts } = await run(executor, chunks(numbered(of.count), of.chunk), {
          ...{ batch, jobs, retries, batchWait, batchBytes, batchSplit, keepOrder, grace: 1000 },
          ...{ batchBy: of.isKeyed ? 'of' : undefined, drains: true },
          ...{ stopping: stopping.signal, aborting: aborting.signal },
        });
        const known = out.map(({ uuid }) => uuid);
        expect(new Set(known).size).toBe(known.length);
        if (of.end !== 'leave') expect(known.length).toBe(of.count);
        for (const one of out) {
          const { n, result } = one.fields;
          const { state, error } = runOf(one);
          if (state === 'SUCCESS') expect(result).toBe(n);
          else if (poisons.has(Number(n)) && error?.message !== 'whole') {
            if (state === 'FAILURE') expect(error?.message).toContain(`own ${n} `);
          } else if (state === 'FAILURE') expect(error?.message).toBe('whole');
          else expect(state).toBe('PENDING');
        }
        const { succeeded, failed, pending } = counts;
        expect(succeeded + failed + pending).toBe(out.length);
      }),
      { numRuns: 150, seed: 20 },
    );
  });
});
