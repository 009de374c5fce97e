import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshFolder } from '../support/run.ts';
import { finishedOf, linesOf, parsed, runPipeline, startServer, uuidsOf, writeRows } from './pipeline.ts';

const ROWS = 100_000;

test('a run of 100,000 tasks repeats its 10,000 failures from the rest file, and nothing else', async () => {
  const cwd = freshFolder();
  const env = { TASK_LEDGER: 'done.jsonl', TASK_FIELDS: 'uuid,n,result.status' };
  const ill = await startServer('--fail-every', '10');
  writeRows(cwd, 'a.csv', ROWS, (n) => `${ill.url}/item/${n}`);
  const first = await runPipeline(
    `task-load a.csv --uuid-fields url | task-exec --http -j 50 --retries 0 | task-save out.csv`,
    { cwd, env },
  );
  expect(first.codes).toBe('0 1 1');
  expect(first.stderr).toContain('task-exec: 90,000 done, 10,000 failed (HTTP_STATUS 500: 10,000)');
  const failed = linesOf(cwd, 'out.csv.rest.ndjson').map((line) => JSON.parse(line));
  expect(failed.map(({ n }) => Number(n)).sort((a, b) => a - b)).toEqual(
    Array.from({ length: ROWS / 10 }, (_, i) => (i + 1) * 10),
  );
  expect(new Set(failed.map(({ run }) => `${run.state} ${run.error.code}`))).toEqual(
    new Set(['FAILURE HTTP_STATUS']),
  );
  expect(linesOf(cwd, 'out.csv')).toHaveLength(ROWS * 0.9 + 1);
  await ill.stop();

  const well = await startServer();
  const second = await runPipeline(
    `task-load out.csv.rest.ndjson | task-exec --http -j 50 --url '${well.url}/item/{n}' | task-save out.csv`,
    { cwd, env },
  );
  expect(second.codes).toBe('0 0 0');
  expect(existsSync(join(cwd, 'out.csv.rest.ndjson'))).toBe(false);
  const rows = linesOf(cwd, 'out.csv').slice(1);
  expect(rows).toHaveLength(ROWS);
  expect(new Set(rows.map((row) => row.split(',')[1])).size).toBe(ROWS);
  expect(rows.every((row) => row.endsWith(',200'))).toBe(true);
  expect(finishedOf(cwd, 'done.jsonl').sort()).toEqual(uuidsOf(cwd, 'out.csv').sort());
  expect(await (await fetch(`${well.url}/count`)).text()).toBe('10000');

  const third = await runPipeline(
    `task-load a.csv --uuid-fields url | task-exec --http --url '${well.url}/item/{n}' | task-save out.csv`,
    { cwd, env },
  );
  expect(third.codes).toBe('0 0 0');
  expect(third.stderr).toContain('task-load: 0 tasks, 100,000 finished before');
  expect(linesOf(cwd, 'out.csv')).toHaveLength(ROWS + 1);
  expect(await (await fetch(`${well.url}/count`)).text()).toBe('10000');
});

test('task-load and task-save handle 500,000 rows in under 200 MB each', async () => {
  const cwd = freshFolder();
  writeRows(
    cwd,
    'a.csv',
    500_000,
    (n) => `http://localhost/a/rather/long/path/for/an/item/${n}?and=a&query=too`,
  );
  const hook = `import { appendFileSync } from 'node:fs';
    process.on('exit', () => appendFileSync('peaks.ndjson', JSON.stringify({
      stage: process.argv[1].split('/').at(-1), megabytes: process.resourceUsage().maxRSS / 1024 }) + '\\n'));`;
  writeFileSync(join(cwd, 'peak.mjs'), hook);
  const { codes, stderr } = await runPipeline('task-load a.csv | task-save out.csv --ledger done.jsonl', {
    cwd,
    env: { NODE_OPTIONS: '--import ./peak.mjs' },
  });
  expect({ codes, stderr }).toEqual({
    codes: '0 0',
    stderr: 'task-load: 500,000 tasks\ntask-save: saved 500,000\n',
  });
  expect(linesOf(cwd, 'out.csv')).toHaveLength(500_001);
  const peaks = parsed(linesOf(cwd, 'peaks.ndjson').join('\n'));
  expect(peaks.map(({ stage }) => stage).sort()).toEqual(['task-load', 'task-save']);
  for (const { stage, megabytes } of peaks) expect(megabytes, String(stage)).toBeLessThan(200);
});
