import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshFolder, has, sh } from '../support/run.ts';

/** One system call on a file, and the lines of the trace where it begins and ends. */
interface Call {
  readonly name: string;
  /** Name of the file without its folder; `.` for the folder itself. */
  readonly file: string;
  readonly text: string;
  readonly begins: number;
  ends: number;
}

const canTrace = await has('strace');

/** Runs a command under strace. Returns its calls on files of its folder. */
async function traced(cwd: string, command: string, input: string): Promise<readonly Call[]> {
  const calls = 'trace=write,pwrite64,fdatasync,fsync,rename,renameat,renameat2';
  const { stderr } = await sh(`strace -f -y -qq -s 100 -o trace -e ${calls} -e signal=none ${command}`, {
    cwd,
    input,
    env: { UV_USE_IO_URING: '0' }, // io_uring operations are not system calls
  });
  const trace = existsSync(join(cwd, 'trace')) ? readFileSync(join(cwd, 'trace'), 'utf8') : '';
  expect(trace, stderr).not.toBe('');
  return callsOf(trace, cwd);
}

function callsOf(trace: string, cwd: string): readonly Call[] {
  const calls: Call[] = [];
  const open = new Map<string, Call>();
  for (const [i, line] of trace.split('\n').entries()) {
    const [, thread = '', text = ''] = /^(\d+) +(.*)/.exec(line) ?? [];
    const unfinished = open.get(thread);
    if (text.startsWith('<...') && unfinished !== undefined) {
      unfinished.ends = i;
      open.delete(thread);
      continue;
    }
    const [, name = '', path] = /^(\w+)\((?:\d+<([^>]*)>|"[^"]*", "(?:[^"]*)")/.exec(text) ?? [];
    const target = path ?? /, "([^"]*)"/.exec(text)?.[1] ?? '';
    const file = target === cwd ? '.' : target.replace(`${cwd}/`, '');
    if (name === '' || file.startsWith('/') || file.includes(':[')) continue;
    const call = { name, file, text, begins: i, ends: i };
    calls.push(call);
    if (text.endsWith('<unfinished ...>')) open.set(thread, call);
  }
  return calls;
}

function told(calls: readonly Call[]): string[] {
  return calls.map(({ name, file }) => `${name} ${file}`);
}

describe.skipIf(!canTrace)('the order of writes (needs strace)', () => {
  test('is rows, ledger, then --tee, each safe before the next', async () => {
    const cwd = freshFolder();
    const calls = await traced(
      cwd,
      'task-save out.csv --ledger l.jsonl --tee --quiet > tee',
      '{"uuid":"a"}\n{"uuid":"b"}\n',
    );
    const rows = calls.findIndex(({ file, name }) => file === 'out.csv' && name === 'pwrite64');
    expect(told(calls.slice(rows))).toEqual([
      'pwrite64 out.csv',
      'fdatasync out.csv',
      'write l.jsonl',
      'fdatasync l.jsonl',
      'write tee',
      'write l.jsonl', // the seal
      'fdatasync l.jsonl',
      'fsync .', // out.csv.run is removed
    ]);
    expect(calls[rows + 2]?.text).toMatch(/, "\\n\{\\"uuid\\":\\"a\\"/);
    for (const [i, call] of calls.slice(rows + 1).entries()) {
      expect(calls[rows + i]?.ends, told([call])[0]).toBeLessThan(call.begins);
    }
    // The names of three new files are safe before the first row, and so is the content of out.csv.run.
    const before = told(calls.slice(0, rows));
    expect(before.filter((words) => words === 'fsync .')).toHaveLength(3);
    expect(before.slice(-3)).toEqual(['write out.csv.run', 'fsync out.csv.run', 'fsync .']);
  });

  test('starts with the failed records, then has --tee and the rest file under its name', async () => {
    const cwd = freshFolder();
    const input = '{"uuid":"a","run":{"state":"FAILURE"}}\n';
    const calls = await traced(cwd, 'task-save out.csv --tee --quiet > tee', input);
    const first = calls.findIndex(({ file }) => file === '.');
    expect(told(calls.slice(first))).toEqual([
      'fsync .', // out.csv
      'fsync .', // out.csv.rest.ndjson.run
      'write out.csv.rest.ndjson.run',
      'fdatasync out.csv.rest.ndjson.run',
      'write tee',
      'write out.csv.rest.ndjson.new',
      'fdatasync out.csv.rest.ndjson.new',
      'rename out.csv.rest.ndjson',
      'fsync .',
    ]);
  });

  test('has one rewrite of the output by --widen for all records of a batch', async () => {
    const cwd = freshFolder();
    const input = Array.from({ length: 400 }, (_, i) => `{"uuid":"u${i}","x${i}":${i}}\n`).join('');
    writeFileSync(join(cwd, 'in'), input);
    const calls = await traced(cwd, 'task-save out.csv --widen --quiet < in', '');
    expect(told(calls).filter((words) => words.startsWith('rename'))).toEqual(['rename out.csv']);
    const rows = readFileSync(join(cwd, 'out.csv'), 'utf8').split('\n');
    expect(rows).toHaveLength(402);
    expect(rows[0]?.split(',')).toHaveLength(401);
    expect(rows[400]).toBe(`u399${','.repeat(400)}399`);
  });
});

describe('a full disk', () => {
  const limited = (blocks: number, command: string): string =>
    `ulimit -f ${blocks}; trap "" XFSZ; ${command}`;

  test('ends an append to the ledger with an error, and the next run marks the saved rows', async () => {
    const cwd = freshFolder();
    const input = Array.from({ length: 100 }, (_, i) => `{"uuid":"task ${i}"}\n`).join('');
    const command = 'task-save out.csv --ledger l.jsonl --quiet';
    expect(await sh(limited(4, command), { cwd, input })).toMatchObject({
      code: 74,
      stderr: expect.stringMatching(
        /^task-save: cannot write to the ledger l.jsonl: \d+ of \d+ bytes were written; is the disk full\?\n$/,
      ),
    });
    expect(statSync(join(cwd, 'l.jsonl')).size).toBe(4096);
    expect(await sh(command, { cwd, input })).toMatchObject({ code: 0 });
    expect((await sh('task-done count l.jsonl', { cwd })).stdout).toBe('100\n');
    expect(readFileSync(join(cwd, 'out.csv'), 'utf8').match(/^task/gm)).toHaveLength(100);
  });

  test('ends a write to the rest file with an error, and the next run writes the whole record', async () => {
    const cwd = freshFolder();
    const line = `{"uuid":"a","x":"${'x'.repeat(3000)}","run":{"state":"FAILURE"}}\n`;
    const { code, stderr } = await sh(limited(2, 'task-save out.csv --quiet'), { cwd, input: line });
    expect({ code, stderr }).toEqual({
      code: 74,
      stderr: 'task-save: cannot write out.csv.rest.ndjson.run: the file has reached its size limit\n',
    });
    expect(statSync(join(cwd, 'out.csv.rest.ndjson.run')).size).toBe(2048);
    expect(await sh('task-save out.csv --quiet', { cwd, input: line })).toMatchObject({ code: 1 });
    expect(readFileSync(join(cwd, 'out.csv.rest.ndjson'), 'utf8')).toBe(line);
    expect(existsSync(join(cwd, 'out.csv.rest.ndjson.run'))).toBe(false);
  });
});
