/* Stages whose reader leaves, whose output cannot be written, or whose input is missing. */
import { writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { serve } from '../support/http-server.ts';
import { freshFolder, sh } from '../support/run.ts';
import { counter, processesOf, runPipeline, startPipeline, writeRows } from './pipeline.ts';

const ROWS = 100_000; // more than all pipes of the pipeline hold

describe('a closed reader', () => {
  test.each([
    ['task-load a.csv | head -3', '141 0'],
    ['task-load a.csv | task-save - --format csv | head -3', '141 141 0'],
    ['task-load a.csv | task-done skip done.jsonl | head -3', '141 141 0'],
  ])('ends %s silently', async (command, codes) => {
    const cwd = freshFolder();
    writeRows(cwd, 'a.csv', ROWS, (n) => `http://localhost/${n}`);
    writeFileSync(join(cwd, 'done.jsonl'), '');
    const seen = await runPipeline(command, { cwd });
    expect({ codes: seen.codes, stderr: seen.stderr }).toEqual({ codes, stderr: '' });
    expect(seen.stdout.split('\n')).toHaveLength(3 + 1 + 1);
  });

  test('ends task-load | task-exec | head silently and leaves no process', async () => {
    const { url } = await serve((response) => response.end('ok'));
    const cwd = freshFolder();
    writeRows(cwd, 'a.csv', ROWS, (n) => `${url}/${n}`);
    const pipeline = startPipeline('task-load a.csv | task-exec --http | head -3', { cwd });
    const { stdout, stderr } = await pipeline.end;
    expect({ codes: await pipeline.codes, stderr }).toEqual({ codes: '141 141 0', stderr: '' });
    expect(
      stdout
        .split('\n')
        .slice(0, 3)
        .map((line) => JSON.parse(line).run.state),
    ).toEqual(Array(3).fill('SUCCESS'));
    expect(processesOf(pipeline.child.pid as number)).toEqual([]);
  });

  test('ends a task-exec that waits for its input and for a server', async () => {
    const asked = counter();
    const { url } = await serve(() => asked.add());
    const cwd = freshFolder();
    const pipeline = startPipeline('mkfifo gate; task-exec --http | read -r line < gate', { cwd });
    pipeline.child.stdin?.write(`{"uuid":"a","url":"${url}"}\n`);
    await asked.reached(1);
    await writeFile(join(cwd, 'gate'), 'leave\n');
    expect(await pipeline.codes).toBe('141 0');
    expect((await pipeline.end).stderr).toBe('');
  });
});

describe('an output that cannot be written', () => {
  const full = /^task-\w+: cannot write the standard output: no space left on the device\n$/;

  test.each([
    ['task-load a.csv > /dev/full', full],
    ['task-load a.csv --quiet | task-exec --http --dry-run --quiet 2> /dev/null > /dev/full', /^$/],
    ['task-load a.csv --quiet | task-exec --http > /dev/full', full],
    ['task-load a.csv --quiet | task-save - > /dev/full', full],
    ['task-done list done.jsonl > /dev/full', full],
    ['task-done mark new.jsonl x --quiet; task-done list done.jsonl --quiet > /dev/full', full],
    [
      'task-load a.csv --quiet | task-save a.csv/out.csv',
      /^task-save: cannot use a\.csv\/out\.csv: a part of the path is not a folder\n$/,
    ],
    [
      'task-load a.csv --quiet | task-save none/out.csv',
      /^task-save: cannot open none\/out\.csv: no such file or folder\n$/,
    ],
    [
      'task-load a.csv --quiet | task-save out.csv --ledger a.csv/done.jsonl',
      /^task-save: cannot use --ledger a\.csv\/done\.jsonl: a part of the path is not a folder\n$/,
    ],
    [
      'task-load a.csv --quiet | task-exec --http --quiet --unfinished a.csv/u > /dev/null',
      /^task-exec: cannot use --unfinished a\.csv\/u: a part of the path is not a folder\n$/,
    ],
    [
      'task-load a.csv --rejects a.csv/r > /dev/null',
      /^task-load: cannot use --rejects a\.csv\/r: a part of the path is not a folder\n$/,
    ],
  ])('ends %s with 74 and the reason', async (command, words) => {
    const { url } = await serve((response) => response.end('ok'));
    const cwd = freshFolder();
    writeRows(cwd, 'a.csv', 3, (n) => `${url}/${n}`);
    writeFileSync(join(cwd, 'done.jsonl'), '{"uuid":"a"}\n');
    const { stderr, code } = await sh(command, { cwd });
    expect(stderr).toMatch(words);
    expect(code).toBe(74);
  });
});

describe('a minimal input', () => {
  test.each([
    ['closed', '<&-'],
    ['empty', '< /dev/null'],
    ['an empty file', '< empty'],
  ])('gives no tasks and no failure if it is %s', async (_, redirection) => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'empty'), '');
    for (const [command, words] of [
      [`task-load --format csv ${redirection}`, 'task-load: 0 tasks\n'],
      [`task-load ${redirection}`, 'task-load: 0 tasks\n'],
      [`task-exec --http ${redirection}`, 'task-exec: 0 done\n'],
      [`task-save out.csv ${redirection}`, 'task-save: saved 0\n'],
    ] as const) {
      const { stdout, stderr, code } = await sh(command, { cwd });
      expect({ command, stdout, stderr, code }).toEqual({ command, stdout: '', stderr: words, code: 0 });
    }
  });

  test('may be a single row, without a newline', async () => {
    const { url, seen } = await serve((response) => response.end('ok'));
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'a.csv'), `url\n${url}/only`);
    const { codes } = await runPipeline(
      'task-load a.csv | task-exec --http | task-save out.csv --fields url,result.text',
      { cwd },
    );
    expect(codes).toBe('0 0 0');
    expect((await sh('cat out.csv', { cwd })).stdout).toBe(`url,result.text\n${url}/only,ok\n`);
    expect(seen).toHaveLength(1);
  });
});

describe('a torn last line of input', () => {
  const torn = (url: string): string =>
    `{"uuid":"a","url":"${url}"}\n{"uuid":"b","url":"${url}"}\n{"uuid":"c","url":"http:`;

  test.each([
    ['task-load --format ndjson', 'stdin:3: not JSON'],
    ['task-exec --http', 'stdin:3: not JSON'],
    ['task-save out.ndjson --tee', 'stdin:3: not JSON'],
  ])(
    'is reported by %s with its number, the other lines are processed, and the exit code is 1',
    async (command, words) => {
      const { url } = await serve((response) => response.end('ok'));
      const { stdout, stderr, code } = await sh(command, { input: torn(url) });
      expect(stderr).toContain(words);
      expect(
        stdout
          .split('\n')
          .map((line) => line.slice(0, 11))
          .sort(),
      ).toEqual(['', '{"uuid":"a"', '{"uuid":"b"']);
      expect(code).toBe(1);
    },
  );
});
