/* --report and the summary on the command line. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Report } from '../../src/index.ts';
import { startPipeline } from '../pipes/pipeline.ts';
import { serve } from '../support/http-server.ts';
import { freshFolder, root, sh } from '../support/run.ts';

const WORK = `export default async ({ n }, { attempt, signal }) => {
  if (n % 10 === 3) throw Object.assign(new Error('never'), { code: 'NEVER' });
  if (n % 10 === 7 && attempt === 1) throw Object.assign(new Error('busy'), { code: 'BUSY', retry: true });
  if (n > 1000) await new Promise((resolve) => signal.addEventListener('abort', resolve));
};`;

function folderWith(count: number): string {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'work.mjs'), WORK);
  const lines = Array.from({ length: count }, (_, i) => `{"uuid":"u${i + 1}","n":${i + 1}}\n`);
  writeFileSync(join(cwd, 'in'), lines.join(''));
  return cwd;
}

const EXEC = 'task-exec --module work.mjs --retries 1 --backoff 1ms..2ms';

function reportIn(cwd: string, name = 'r.json'): Report {
  return JSON.parse(readFileSync(join(cwd, name), 'utf8'));
}

const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);

describe('--report FILE.json', () => {
  test('agrees with the records', async () => {
    const cwd = folderWith(500);
    await sh(`${EXEC} --report r.json --quiet < in > out`, { cwd });
    const runs = readFileSync(join(cwd, 'out'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).run);
    const report = reportIn(cwd);
    expect(report).toMatchObject({
      outcome: 'complete',
      tasks: { succeeded: 450, failed: 50, pending: 0, rejected: 0 },
      retries: 50,
      command: `${EXEC} --report r.json --quiet`,
      hosts: [],
    });
    expect(report.causes).toMatchObject([
      { code: 'NEVER', failed: 50, retries: 0, example: { message: 'never' } },
      { code: 'BUSY', failed: 0, retries: 50 },
    ]);
    const times = runs.map(({ ms }) => ms).sort((a, b) => a - b);
    expect(report.latency.max).toBe(times.at(-1));
    expect(Math.abs(report.latency.p95 - times[474])).toBeLessThanOrEqual(times[474] * 0.008);
    expect(sum(report.latency.bins.map(({ count }) => count))).toBe(500);
    const { succeeded, failed, retries } = report.throughput;
    expect([sum(succeeded), sum(failed), sum(retries)]).toEqual([450, 50, 50]);
    const began = runs.map(({ at }) => at).sort();
    // The times of records follow the system clock, those of the report a steady one: they may be rounded differently.
    expect(Math.abs(Date.parse(report.started) - Date.parse(began[0]))).toBeLessThanOrEqual(2);
    expect(Date.parse(report.ended) - Date.parse(report.started)).toBe(report.ms);
    expect(report.rate).toBeCloseTo(500 / (report.ms / 1000), 6);
  });

  test('has the counts and causes of each host', async () => {
    const { url } = await serve((response, { url }) => {
      response.statusCode = /0$/.test(url) ? 404 : /5$/.test(url) ? 410 : 200;
      response.end('x');
    });
    const other = url.replace('127.0.0.1', 'localhost');
    const cwd = freshFolder();
    const lines = Array.from(
      { length: 40 },
      (_, i) => `{"uuid":"u${i}","url":"${i < 30 ? url : other}/${i}"}\n`,
    );
    const { stderr } = await sh('task-exec --http --report r.json > out', { cwd, input: lines.join('') });
    const { hosts, causes } = reportIn(cwd);
    expect(hosts).toMatchObject([
      { host: url, tasks: 30, failed: 6, causes: { 'HTTP_STATUS 404': 3, 'HTTP_STATUS 410': 3 } },
      { host: other, tasks: 10, failed: 2, causes: { 'HTTP_STATUS 404': 1, 'HTTP_STATUS 410': 1 } },
    ]);
    expect(causes).toMatchObject([
      { code: 'HTTP_STATUS 404', failed: 4 },
      { code: 'HTTP_STATUS 410', failed: 4 },
    ]);
    expect(stderr).toContain('8 failed (HTTP_STATUS 404: 4, HTTP_STATUS 410: 4)\n');
    expect(stderr).toContain('task-exec: HTTP_STATUS 410, as in u');
    expect(stderr).toContain(`task-exec: worst hosts: ${url} (6 of 30 failed), ${other} (2 of 10 failed)\n`);
  });

  test('is written for an empty input, and for invalid lines', async () => {
    const cwd = folderWith(0);
    const { code } = await sh(`${EXEC} --report r.json`, { cwd, input: '' });
    expect([code, reportIn(cwd).tasks.succeeded, reportIn(cwd).outcome]).toEqual([0, 0, 'complete']);
    expect((await sh(`${EXEC} --report r.json`, { cwd, input: 'no\nnull\n' })).code).toBe(1);
    expect(reportIn(cwd).tasks.rejected).toBe(2);
  });

  test('is written for a stopped run, with the number of unfinished tasks', async () => {
    const cwd = folderWith(1500);
    const pipeline = startPipeline(
      `${EXEC} --report r.json --grace 50ms < in | tee out | grep --line-buffered u1000`,
      {
        cwd,
      },
    );
    await pipeline.said('stdout', /u1000/);
    process.kill(pipeline.pid('task-exec'), 'SIGINT');
    const { stderr } = await pipeline.end;
    const { outcome, tasks } = reportIn(cwd);
    expect([outcome, tasks.succeeded + tasks.failed + tasks.pending]).toEqual(['stopped', 1500]);
    expect(tasks.pending).toBeGreaterThanOrEqual(400);
    expect(stderr).toMatch(/^task-exec: stopped: \d+ done, .*\d+ not finished$/m);
    // A later stage prints how to continue, because the input may have more tasks than arrived.
    expect(stderr).not.toContain('pipe it into');
  });

  test('is written if --max-failures stops the run', async () => {
    const cwd = folderWith(500);
    await sh(`${EXEC} --report r.json --max-failures 5 -j 1 < in > out`, { cwd });
    expect(reportIn(cwd)).toMatchObject({ outcome: 'max-failures', tasks: { failed: 5 } });
  });

  test('is written if the reader has left or the output is full', async () => {
    const cwd = folderWith(100_000);
    writeFileSync(join(cwd, 'work.mjs'), 'export default () => "x".repeat(1000);');
    const { stdout } = await sh(`${EXEC} --report r.json < in | head -n 1; echo "\${PIPESTATUS[0]}"`, {
      cwd,
    });
    expect(stdout).toMatch(/\n141\n$/);
    const { outcome, tasks } = reportIn(cwd);
    expect([outcome, tasks.succeeded > 0, tasks.succeeded < 100_000]).toEqual(['broken', true, true]);
    const full = await sh(`${EXEC} --report r.json < in > /dev/full`, { cwd });
    expect([full.code, reportIn(cwd).outcome]).toEqual([74, 'broken']);
  });

  test('replaces an older one, also behind a link, and leaves no other file', async () => {
    const cwd = folderWith(1);
    mkdirSync(join(cwd, 'f'));
    writeFileSync(join(cwd, 'f/old.json'), 'old');
    symlinkSync('f/old.json', join(cwd, 'r.json'));
    await sh(`${EXEC} --report r.json < in > out`, { cwd });
    expect(reportIn(cwd, 'f/old.json').tasks.succeeded).toBe(1);
    expect([readdirSync(cwd).sort(), readdirSync(join(cwd, 'f'))]).toEqual([
      ['f', 'in', 'out', 'r.json', 'work.mjs'],
      ['old.json'],
    ]);
  });
});

describe('a report that cannot be written', () => {
  test.each(['r', 'r.txt', '-', '/dev/fd/3'])('is a usage error for the name %s', async (name) => {
    const { code, stderr, stdout } = await sh(`task-exec --command true --report=${name} < in`, {
      cwd: folderWith(1),
    });
    expect({ code, stderr, stdout }).toEqual({
      code: 2,
      stderr: `task-exec: --report must end in one of .json, .html, .htm; got "${name}"\n`,
      stdout: '',
    });
  });

  test('ends the stage before it begins', async () => {
    const cwd = folderWith(1);
    mkdirSync(join(cwd, 'folder.json'));
    mkdirSync(join(cwd, 'closed'));
    chmodSync(join(cwd, 'closed'), 0o555);
    const run = (name: string) => sh(`task-exec --command 'touch begun' --report ${name} < in`, { cwd });
    expect(await run('no/r.json')).toMatchObject({
      code: 74,
      stderr: 'task-exec: cannot write --report no/r.json: no such file or folder\n',
    });
    expect(await run('folder.json')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('folder.json is not a file'),
    });
    if (process.getuid?.() !== 0) expect((await run('closed/r.json')).code).toBe(74); // root can write anywhere
    expect(existsSync(join(cwd, 'begun'))).toBe(false);
  });
});

describe('the summary', () => {
  test('of a few successful tasks is one line', async () => {
    expect((await sh(`${EXEC} < in > out`, { cwd: folderWith(2) })).stderr).toBe('task-exec: 2 done\n');
  });

  test('of many tasks has their durations, and --quiet prints nothing', async () => {
    const cwd = folderWith(200);
    writeFileSync(join(cwd, 'work.mjs'), 'export default () => 1;');
    const { stderr } = await sh(`${EXEC} < in > out`, { cwd });
    const time = '(<1 ms|[\\d.]+ m?s)';
    expect(stderr).toMatch(
      new RegExp(
        `^task-exec: 200 done\ntask-exec: ${time} at [\\d,]+/s; a task took p50 ${time}, p95 ${time}, p99 ${time}, at most ${time}\n$`,
      ),
    );
    expect((await sh(`${EXEC} --quiet < in > out`, { cwd })).stderr).toBe('');
  });

  test('names causes with an example, hides secrets in the command, and escapes foreign text', async () => {
    const cwd = folderWith(1);
    const message = 'a\nb\ttask-save: saved 9 \u001b[31m\u202e';
    writeFileSync(
      join(cwd, 'work.mjs'),
      `export default () => { throw Object.assign(new Error(${JSON.stringify(message)}), { code: 'A\\nB' }) };`,
    );
    const { stderr } = await sh(`${EXEC} --header 'X-Key: hush' < in > out`, { cwd });
    expect(stderr.split('\n')).toEqual([
      'task-exec: 0 done, 1 failed (A\\nB 1)',
      'task-exec: A\\nB, as in u1: a\\nb\\ttask-save: saved 9 \\x1b[31m\\u202e',
      `task-exec: to run the rest again, pipe it into: ${EXEC} --header 'X-Key: …'`,
      '',
    ]);
  });

  test('of task-save gives a working command that runs the rest again', async () => {
    const cwd = folderWith(20);
    const save = "task-save 'my out.csv' --fields uuid,n";
    const { stderr } = await sh(`${EXEC} < in | ${save}`, { cwd });
    const [, load, again] =
      /to run these again, .*: (task-load \S+ \S+) \| … \| (task-save .*)$/m.exec(stderr) ?? [];
    expect([load, again]).toEqual(["task-load 'my out.csv.rest.ndjson'", save]);
    const [, exec] = /^task-exec: to run the rest again, pipe it into: (task-exec .*)$/m.exec(stderr) ?? [];
    writeFileSync(join(cwd, 'work.mjs'), 'export default () => 1;');
    const { code } = await sh(`${load} | ${exec} | ${again}`, { cwd });
    const rows = readFileSync(join(cwd, 'my out.csv'), 'utf8').trim().split('\n');
    expect([code, rows.length, existsSync(join(cwd, 'my out.csv.rest.ndjson'))]).toEqual([0, 21, false]);
  });
});

test('the library reports during and after a run, and writes both formats', async () => {
  const script = `
    import { exec, Task, writeReport } from 'taskpipe';
    async function* tasks() { yield [1, 2, 3].map((n) => new Task('u' + n, JSON.stringify({ uuid: 'u' + n }))); }
    const run = exec(({ uuid }) => { if (uuid === 'u2') throw new Error('no'); })(tasks());
    const ends = [run.report().outcome];
    for await (const batch of run) ends.push(run.report().outcome);
    ends.push(run.report().outcome);
    const report = run.report();
    await writeReport(process.argv[1] + '/r.json', report);
    await writeReport(process.argv[1] + '/r.HTML', report);
    console.log(JSON.stringify({ ends, tasks: report.tasks }));`;
  const cwd = freshFolder();
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', script, cwd], { cwd: root });
  expect(JSON.parse(printed.toString())).toMatchObject({
    ends: ['running', 'running', 'complete'],
    tasks: { succeeded: 2, failed: 1 },
  });
  expect(reportIn(cwd)).toMatchObject({ outcome: 'complete', tasks: { failed: 1 } });
  expect(readFileSync(join(cwd, 'r.HTML'), 'utf8')).toMatch(/^<!doctype html>/);
});
