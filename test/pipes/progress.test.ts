/* The progress line as a person sees it, on a pseudo-terminal. */
import { execFileSync } from 'node:child_process';
import { createWriteStream, type WriteStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshFolder, has, sh } from '../support/run.ts';
import { onTerminal, type Session } from '../support/terminal.ts';
import { startPipeline } from './pipeline.ts';

const hasPython = await has('python3');
const row = (n: number | string): string => `${JSON.stringify({ uuid: `u${n}`, n })}\n`;
const failed = (n: number): string =>
  `${JSON.stringify({ uuid: `u${n}`, run: { state: 'FAILURE', error: { code: 'X', message: 'x' } } })}\n`;

/** Makes a named pipe in a fresh folder. It stays open until it is ended. */
function openFeed(name = 'in.ndjson'): { feed: WriteStream; cwd: string } {
  const cwd = freshFolder();
  execFileSync('mkfifo', [join(cwd, name)]);
  return { feed: createWriteStream(join(cwd, name), { flags: 'r+' }), cwd }; // r+: does not wait for a reader
}

/**
 * Waits for the end. The terminal then has exactly these lines, in any order, nothing left of a progress line, and
 * its cursor.
 */
async function expectClean(session: Session, lines: readonly RegExp[]): Promise<void> {
  await session.ended;
  const seen = session.lines();
  expect(seen).toHaveLength(lines.length);
  for (const line of lines) expect(seen).toContainEqual(expect.stringMatching(line));
  expect(session.cursor()).toEqual({ column: 0, line: lines.length });
  expect(session.raw).not.toContain('\x1b[?');
}

describe.skipIf(!hasPython).concurrent('the progress line on a terminal (needs python3)', () => {
  test('is drawn by the last stage alone and erased at the end', async () => {
    const { feed, cwd } = openFeed();
    const command = 'task-load in.ndjson | task-save out.ndjson';
    const session = onTerminal(command, { cwd });
    feed.write(row(1) + row(2));
    await session.sees(/^task-save: 2 saved, [\d.]+\/[sm]$/m);
    feed.write(row(3));
    await session.sees(/^task-save: 3 saved, /m);
    expect(session.lines()).toHaveLength(1);
    expect(session.cursor()).toEqual({ column: 0, line: 0 });
    feed.end();
    expect(await session.ended).toBe(0);
    await expectClean(session, [/^task-load: 3 tasks$/, /^task-save: saved 3$/]);
    expect(session.raw).not.toMatch(/task-load: \d tasks,/);
  });

  test.each([
    ['wraps', 41],
    ['is shorter than the line', 100],
  ])('stays below a wide-character message of an earlier stage that %s', async (_, columns) => {
    const { feed, cwd } = openFeed('一覧.ndjson');
    const command = 'task-load 一覧.ndjson | task-save out.ndjson --total 9';
    const session = onTerminal(command, { cwd, columns });
    feed.write(row(1));
    await session.sees(/^task-save: .*1 saved/m);
    feed.write(`[]\n${row(2)}`);
    await session.sees(/^task-save: .*2 saved/m);
    feed.write(`null\n${row(3)}`);
    await session.sees(/^task-save: .*3 saved/m);
    const seen = session.lines();
    expect(seen.at(-1)).toMatch(/^task-save: .*3 saved/);
    const messages = [
      'task-load: 一覧.ndjson:2: expected a JSON object, got an array',
      'task-load: 一覧.ndjson:4: expected a JSON object, got null',
    ];
    expect(seen.slice(0, -1).join('').replaceAll(' ', '')).toBe(messages.join('').replaceAll(' ', ''));
    feed.end();
    expect(await session.ended).toBe(0);
  });

  test('stays below the stderr output of a module', async () => {
    const { feed, cwd } = openFeed();
    writeFileSync(join(cwd, 'work.mjs'), "export default ({ n }) => console.error('seen %d\\nand done', n);");
    const session = onTerminal('task-exec --module work.mjs < in.ndjson > out.ndjson', { cwd });
    feed.write(row(1));
    await session.sees(/^task-exec: 1 done/m);
    feed.write(row(2));
    await session.sees(/^task-exec: 2 done/m);
    const line = expect.stringMatching(/^task-exec: 2 done, /);
    expect(session.lines()).toEqual(['seen 1', 'and done', 'seen 2', 'and done', line]);
    feed.end();
    expect(await session.ended).toBe(0);
  });

  test('does not overwrite an incomplete line', async () => {
    const { feed, cwd } = openFeed();
    const write = "process.stderr.write(n === 'end' ? '.\\n' : '.')";
    writeFileSync(join(cwd, 'work.mjs'), `export default ({ n }) => void ${write};`);
    const session = onTerminal('task-exec --module work.mjs < in.ndjson > out.ndjson', { cwd });
    feed.write(row(1));
    await session.sees(/^\.$/m);
    feed.write(row(2));
    await session.sees(/^\.\.$/m);
    feed.write(row('end'));
    await session.sees(/^\.\.\.\ntask-exec: 3 done/m);
    feed.end();
    expect(await session.ended).toBe(0);
  });

  test('stays below records on the same terminal', async () => {
    const { feed, cwd } = openFeed();
    const session = onTerminal('task-load in.ndjson', { cwd });
    feed.write(row(1));
    await session.sees(/^task-load: 1 tasks/m);
    feed.write(row(2));
    await session.sees(/^task-load: 2 tasks/m);
    const line = expect.stringMatching(/^task-load: 2 tasks, /);
    expect(session.lines()).toEqual([row(1).trim(), row(2).trim(), line]);
    feed.end();
    await expectClean(session, [/u1/, /u2/, /^task-load: 2 tasks$/]);
  });

  test('follows the width of the terminal and never wraps', async () => {
    const { feed, cwd } = openFeed();
    const session = onTerminal('task-save out.ndjson --total 9 < in.ndjson', { cwd, columns: 100 });
    feed.write(row(1) + row(2) + failed(3));
    await session.sees(/^task-save: \[=+> +\] 33%, 2 saved, 1 failed, [\d.]+\/[sm], .* left$/m);
    for (const columns of [60, 20, 12]) {
      await session.resize(columns, 24);
      feed.write(row(`of ${columns}`));
      await session.sees(
        columns === 60 ? /^task-save: .*3 saved/m : columns === 20 ? /^.*4 saved/m : /^5 saved/m,
      );
      expect(session.lines()).toHaveLength(1);
    }
    await session.resize(100, 24);
    await session.sees(/^task-save: \[=+> +\] 66%, 5 saved, 1 failed/m);
    expect(session.lines()).toHaveLength(1);
    feed.end();
    await expectClean(session, [
      /^task-save: saved 5, 1 to out/,
      /^task-save: to run these again/,
      /--total 9$/,
    ]);
  });

  test('is erased when Ctrl-C stops a pipeline cleanly', async () => {
    const { feed, cwd } = openFeed();
    const command =
      "task-load --format ndjson < in.ndjson | task-exec --command 'sleep {n}' -j 2 | task-save out.db";
    const session = onTerminal(command, { cwd });
    feed.write(row(0) + row(1) + row(0.1) + row(0.2));
    await session.sees(/^task-save: 4 saved/m);
    session.type('\x03');
    await expectClean(session, [
      /^task-load: stopped after 4 tasks \(stdin:4\)$/,
      /^task-exec: stopped: 4 done$/,
      /^task-save: to skip what is finished, first: export TASK_LEDGER=out.db$/,
      /^task-save: stopped: 4 saved; run the same command again$/,
    ]);
    feed.end();
  });

  test('is erased when a second Ctrl-C ends the stage at once', async () => {
    const { feed, cwd } = openFeed();
    const command = "task-exec --command 'sleep {n}' -j 1 --grace 1h < in.ndjson > out.ndjson";
    const session = onTerminal(command, { cwd });
    feed.write(row(1000) + row(1001));
    await session.sees(/^task-exec: 0 done, 1 running/m);
    session.type('\x03');
    await session.sees(/1 running, 1 not finished/);
    session.type('\x03');
    expect(await session.ended).toBe(130);
    await expectClean(session, [
      /^task-exec: stopping: 1 running, up to 1 h; Ctrl-C again ends at once$/,
      /^task-exec: stopped: 0 done, 2 not finished$/,
      /^task-exec: to run the rest again/,
      /--grace 1h$/,
    ]);
    feed.end();
  });

  test('is erased after an error', async () => {
    const { feed, cwd } = openFeed();
    const session = onTerminal('task-load --format ndjson --duplicates fail < in.ndjson > out.ndjson', {
      cwd,
    });
    feed.write(row(1));
    await session.sees(/^task-load: 1 tasks/m);
    feed.write(row(1));
    expect(await session.ended).toBe(65);
    await expectClean(session, [
      /^task-load: stdin:2: the uuid u1 is that of stdin:1 \(--duplicates fail\)$/,
    ]);
    feed.end();
  });

  test('shows failures in red unless NO_COLOR is set', async () => {
    for (const [env, text] of [
      [{}, '\x1b[31m1 failed\x1b[39m'],
      [{ NO_COLOR: '1' }, ', 1 failed,'],
    ] as const) {
      const { feed, cwd } = openFeed();
      const session = onTerminal('task-save out.ndjson < in.ndjson', { cwd, env });
      feed.write(row(1) + failed(2));
      await session.sees(/1 failed/);
      expect(session.raw).toContain(text);
      feed.end();
      await session.ended;
    }
  });

  test('counts the rows of --total FILE during the run', async () => {
    const { feed, cwd } = openFeed();
    writeFileSync(join(cwd, 'a.csv'), 'id,text\n1,"two\nlines"\n2,b\n3,c\n4,d\n');
    const session = onTerminal('task-save out.ndjson --total a.csv < in.ndjson', { cwd });
    feed.write(row(1));
    await session.sees(/\] 25%, 1 saved/);
    feed.write(row(2));
    await session.sees(/\] 50%, 2 saved/);
    feed.end();
    await expectClean(session, [/^task-save: saved 2$/]);
  });

  test('shows the share of --limit that task-load has read', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'a.csv'), `id\n${'7\n'.repeat(200_000)}`);
    // The reader of the fifo sets the pace.
    execFileSync('mkfifo', [join(cwd, 'b.csv')]);
    const session = onTerminal('task-load a.csv --duplicates keep --limit 300000 b.csv > /dev/null', { cwd });
    const feed = createWriteStream(join(cwd, 'b.csv'), { flags: 'r+' });
    feed.write('id\n7\n');
    await session.sees(/\] 66%, 200,001 tasks/); // of --limit, as the size of a pipe is unknown
    feed.end();
    await expectClean(session, [/^task-load: 200,001 tasks$/]);
  });

  test('is erased by a stage without a summary', async () => {
    const { feed, cwd } = openFeed();
    const session = onTerminal('task-done mark done.jsonl < in.ndjson > out.ndjson', { cwd });
    feed.write(row(1) + row(2));
    await session.sees(/^task-done: 2 read, /m);
    feed.end();
    await expectClean(session, []);
  });

  const slowly = (command: string): string => `(cat a.ndjson; sleep 2; cat b.ndjson) | ${command}`;
  const load = 'task-load --format ndjson > out.ndjson';
  test.each([
    ['on a terminal that cannot erase', slowly(load), { TERM: 'dumb' }],
    ['with --no-progress', slowly(`${load} --no-progress`), {}],
    ['with --progress none', slowly(`${load} --progress none`), {}],
    ['with TASK_PROGRESS=none', slowly(load), { TASK_PROGRESS: 'none' }],
    ['with --quiet', slowly(`${load} --quiet`), {}],
    ['by a stage that is not the last', slowly('task-load --format ndjson | cat > out.ndjson'), {}],
    ['over typed input', 'timeout --foreground -s INT 3 task-load > out.ndjson', {}],
    ['by a job in the background', `set -m; ${slowly(load)} & wait`, {}],
  ] as const)('is not drawn %s', async (_, command, env) => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'a.ndjson'), row(1));
    writeFileSync(join(cwd, 'b.ndjson'), row(2));
    const session = onTerminal(command, { cwd, env });
    await session.ended;
    expect(session.raw).not.toMatch(/task-load: \d tasks, /);
  });
});

test('--progress plain prints lines without a terminal', async () => {
  const { feed, cwd } = openFeed();
  const run = startPipeline('task-load in.ndjson --progress plain > out.ndjson', { cwd });
  feed.write(row(1));
  await run.said('stderr', /^task-load: 1 tasks, [\d.]+\/[sm]\n$/);
  feed.end();
  expect((await run.end).stderr).toMatch(/^(task-load: 1 tasks, .*\n)+task-load: 1 task\n$/);
});

test('no progress is shown without a terminal', async () => {
  const { stderr } = await sh(`(echo '{"uuid":"a"}'; sleep 2; echo '{"uuid":"b"}') | task-save out.ndjson`);
  expect(stderr).toBe('task-save: saved 2\n');
});

test('an unreadable --total is an error at once, also without a terminal', async () => {
  const cwd = freshFolder();
  const run = (options: string): ReturnType<typeof sh> => sh(`task-save out.csv ${options}`, { cwd });
  expect(await run('--total none.csv')).toMatchObject({
    code: 74,
    stderr: 'task-save: cannot read --total none.csv: no such file or folder\n',
  });
  expect(await run('--total .')).toMatchObject({
    code: 2,
    stderr: 'task-save: --total must be a number or a file; . is not a file\n',
  });
  expect(await run('--total -')).toMatchObject({
    code: 2,
    stderr: 'task-save: --total must be a number of tasks, or a file; got "-"\n',
  });
});
