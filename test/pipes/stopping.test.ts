/* Pipelines that are stopped by signals or killed, and then run again. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { serve } from '../support/http-server.ts';
import { freshFolder, sh } from '../support/run.ts';
import {
  counter,
  finishedOf,
  hasLines,
  linesOf,
  parsed,
  runPipeline,
  startPipeline,
  uuidsOf,
  writeRows,
} from './pipeline.ts';

const ROWS = 3000;
const WORK =
  'task-load a.csv --uuid-fields url | task-exec --http -j 20 | task-save out.csv --flush 50 --fields uuid,n,result.status';
const env = { TASK_LEDGER: 'done.jsonl' };

/** Makes a folder with rows for a slow server. `asked` counts the requests. */
async function setUp() {
  const asked = counter();
  const { url } = await serve((response) => {
    asked.add();
    setTimeout(() => response.end('ok'), 2);
  });
  const cwd = freshFolder();
  writeRows(cwd, 'a.csv', ROWS, (n) => `${url}/${n}`);
  return { cwd, asked };
}

/** Runs the pipeline again to its end. Each row must then exist once, and the ledger must match the output. */
async function expectToFinish(cwd: string): Promise<void> {
  const { codes, stderr } = await runPipeline(WORK, { cwd, env });
  expect(codes, stderr).toBe('0 0 0');
  const rows = linesOf(cwd, 'out.csv').slice(1);
  expect(rows).toHaveLength(ROWS);
  expect(new Set(rows.map((row) => row.split(',')[1])).size).toBe(ROWS);
  expect(finishedOf(cwd, 'done.jsonl').sort()).toEqual(uuidsOf(cwd, 'out.csv').sort());
  expect(existsSync(join(cwd, 'out.csv.rest.ndjson'))).toBe(false);
}

describe('SIGHUP', () => {
  const work = `export default () => {
    process.kill(process.pid, 'SIGHUP');
    return new Promise((resolve) => setTimeout(resolve, 500, 'done'));
  };`;
  const pipeline = `printf '{"uuid":"a"}\\n{"uuid":"b"}\\n' | task-exec --module work.mjs -j 1 | jq -r .run.state`;

  test.each([
    ['stops a stage', '', ['PENDING', 'SUCCESS']],
    ['is ignored if the shell ignores it, as under nohup', "trap '' HUP; ", ['SUCCESS', 'SUCCESS']],
  ])('%s', async (_, before, states) => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'work.mjs'), work);
    const { stdout } = await sh(`${before}${pipeline}`, { cwd });
    expect(stdout.trim().split('\n').sort()).toEqual(states);
  });
});

describe('a signalled pipeline', () => {
  test.each([
    ['SIGINT', /^(0|130) 130 130$/],
    ['SIGTERM', /^(0|143) 143 143$/],
  ] as const)(
    'keeps finished tasks after %s, leaves the rest PENDING, and is completed by the next run',
    async (name, codes) => {
      const { cwd, asked } = await setUp();
      const pipeline = startPipeline(WORK, { cwd, env });
      await asked.reached(1000);
      pipeline.signal(name);
      const { stderr } = await pipeline.end;
      expect(await pipeline.codes, stderr).toMatch(codes);
      expect(stderr).not.toMatch(/JSON|defect/);

      const saved = uuidsOf(cwd, 'out.csv');
      const rest = parsed(readFileSync(join(cwd, 'out.csv.rest.ndjson'), 'utf8'));
      expect(saved.length).toBe(asked.count);
      expect(finishedOf(cwd, 'done.jsonl').sort()).toEqual(saved.sort());
      expect(rest.length).toBeGreaterThan(0);
      expect(new Set(rest.map(({ run }) => run.state))).toEqual(new Set(['PENDING']));
      expect(new Set([...saved, ...rest.map(({ uuid }) => uuid)]).size).toBe(saved.length + rest.length);

      await expectToFinish(cwd);
      expect(asked.count).toBe(ROWS);
    },
  );

  test('ends at the second signal although the server never answers', async () => {
    const asked = counter();
    const { url } = await serve(() => asked.add());
    const cwd = freshFolder();
    writeRows(cwd, 'a.csv', 10, (n) => `${url}/${n}`);
    // tee shows that the first signal has arrived: tasks that were not started have come through. Nothing is loaded
    // before tee ignores that signal.
    const load = 'mkfifo go; (read -r _ < go; exec task-load a.csv)';
    const show = "(trap '' INT; echo > go; tee >(cat >&2))";
    const pipeline = startPipeline(
      `${load} | task-exec --http -j 4 --grace 1h | ${show} | task-save out.csv`,
      {
        cwd,
      },
    );
    await asked.reached(4);
    const passed = pipeline.said('stderr', /(?:[^\n]*PENDING[^\n]*\n){6}/);
    pipeline.signal('SIGINT');
    await passed;
    pipeline.signal('SIGINT');
    await pipeline.end;
    expect(await pipeline.codes).toBe('0 130 0 130');
    expect(asked.count).toBe(4);
  });

  test('emits tasks as PENDING that a server does not answer within --grace', async () => {
    const asked = counter();
    const { url } = await serve(() => asked.add());
    const cwd = freshFolder();
    writeRows(cwd, 'a.csv', 10, (n) => `${url}/${n}`);
    const command = 'task-load a.csv | task-exec --http -j 4 --grace 100ms | task-save out.csv';
    const pipeline = startPipeline(command, { cwd });
    await asked.reached(4);
    await hasLines(cwd, 'out.csv', 0); // task-save has started too, and handles signals
    const stopped = performance.now();
    pipeline.signal('SIGTERM');
    expect(await pipeline.codes).toMatch(/^(0|143) 143 143$/); // task-load may have ended already
    expect(performance.now() - stopped).toBeLessThan(5000); // half of the default grace
    const rest = parsed(readFileSync(join(cwd, 'out.csv.rest.ndjson'), 'utf8'));
    expect(rest.map(({ run }) => `${run.state} ${run.attempts}`).sort()).toEqual([
      ...Array(6).fill('PENDING 0'),
      ...Array(4).fill('PENDING 1'),
    ]);
  });
});

describe('a stage whose reader does not read', () => {
  test.each([
    ['task-load', 'task-load a.ndjson'],
    ['task-exec', 'task-exec --http --dry-run < a.ndjson 2> words'],
    ['task-save', 'task-save - < a.ndjson'],
  ])(
    'ends at the second signal: %s',
    async (stage, command) => {
      const cwd = freshFolder();
      let text = '';
      for (let n = 0; n < 100_000; n++)
        text += `{"uuid":"${n}","url":"http://h/${n}","more":"${'x'.repeat(99)}"}\n`;
      writeFileSync(join(cwd, 'a.ndjson'), text);
      const pipeline = startPipeline(`{ ${command}; echo "code $?" >&2; } | sleep 60`, { cwd });
      const left = pipeline.said('stderr', /^code 143$/m);
      const pid = await running(pipeline.pid, stage);
      await isStill(pid);
      process.kill(pid, 'SIGTERM');
      await isStill(pid);
      process.kill(pid, 'SIGTERM');
      await left;
    },
    20_000,
  );
});

describe('a pipeline with a killed stage', () => {
  test.each(['task-load', 'task-exec', 'task-save'])(
    'has each row once after SIGKILL of %s and another run',
    async (stage) => {
      const { cwd, asked } = await setUp();
      const held = stage === 'task-load';
      // task-load runs as long as its input is open, so the end of the input is held back.
      const pipeline = startPipeline(held ? WORK.replace('a.csv', '--format csv') : WORK, { cwd, env });
      if (held) pipeline.child.stdin?.write(readFileSync(join(cwd, 'a.csv')).subarray(0, -20));
      await asked.reached(1000);
      process.kill(pipeline.pid(stage), 'SIGKILL');
      const { stderr } = await pipeline.end;
      expect(await pipeline.codes, stderr).toMatch(/137/);
      expect(uuidsOf(cwd, 'out.csv').length).toBeGreaterThan(0);
      await expectToFinish(cwd);
    },
  );
});

/** Waits until a stage has a process. Returns its id. */
async function running(pidOf: (stage: string) => number, stage: string): Promise<number> {
  for (;;) {
    try {
      return pidOf(stage);
    } catch {
      await later();
    }
  }
}

/** Waits until a process has written something and then neither reads nor writes: it is blocked. */
async function isStill(pid: number): Promise<void> {
  let last = '';
  for (let same = 0; same < 10; ) {
    const now =
      readFileSync(`/proc/${pid}/io`, 'utf8') + readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[13];
    const hasWritten = Number(/wchar: (\d+)/.exec(now)?.[1]) > 60_000;
    same = hasWritten && now === last ? same + 1 : 0;
    last = now;
    await later();
  }
}

/** Waits between two polls of a process. */
function later(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
