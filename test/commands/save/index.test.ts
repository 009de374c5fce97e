import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ended, environment, freshFolder, root, sh } from '../../support/run.ts';

function records(from: number, to: number): string {
  let text = '';
  for (let i = from; i < to; i++)
    text += `{"uuid":"${uuid(i)}","text":"row ${i}, \\"quoted\\"\\nsecond line"}\n`;
  return text;
}

function uuid(i: number): string {
  return `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`;
}

/** Starts `task-save` without a shell, so that a signal reaches only it. */
function start(cwd: string, ...args: string[]) {
  return spawn(join(root, 'bin/task-save'), args, {
    cwd,
    env: environment(),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/** Waits until a file has at least this many bytes. */
async function grown(path: string, bytes: number): Promise<void> {
  while (!existsSync(path) || statSync(path).size < bytes) await new Promise(setImmediate);
}

describe('task-save', () => {
  test('reports its counts, and exits 1 if a task has failed or a line is invalid', async () => {
    const input = '{"uuid":"a"}\n{"uuid":"a"}\nx\n{"uuid":"b","run":{"state":"FAILURE"}}\n';
    const { code, stderr, stdout } = await sh('task-save out.csv', { input });
    expect(stderr.split('\n').slice(1)).toEqual([
      'task-save: saved 1, 1 already there, 1 to out.csv.rest.ndjson, 1 bad line',
      'task-save: to run these again, with the same stages between: task-load out.csv.rest.ndjson | … | task-save out.csv',
      '',
    ]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(await sh('task-save out.csv', { input: '{"uuid":"a"}\n' })).toMatchObject({ code: 0 });
  });

  test('writes rows to stdout, and the rest to a file', async () => {
    const cwd = freshFolder();
    const input = '{"uuid":"a","x":1.10}\n{"uuid":"b","run":{"state":"FAILURE"}}\n';
    expect(await sh('task-save - --quiet', { cwd, input })).toMatchObject({
      stdout: '{"uuid":"a","x":1.10}\n',
      code: 1,
    });
    expect(readFileSync(join(cwd, 'task-save.rest.ndjson'), 'utf8')).toContain('"b"');
    expect((await sh('task-save - --quiet --format csv', { cwd, input })).stdout).toBe('uuid,x\na,1.10\n');
  });

  test.each([
    ['task-save', 'give one output, as in task-save out.csv; got none'],
    ['task-save a.csv b.csv', 'give one output, as in task-save out.csv; got "a.csv" "b.csv"'],
    [
      'task-save out.xls',
      'out.xls must end in one of .csv, .tsv, .tab, .ndjson, .jsonl, .db, .sqlite, .sqlite3, .parquet/; or say --format csv|tsv|ndjson|sqlite|parquet',
    ],
    [
      'task-save - --ledger l',
      '--ledger (or TASK_LEDGER) needs a file: task-save cannot tell when the standard output is safe',
    ],
    ['task-save out.csv --rest ./out.csv', '--rest must be another file than OUT; both are ./out.csv'],
    [
      'task-save out.csv --rejects out.csv.rest.ndjson',
      '--rejects must be another file than --rest; both are out.csv.rest.ndjson',
    ],
    ['task-save out.csv --flush 0', '--flush must be a whole number of at least 1; got "0"'],
  ])('rejects %s', async (command, words) => {
    const { code, stderr } = await sh(command);
    expect({ code, stderr }).toEqual({ code: 2, stderr: `task-save: ${words}\n` });
  });

  test('reports missing rows and exits 65 if the output was cut', async () => {
    const cwd = freshFolder();
    await sh('task-save out.csv --ledger l.jsonl', { cwd, input: records(0, 9) });
    writeFileSync(join(cwd, 'out.csv'), 'uuid,text\n');
    const { code, stderr } = await sh('task-save out.csv --ledger l.jsonl', { cwd });
    expect(code).toBe(65);
    expect(stderr).toMatch(
      /^task-save: out.csv: 9 rows are missing that the ledger l.jsonl names \(uuid "0{8}-.*, …\); someone changed it/,
    );
  });

  test('locks its output until it is killed, and exits 75 if another one has it', async () => {
    const cwd = freshFolder();
    const first = start(cwd, 'out.csv', '--flush', '1');
    const end = ended(first);
    first.stdin.write(records(0, 1));
    await grown(join(cwd, 'out.csv'), 20);
    expect(await sh('task-save out.csv', { cwd })).toMatchObject({
      code: 75,
      stderr:
        'task-save: out.csv is being written by another task-save; wait until it has ended, or save to another file\n',
    });
    first.kill('SIGKILL');
    await end;
    expect(await sh('task-save out.csv', { cwd })).toMatchObject({ code: 0 });
  });

  test('continues after the first signal, and saves all further input', async () => {
    const cwd = freshFolder();
    const child = start(cwd, 'out.csv', '--flush', '1', '--tee');
    child.stdin.write(records(0, 1));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGTERM');
    child.stdin.write(records(1, 2));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.stdin.end(records(2, 3));
    expect(await ended(child)).toMatchObject({
      code: 143,
      stderr: 'task-save: stopped: 3 saved; run the same command again\n',
    });
    expect(readFileSync(join(cwd, 'out.csv'), 'utf8').match(/^0000/gm)).toHaveLength(3);
  });

  test('saves its input so far and exits at the second signal', async () => {
    const cwd = freshFolder();
    const child = start(cwd, 'out.csv', '--tee', '--flush-interval', '10ms');
    child.stdin.write(records(0, 1));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.stdin.write(records(1, 2));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGINT');
    child.kill('SIGTERM');
    expect(await ended(child)).toMatchObject({
      stderr: 'task-save: stopped: 2 saved; run the same command again\n',
    });
    expect(readFileSync(join(cwd, 'out.csv'), 'utf8').match(/^0000/gm)).toHaveLength(2);
  });

  test('saves its input so far and exits 141 if the reader of --tee has left', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'in'), records(0, 20_000));
    const { stdout, stderr } = await sh(
      `set -o pipefail; task-save out.csv --ledger l.jsonl --flush 10 --tee < in | head -n 1; echo "\${PIPESTATUS[0]}"`,
      { cwd },
    );
    expect(stdout.split('\n').slice(1)).toEqual(['141', '']);
    expect(stderr).toBe('');
    const rows = readFileSync(join(cwd, 'out.csv'), 'utf8').match(/^0000/gm)?.length ?? 0;
    expect(rows).toBeGreaterThan(0);
    expect((await sh('task-done count l.jsonl', { cwd })).stdout).toBe(`${rows}\n`);
  });

  test('exits 74 at a file size limit, and marks only saved rows', async () => {
    const cwd = freshFolder();
    const { code, stderr } = await sh(
      'ulimit -f 64; trap "" XFSZ; task-save out.csv --ledger l.jsonl --sync none',
      {
        cwd,
        input: records(0, 5000),
      },
    );
    expect({ code, stderr }).toEqual({
      code: 74,
      stderr: expect.stringMatching(
        /^task-save: cannot write (to the ledger )?(out.csv|l.jsonl): .*size limit\n$/,
      ),
    });
    const rows = readFileSync(join(cwd, 'out.csv'), 'utf8');
    for (const marked of (await sh('task-done list l.jsonl', { cwd })).stdout.trim().split('\n')) {
      expect(rows).toContain(marked);
    }
    await sh('task-save out.csv --ledger l.jsonl', { cwd, input: records(0, 5000) });
    expect(readFileSync(join(cwd, 'out.csv'), 'utf8')).toBe(`uuid,text\n${rowsOf(5000)}`);
  });

  test('writes exactly one row per uuid despite repeated kills, and marks only rows that exist', async () => {
    const cwd = freshFolder();
    const out = join(cwd, 'out.csv');
    const step = 3000;
    const rounds = 10;
    for (let round = 1; round <= rounds; round++) {
      const before = existsSync(out) ? statSync(out).size : 0;
      const child = start(cwd, 'out.csv', '--ledger', 'l.jsonl', '--flush', '50');
      child.stdin.on('error', () => {});
      const end = ended(child);
      // Its input stays open and is longer than the size to wait for, so it cannot end before the kill.
      child.stdin.write(records(0, round * step));
      await grown(out, before + ((round * 7919) % 100_000));
      child.kill('SIGKILL');
      expect((await end).signal).toBe('SIGKILL');
      const rows = new Set(readFileSync(out, 'utf8').match(/^0{8}-.{27}(?=,)/gm));
      const { stdout } = await sh('task-done list l.jsonl', { cwd });
      expect(stdout.match(/.+/g)?.filter((marked) => !rows.has(marked)) ?? []).toEqual([]);
    }
    const count = rounds * step;
    expect(
      await sh('task-save out.csv --ledger l.jsonl --quiet', { cwd, input: records(0, count) }),
    ).toMatchObject({
      code: 0,
    });
    expect(readFileSync(out, 'utf8')).toBe(`uuid,text\n${rowsOf(count)}`);
    expect((await sh('task-done count l.jsonl', { cwd })).stdout).toBe(`${count}\n`);
  }, 60_000);
});

function rowsOf(count: number): string {
  let text = '';
  for (let i = 0; i < count; i++) text += `${uuid(i)},"row ${i}, ""quoted""\nsecond line"\n`;
  return text;
}
