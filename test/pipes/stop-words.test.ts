/* Last messages of stopped runs, and whether following them completes all tasks. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshFolder, sh } from '../support/run.ts';
import { hasLines, linesOf, type Pipeline, parsed, startPipeline } from './pipeline.ts';

const ROWS = 400;

/** Makes a folder with a list for the program that logs each task. */
function setUp(): string {
  const cwd = freshFolder();
  let text = 'n\n';
  for (let n = 1; n <= ROWS; n++) text += `${n}\n`;
  writeFileSync(join(cwd, 'a.csv'), text);
  return cwd;
}

const WORK = "task-exec --command 'echo $TASK_n >> ran; sleep 0.02' --shell -j 4";

/** Returns the tasks that ran, once for each time. */
function ran(cwd: string): string[] {
  return existsSync(join(cwd, 'ran')) ? linesOf(cwd, 'ran') : [];
}

async function endOf(pipeline: Pipeline): Promise<{ lines: string[]; stderr: string; codes: string }> {
  const { stderr } = await pipeline.end;
  return { stderr, lines: stderr.trimEnd().split('\n'), codes: await pipeline.codes };
}

describe('a stopped run', () => {
  test.each([
    ['SIGINT', 130, 'Ctrl-C again ends at once'],
    ['SIGTERM', 143, 'a second signal ends at once'],
    ['SIGHUP', 129, 'a second signal ends at once'],
  ] as const)(
    'reports after %s what it waits for, its progress, and how to continue',
    async (name, code, again) => {
      const cwd = setUp();
      const env = { TASK_LEDGER: 'done.jsonl' };
      const command = `task-load a.csv | ${WORK} | task-save out.csv --flush 1 --fields uuid,n`;
      // The shell must survive the signal to print the exit codes.
      const pipeline = startPipeline(`trap : HUP; ${command}`, { cwd, env });
      await hasLines(cwd, 'out.csv', 10);
      pipeline.signal(name);
      const { lines, stderr, codes } = await endOf(pipeline);
      expect(codes, stderr).toMatch(new RegExp(`^(0|141|${code}) ${code} ${code}$`));
      const stopping = lines.filter((line) => line.includes('stopping'));
      expect(stopping, stderr).toHaveLength(1);
      expect(stopping[0]).toMatch(new RegExp(`^task-exec: stopping: [1-4] running, up to 10 s; ${again}$`));
      expect(lines.at(-1)).toMatch(
        /^task-save: stopped: [\d,]+ saved, [\d,]+ not done; run the same command again$/,
      );
      expect(stderr).toMatch(/^task-exec: stopped: \d+ done, \d+ not finished$/m);
      expect(stderr).not.toMatch(/failed|task-load out/);

      const { code: second, stderr: said } = await sh(command, { cwd, env });
      expect(second, said).toBe(0);
      expect(linesOf(cwd, 'out.csv')).toHaveLength(ROWS + 1);
      expect(ran(cwd)).toHaveLength(ROWS);
      expect(existsSync(join(cwd, 'out.csv.rest.ndjson'))).toBe(false);
    },
  );

  test.each(['out.csv', 'out.tsv', 'out.ndjson', 'out.db'])(
    'prints a working command to skip what is in %s if there is no ledger',
    async (out) => {
      const cwd = setUp();
      const command = `task-load a.csv | ${WORK} | task-save ${out} --flush 1`;
      const pipeline = startPipeline(command, { cwd });
      await pipeline.said('stderr', /task-load: /);
      while (ran(cwd).length < 20 || !existsSync(join(cwd, out)))
        await new Promise((resolve) => setTimeout(resolve, 5));
      pipeline.signal('SIGINT');
      const { stderr } = await endOf(pipeline);
      const [, first = ''] =
        /^task-save: .*to skip (?:them|what is finished), first: (.*)$/m.exec(stderr) ?? [];
      expect(first, stderr).not.toBe('');
      const { code, stderr: said } = await sh(`${first}\n${command}`, { cwd });
      expect(code, said).toBe(0);
      expect(ran(cwd)).toHaveLength(ROWS);
      expect(said).toContain('finished before');
    },
  );

  test.each([
    ['without a ledger', 'out.csv', {}],
    ['without a ledger, in a database', 'out.db', {}],
    ['with a ledger', 'out.csv', { TASK_LEDGER: 'done.jsonl' }],
  ])('of the tasks in a file prints how to skip finished ones, and that works: %s', async (_, out, env) => {
    const cwd = setUp();
    await sh('task-load a.csv > "my tasks.ndjson"', { cwd });
    const save = `task-save ${out} --flush 1`;
    const pipeline = startPipeline(`${WORK} < "my tasks.ndjson" | ${save}`, { cwd, env });
    while (ran(cwd).length < 20 || !existsSync(join(cwd, out)))
      await new Promise((resolve) => setTimeout(resolve, 5));
    pipeline.signal('SIGINT');
    const { stderr } = await endOf(pipeline);
    const [, first = ''] =
      /^task-save: .*to skip (?:them|what is finished), first: (.*)$/m.exec(stderr) ?? [];
    const [, begin = ''] = /^task-exec: .*to skip them: (task-done .*)$/m.exec(stderr) ?? [];
    expect(begin, stderr).not.toBe('');
    const { code, stderr: said } = await sh(`${first}\n${begin} | ${save}`, { cwd, env });
    expect(code, said).toBe(0);
    expect(ran(cwd)).toHaveLength(ROWS);
  });

  test('reports after which record task-load stopped', async () => {
    const cwd = freshFolder();
    let text = 'n,text\n';
    for (let n = 1; n <= 20_000; n++) text += `${n},${'x'.repeat(50)}\n`;
    writeFileSync(join(cwd, 'a.csv'), text);
    const pipeline = startPipeline(
      'task-load a.csv | (trap "" INT; read -r line; echo go >&2; sleep 0.5; cat > /dev/null)',
      {
        cwd,
      },
    );
    await pipeline.said('stderr', /go/);
    pipeline.signal('SIGINT');
    const { stderr } = await endOf(pipeline);
    const [, tasks, line] = /^task-load: stopped after ([\d,]+) tasks \(a\.csv:(\d+)\)$/m.exec(stderr) ?? [];
    expect(Number(tasks?.replaceAll(',', '')) + 1, stderr).toBe(Number(line));
    expect(Number(line)).toBeLessThan(20_001);
  });

  test('saves and reports all records if only task-save was stopped', async () => {
    const cwd = setUp();
    const pipeline = startPipeline(`task-load a.csv | ${WORK} | task-save out.ndjson --flush 1`, { cwd });
    await hasLines(cwd, 'out.ndjson', 10);
    process.kill(pipeline.pid('task-save'), 'SIGINT');
    const { lines, codes } = await endOf(pipeline);
    expect(codes).toBe('0 0 130');
    expect(lines.at(-1)).toBe('task-save: stopped: 400 saved; run the same command again');
    expect(linesOf(cwd, 'out.ndjson')).toHaveLength(ROWS);
  });

  test('continues with the same command if only task-exec was stopped', async () => {
    const cwd = setUp();
    const env = { TASK_LEDGER: 'done.jsonl' };
    const command = `task-load a.csv | ${WORK} | task-save out.ndjson --flush 1`;
    const pipeline = startPipeline(command, { cwd, env });
    await hasLines(cwd, 'out.ndjson', 10);
    process.kill(pipeline.pid('task-exec'), 'SIGTERM');
    const { lines, stderr } = await endOf(pipeline);
    expect(lines.at(-1), stderr).toMatch(/^task-save: saved \d+, \d+ not done; run the same command again$/);
    await sh(command, { cwd, env });
    expect(linesOf(cwd, 'out.ndjson')).toHaveLength(ROWS);
    expect(ran(cwd)).toHaveLength(ROWS);
  });

  test.each([
    ['task-exec', 'SIGKILL'],
    ['task-save', 'SIGKILL'],
    ['task-load', 'SIGTERM'],
  ] as const)('is completed by the same command if %s was ended by %s', async (stage, name) => {
    const cwd = setUp();
    const env = { TASK_LEDGER: 'done.jsonl' };
    const command = `(cat a.csv; sleep 3) | task-load --format csv | ${WORK} | task-save out.ndjson --flush 1`;
    const pipeline = startPipeline(command, { cwd, env });
    await hasLines(cwd, 'out.ndjson', 10);
    process.kill(pipeline.pid(stage), name);
    const { stderr } = await endOf(pipeline);
    expect(stderr).not.toMatch(/failed|defect/);
    const { code, stderr: said } = await sh(command, { cwd, env });
    expect(code, said).toBe(0);
    expect(linesOf(cwd, 'out.ndjson')).toHaveLength(ROWS);
  });

  test('keeps the old output with --overwrite, also if only an earlier stage was stopped', async () => {
    const cwd = setUp();
    writeFileSync(join(cwd, 'out.csv'), 'old\n');
    const command = `task-load a.csv | ${WORK} | task-save out.csv --overwrite`;
    const pipeline = startPipeline(command, { cwd });
    while (ran(cwd).length < 20) await new Promise((resolve) => setTimeout(resolve, 5));
    process.kill(pipeline.pid('task-exec'), 'SIGINT');
    const { lines, stderr } = await endOf(pipeline);
    expect(readFileSync(join(cwd, 'out.csv'), 'utf8')).toBe('old\n');
    expect(lines.at(-1), stderr).toMatch(/not done; run the same command again$/);
    expect((await sh(command, { cwd })).code).toBe(0);
    expect(linesOf(cwd, 'out.csv')).toHaveLength(ROWS + 1);
  });
});

describe('printed hints', () => {
  const FAILS = "task-exec --command 'test -e ready || test $TASK_n -gt 5' --shell -j 4 --retries 0";

  test('complete a run that --max-failures stopped', async () => {
    const cwd = setUp();
    const env = { TASK_LEDGER: 'done.jsonl' };
    const command = `task-load a.csv | ${FAILS} --max-failures 3 | task-save out.ndjson`;
    const first = await sh(command, { cwd, env });
    const last = first.stderr.trimEnd().split('\n').at(-1);
    expect(last).toMatch(/^task-save: saved \d+, [3-6] failed, \d+ not done; run the same command again$/);
    expect(first.stderr).not.toMatch(/task-load out|pipe it into/);
    writeFileSync(join(cwd, 'ready'), '');
    expect(await sh(command, { cwd, env })).toMatchObject({ code: 0 });
    expect(linesOf(cwd, 'out.ndjson')).toHaveLength(ROWS);
  });

  test('complete a run with failed tasks', async () => {
    const cwd = setUp();
    const first = await sh(`task-load a.csv | ${FAILS} | task-save out.csv`, { cwd });
    const [, load, save] = /with the same stages between: (.*) \| … \| (.*)$/m.exec(first.stderr) ?? [];
    expect(first.stderr).toContain('task-save: saved 395, 5 to out.csv.rest.ndjson\n');
    writeFileSync(join(cwd, 'ready'), '');
    expect(await sh(`${load} | ${FAILS} | ${save}`, { cwd })).toMatchObject({ code: 0 });
    expect(linesOf(cwd, 'out.csv')).toHaveLength(ROWS + 1);
    expect(existsSync(join(cwd, 'out.csv.rest.ndjson'))).toBe(false);
  });

  test('save and mark records that do not fit the CSV, without running them again', async () => {
    const cwd = freshFolder();
    const records = [
      '{"uuid":"a","x":1}',
      '{"uuid":"b","x":1,"y":2}',
      '{"uuid":"c","x":"\\u0000"}',
      '{"uuid":"d","o.p":1,"o":{"p":2}}',
      '{"uuid":"e","run":{"state":"FAILURE"}}',
    ];
    writeFileSync(join(cwd, 'a.ndjson'), `${records.join('\n')}\n`);
    const first = await sh('task-save out.csv --ledger done.jsonl < a.ndjson', { cwd });
    const hints = [...first.stderr.matchAll(/^task-save: to (?:add columns|save what).*?: (.*)$/gm)].map(
      ([, typed]) => typed,
    );
    expect(hints).toEqual([
      'task-save out.csv --ledger done.jsonl --widen < out.csv.rest.ndjson',
      `grep '"code":"VALUE"' out.csv.rest.ndjson | task-save out.csv.ndjson --ledger done.jsonl`,
    ]);
    for (const typed of hints) await sh(typed as string, { cwd });
    expect(linesOf(cwd, 'out.csv')).toEqual(['uuid,x,y', 'a,1,', 'b,1,2']);
    expect(parsed(readFileSync(join(cwd, 'out.csv.ndjson'), 'utf8')).map(({ uuid }) => uuid)).toEqual([
      'c',
      'd',
    ]);
    const { stdout } = await sh('task-done list done.jsonl', { cwd });
    expect(stdout.trim().split('\n').sort()).toEqual(['a', 'b', 'c', 'd']);
  });

  test('do not mention the rest file if --tee passes records on', async () => {
    const input =
      '{"uuid":"a"}\n{"uuid":"b","run":{"state":"FAILURE"}}\n{"uuid":"c","run":{"state":"PENDING"}}\n';
    const { stderr } = await sh('task-save out.csv --tee > /dev/null', { input });
    expect(stderr).not.toContain('task-load');
    const failed = await sh('task-save out.csv --tee > /dev/null', {
      input: input.split('{"uuid":"c"')[0] as string,
    });
    expect(failed.stderr).toBe('task-save: saved 1, 1 to out.csv.rest.ndjson\n');
  });

  test('run PENDING records of a file from the rest file', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'a.ndjson'), '{"uuid":"a"}\n{"uuid":"c","run":{"state":"PENDING"}}\n');
    const { stderr } = await sh('task-save out.csv < a.ndjson', { cwd });
    expect(stderr).toBe(
      'task-save: saved 1, 1 not done\n' +
        'task-save: to run these again, with the same stages between: task-load out.csv.rest.ndjson | … | task-save out.csv\n',
    );
  });
});
