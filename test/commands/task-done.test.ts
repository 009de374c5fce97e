import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ended, freshFolder, sh, start } from '../support/run.ts';

describe('task-done', () => {
  test('mark marks successful tasks, and passes non-empty lines on byte for byte', async () => {
    const cwd = freshFolder();
    const input =
      '{"uuid":"a", "n":1.0}\n{"uuid":"b","run":{"state":"FAILURE"}}\n  c d \n"e"\n\n{"uuid":"f","run":{"state":"SUCCESS"}}';
    const { stdout, code } = await sh('task-done mark l.jsonl', { cwd, input });
    expect(stdout).toBe(`${input.replace('\n\n', '\n')}\n`);
    expect(code).toBe(0);
    expect((await sh('task-done list l.jsonl', { cwd })).stdout).toBe('a\nc d\ne\nf\n');
  });

  test('skip and only split the input in two', async () => {
    const cwd = freshFolder();
    await sh('task-done mark l.jsonl b d', { cwd });
    const input = '{"uuid":"a"}\n{"uuid":"b"}\nc\nd\n';
    expect((await sh('task-done skip l.jsonl', { cwd, input })).stdout).toBe('{"uuid":"a"}\nc\n');
    expect((await sh('task-done only l.jsonl', { cwd, input })).stdout).toBe('{"uuid":"b"}\nd\n');
  });

  test('mark and unmark with uuids ignore stdin and print nothing', async () => {
    const cwd = freshFolder();
    expect(await sh('task-done mark l.jsonl a b c', { cwd, input: 'x\n' })).toMatchObject({
      stdout: '',
      stderr: '',
      code: 0,
    });
    expect(await sh('task-done unmark l.jsonl b', { cwd, input: 'x\n' })).toMatchObject({
      stdout: '',
      code: 0,
    });
    expect((await sh('task-done list l.jsonl; task-done count l.jsonl', { cwd })).stdout).toBe('a\nc\n2\n');
  });

  test('has reports only by its exit code', async () => {
    const cwd = freshFolder();
    await sh('task-done mark l.jsonl a b', { cwd });
    const codes = [];
    for (const uuids of ['a', 'a b', 'a x', 'x']) {
      const { code, stdout, stderr } = await sh(`task-done has l.jsonl ${uuids}`, { cwd });
      codes.push(code);
      expect(stdout + stderr).toBe('');
    }
    expect(codes).toEqual([0, 0, 1, 1]);
    expect((await sh('task-done has l.jsonl', { cwd, input: '{"uuid":"a"}\nb\n' })).code).toBe(0);
  });

  test('check names torn and foreign lines, and exits 1', async () => {
    const cwd = freshFolder();
    await sh('task-done mark l.jsonl a b; task-done unmark l.jsonl b', { cwd });
    expect(await sh('task-done check l.jsonl', { cwd })).toMatchObject({
      stderr: 'task-done: l.jsonl: 3 lines, 1 finished, 1 undone, 0 torn or foreign\n',
      code: 0,
    });
    appendFileSync(join(cwd, 'l.jsonl'), '\n{"uuid":"c","a\n');
    const { stderr, code } = await sh('task-done check l.jsonl', { cwd });
    expect(stderr).toBe(
      'task-done: l.jsonl:7: torn, or not JSON\ntask-done: l.jsonl: 4 lines, 1 finished, 1 undone, 1 torn or foreign\n',
    );
    expect(code).toBe(1);
  });

  test('compact keeps one line per uuid, and exits 75 while another process writes', async () => {
    const cwd = freshFolder();
    await sh('task-done mark l.jsonl a b a a', { cwd });
    const writer = start('exec task-done mark l.jsonl', { cwd });
    const end = ended(writer);
    writer.stdin?.write('c\n');
    await new Promise((resolve) => writer.stdout?.once('data', resolve));
    expect(await sh('task-done compact l.jsonl', { cwd })).toMatchObject({
      stderr: 'task-done: l.jsonl is being written by another task; try again when it has ended\n',
      code: 75,
    });
    writer.stdin?.end();
    await end;
    expect(await sh('task-done compact l.jsonl', { cwd })).toMatchObject({
      stderr: 'task-done: l.jsonl: 5 lines before, 3 lines now\n',
      code: 0,
    });
    const lines = readFileSync(join(cwd, 'l.jsonl'), 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).uuid).sort()).toEqual(['a', 'b', 'c']);
  });

  test('clear requires --yes', async () => {
    const cwd = freshFolder();
    await sh('task-done mark l.jsonl a', { cwd });
    expect(await sh('task-done clear l.jsonl', { cwd })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('add --yes'),
    });
    expect((await sh('task-done count l.jsonl', { cwd })).stdout).toBe('1\n');
    await sh('task-done clear l.jsonl --yes', { cwd });
    expect((await sh('task-done count l.jsonl', { cwd })).stdout).toBe('0\n');
  });

  test.each([
    ['task-done', 'give a verb and a ledger, as in task-done count done.jsonl; the verbs are mark, unmark, '],
    ['task-done maark l.jsonl', 'unknown verb "maark"; did you mean mark?\n'],
    ['task-done constructor l.jsonl', 'unknown verb "constructor"; the verbs are '],
    ['task-done count', 'give the ledger after the verb, as in task-done count done.jsonl\n'],
    ['task-done list l.jsonl a', 'list takes a ledger and no uuids; got "a"\n'],
    ['task-done has l.jsonl ""', '"" can\'t be a uuid: "uuid" is empty\n'],
  ])('rejects %s', async (command, words) => {
    const { code, stderr } = await sh(command);
    expect(code).toBe(2);
    expect(stderr).toMatch(new RegExp(`^task-done: ${words.replace(/[?.]/g, '\\$&')}`));
  });

  test.each([
    ['task-done count f/x', 'task-done'],
    ['task-done has f/x a', 'task-done'],
    ['task-done list f/x', 'task-done'],
    ['task-load --format lines --ledger f/x', 'task-load'],
  ])('exits 74 if f is a file: %s', async (command, name) => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'f'), '');
    expect(await sh(command, { cwd, input: 'a\n' })).toMatchObject({
      code: 74,
      stderr: `${name}: cannot read the ledger f/x: a part of the path is not a folder\n`,
    });
  });

  test('passes valid lines on, and reports lines that are neither a record nor a uuid', async () => {
    const cwd = freshFolder();
    const { stdout, stderr, code } = await sh('task-done mark l.jsonl', {
      cwd,
      input: 'a\n{"id":1}\n{oops\nb\n',
    });
    expect({ stdout, code }).toEqual({ stdout: 'a\nb\n', code: 1 });
    expect(stderr).toMatch(/^task-done: stdin:2: it has no "uuid"\ntask-done: stdin:3: not JSON/);
  });

  test('loses and tears nothing with eight concurrent writers', async () => {
    const cwd = freshFolder();
    for (let i = 0; i < 8; i++) {
      writeFileSync(join(cwd, `in${i}`), Array.from({ length: 5000 }, (_, n) => `task ${i} ${n}\n`).join(''));
    }
    await sh('for i in 0 1 2 3 4 5 6 7; do task-done mark l.jsonl < in$i > out$i & done; wait', { cwd });
    expect((await sh('task-done check l.jsonl', { cwd })).stderr).toContain(
      '40,000 lines, 40,000 finished, 0 undone, 0 torn or foreign',
    );
  });
});
