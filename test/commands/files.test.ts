import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FedStage } from '../faults/support/fed-stage.ts';
import { ours } from '../faults/support/program.ts';
import { freshFolder, sh } from '../support/run.ts';

const WORK = 'export default (task, { add }) => { if (task.n < 3) add({ n: task.n + 10 }); return 1; };\n';

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = freshFolder();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** Record of a successful task whose result has no column in the output. */
const UNSAVED =
  '{"uuid":"1","n":1,"run":{"state":"FAILURE","attempts":1,"error":{"code":"COLUMNS","message":""}}}\n';

describe('one file for two uses', () => {
  const files = {
    'a.csv': 'uuid,url\n1,x\n',
    'a.ndjson': '{"uuid":"1","n":1}\n',
    'done.jsonl': '{"uuid":"1"}\n',
    'work.mjs': WORK,
  };
  test.each([
    ['task-load a.csv >> a.csv', 'the standard output must be another file than FILE; both are a.csv'],
    ['task-load < a.ndjson >> a.ndjson', 'the standard output must be another file than the standard input'],
    [
      'ln a.csv b.csv; task-load b.csv --rejects a.csv',
      '--rejects must be another file than FILE; both are a.csv',
    ],
    [
      'task-load a.csv --ledger done.jsonl --rejects done.jsonl',
      '--rejects must be another file than --ledger;',
    ],
    ['task-save a.csv < a.csv', 'OUT must be another file than the standard input; both are a.csv'],
    [
      'task-save b.csv --ledger a.ndjson < a.ndjson',
      '--ledger must be another file than the standard input;',
    ],
    [
      'task-save a.ndjson --tee < /dev/null >> a.ndjson',
      'OUT must be another file than the standard output;',
    ],
    ['task-exec --module work.mjs --rejects work.mjs', '--rejects must be another file than --module;'],
    [
      'task-exec --command true --events e --report e.json --rejects ./e',
      '--events must be another file than --rejects;',
    ],
    [
      'task-exec --module work.mjs --spool a.ndjson < a.ndjson',
      '--spool must be another file than the standard input;',
    ],
    [
      'task-exec --module work.mjs --spool done.jsonl --ledger done.jsonl',
      '--spool must be another file than --ledger;',
    ],
    ['task-exec --command true --unfinished a.ndjson < a.ndjson', '--unfinished must be another file than'],
    ['task-exec --module work.mjs --log-dir work.mjs', '--log-dir must be another file than --module;'],
    ['task-done mark done.jsonl < done.jsonl', 'LEDGER must be another file than the standard input;'],
    [
      'task-done skip done.jsonl --rejects done.jsonl < a.ndjson',
      '--rejects must be another file than LEDGER;',
    ],
  ])('is a usage error, and stays unchanged: %s', async (command, words) => {
    const folder = folderWith(files);
    const { code, stderr, stdout } = await sh(command, { cwd: folder });
    expect(stderr).toContain(words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    for (const [name, text] of Object.entries(files))
      expect(readFileSync(join(folder, name), 'utf8')).toBe(text);
  });

  test.each([
    ['the rest file, which a new one replaces', 'task-save out.csv < out.csv.rest.ndjson'],
    ['a ledger that is only read', 'task-done skip a.ndjson < a.ndjson'],
    ['a device', 'task-save b.csv --rejects /dev/null < /dev/null > /dev/null'],
  ])('is accepted if it is %s', async (_, command) => {
    const folder = folderWith({ ...files, 'out.csv.rest.ndjson': UNSAVED });
    expect(await sh(command, { cwd: folder })).toMatchObject({ code: 0 });
  });
});

describe('a url of a kind that is not known', () => {
  const ledger = 'a ledger is a JSONL file, as in done.jsonl, or redis://HOST/0#NAME';
  test.each([
    ['task-done count s3://b/x', `${ledger}, or postgres://HOST/DATABASE?ledger=NAME; got "s3://b/x"`],
    ['task-done mark s3://b/x 1', ledger],
    ['task-done skip s3://b/x.db < a.ndjson', ledger],
    ['task-load a.ndjson --ledger s3://b/x', ledger],
    ['task-load a.ndjson --ledger file:///x', ledger],
    ['task-load a.ndjson --ledger constructor://x', ledger],
    ['task-load a.ndjson --ledger Redis://127.0.0.1:1/0', ledger],
    ['task-exec --module work.mjs --ledger s3://b/x < a.ndjson', ledger],
    ['task-save out.ndjson --ledger s3://b/x < a.ndjson', ledger],
    [
      'task-save s4://b/x.parquet/ < a.ndjson',
      'OUT is a file of this machine, postgres://HOST/DATABASE or s3:',
    ],
    ['task-save s4://jo:hush@b/x.csv --partition-by n < a.ndjson', 'OUT is a file of this machine'],
    ['task-save out.csv --rest s3://b/x < a.ndjson', '--rest is a file of this machine; got "s3://b/x"'],
    ['task-save out.csv --rejects s3://b/x < a.ndjson', '--rejects is a file of this machine'],
    ['task-load a.ndjson --rejects s3://b/x', '--rejects is a file of this machine'],
    ['task-exec --module work.mjs --log-dir s3://b/x/ < a.ndjson', '--log-dir is a file of this machine'],
    ['task-exec --command true --events s3://b/x < a.ndjson', '--events is a file of this machine'],
  ])('is a usage error, and no file is made: %s', async (command, words) => {
    const folder = folderWith({ 'a.ndjson': '{"uuid":"1","n":1}\n', 'work.mjs': WORK });
    const { code, stderr, stdout } = await sh(command, { cwd: folder });
    expect(stderr).toContain(words);
    expect(stderr).not.toContain('hush');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(readdirSync(folder).sort()).toEqual(['a.ndjson', 'work.mjs']);
  });
});

describe('an output that is the input', () => {
  test.each([
    ['a.csv', 'uuid,url\n1,x\n2,y\n'],
    ['a.ndjson', '{"uuid":"1","url":"x"}\n{"uuid":"2","url":"y"}\n'],
  ])('is rejected at the first result: %s', async (name, text) => {
    const folder = folderWith({ [name]: text });
    const command = `task-load ${name} | task-exec --command 'echo {url}' -j 1 | task-save ${name}; echo $?`;
    const { stdout, stderr } = await sh(command, { cwd: folder });
    expect(stdout).toBe('2\n');
    expect(stderr).toContain(
      `${name} has a row for task 1 already, but without a result, so nothing would be saved. If ${name} is the input too, save to another file`,
    );
    expect(readFileSync(join(folder, name), 'utf8')).toBe(text);
  });

  test('adds no row to the ledger', async () => {
    const folder = folderWith({ 'a.csv': 'uuid,url\n1,x\n2,y\n' });
    const { stdout } = await sh(
      "task-load a.csv | task-exec --command 'echo {url}' | task-save a.csv --ledger d; echo $?; task-done count d",
      { cwd: folder },
    );
    expect(stdout).toBe('2\n0\n');
  });

  test('is suspected, with a warning at the end, if all rows exist already', async () => {
    const folder = folderWith({ 'a.ndjson': '{"uuid":"1","url":"x"}\n{"uuid":"2","url":"y"}\n' });
    const command = "task-load a.ndjson | task-exec --command 'echo {url}' | task-save out.ndjson";
    await sh(command, { cwd: folder });
    const { code, stderr } = await sh(command, { cwd: folder });
    expect(code).toBe(0);
    expect(stderr).toContain(
      'out.ndjson already had rows for all 2 tasks, so nothing was saved; if out.ndjson is also the input, save to another file',
    );
  });

  test('is not suspected if --fields names the columns', async () => {
    const folder = folderWith({ 'a.csv': 'uuid,url\n1,x\n' });
    const run = "task-load a.csv | task-exec --command 'echo {url}' | task-save out.csv --fields uuid,url";
    expect(await sh(`${run} && ${run}`, { cwd: folder })).toMatchObject({ code: 0 });
  });
});

describe('a file that cannot be written', () => {
  test.each([
    [
      'task-save out.csv --rest no/rest.ndjson',
      74,
      'cannot write no/rest.ndjson: no such file or folder. Records',
    ],
    ['mkdir out.csv.rest.ndjson; task-save out.csv', 2, 'out.csv.rest.ndjson is not a file'],
    ['mkdir out.csv.rest.ndjson.run; task-save out.csv', 2, 'out.csv.rest.ndjson.run is not a file'],
    ['mkdir task-save.rest.ndjson; task-save -', 2, 'task-save.rest.ndjson is not a file'],
    ['task-save no/out.csv', 74, 'cannot open no/out.csv: no such file or folder'],
    ['task-save out.csv --rejects no/bad', 74, 'cannot write --rejects no/bad: no such file or folder'],
    ['task-exec --command true --events no/e', 74, 'cannot write --events no/e: no such file or folder'],
    [
      'task-exec --command true --report no/r.json',
      74,
      'cannot write --report no/r.json: no such file or folder',
    ],
    [
      'task-exec --command true --unfinished no/u',
      74,
      'cannot write --unfinished no/u: no such file or folder',
    ],
    ['task-exec --module work.mjs --spool no/s', 74, 'cannot open --spool no/s: no such file or folder'],
    ['task-exec --http --body-dir work.mjs', 74, 'cannot make work.mjs: it is a file'],
  ])('is reported before the first record: %s', async (command, code, words) => {
    const folder = folderWith({ 'work.mjs': WORK });
    const [setUp, run = setUp] = command.split('; ') as [string, string?];
    if (run !== setUp) await sh(setUp, { cwd: folder });
    const stage = new FedStage(ours, folder, run.split(' ')); // its input stays open
    await stage.until(() => false);
    expect(stage.stderr).toContain(words);
    expect(await stage.end()).toBe(code);
  });
});

describe('a file that changes while task-exec writes it', () => {
  const record = (n: number): string => `{"uuid":"${n}","n":${n}}\n`;

  async function edited(options: readonly string[], edit: (folder: string) => void) {
    const folder = folderWith({ 'work.mjs': WORK });
    const stage = new FedStage(ours, folder, ['task-exec', '--module', 'work.mjs', ...options]);
    stage.give(record(1));
    await stage.until(() => stage.stdout.includes('"uuid":"1"'));
    // The stage writes this file asynchronously. Nothing can be lost before it has content.
    while (statSync(join(folder, options[1] as string)).size === 0) await new Promise(setImmediate);
    edit(folder);
    stage.give(record(2));
    const code = await stage.end();
    return { folder, code, stderr: stage.stderr, stdout: stage.stdout };
  }

  test('ends the stage with 74 before it emits a record whose added tasks are in no file: --spool', async () => {
    const { code, stderr, stdout } = await edited(['--spool', 's.ndjson'], (folder) =>
      renameSync(join(folder, 's.ndjson'), join(folder, 'old')),
    );
    expect(stderr).toContain(
      's.ndjson was renamed to old during the run; to continue with it: mv old s.ndjson,',
    );
    expect(code).toBe(74);
    expect(stdout).not.toContain('"uuid":"2"');
  });

  test.each([
    [
      'removed',
      (path: string) => rmSync(path),
      /e.ndjson was removed during the run; the old file is kept as/,
    ],
    [
      'truncated',
      (path: string) => truncateSync(path),
      /e.ndjson was truncated by another program during the run/,
    ],
  ])('ends the stage with 74: --events that were %s', async (_, edit, words) => {
    const { code, stderr } = await edited(['--events', 'e.ndjson', '--spool', 's'], (folder) =>
      edit(join(folder, 'e.ndjson')),
    );
    expect(stderr).toMatch(words);
    expect(code).toBe(74);
  });
});

test('task-done mark fails if its ledger is removed, and passes no more lines on', async () => {
  const folder = freshFolder();
  const stage = new FedStage(ours, folder, ['task-done', 'mark', 'done.jsonl']);
  stage.give('a\n');
  await stage.until(() => stage.stdout === 'a\n');
  rmSync(join(folder, 'done.jsonl'));
  stage.give('b\n');
  await stage.until(() => false);
  expect(await stage.end()).toBe(74);
  expect(stage.stdout).toBe('a\n');
  expect(stage.stderr).toContain(
    'done.jsonl was removed during the run; the old file is kept as done.jsonl.kept-',
  );
  expect(existsSync(join(folder, 'done.jsonl'))).toBe(false);
});

test('an existing folder for logs is accepted', async () => {
  const folder = folderWith({ 'work.mjs': WORK });
  mkdirSync(join(folder, 'logs'));
  const command = 'task-exec --module work.mjs --log-dir logs --spool s';
  expect(await sh(command, { cwd: folder })).toMatchObject({ code: 0 });
});
