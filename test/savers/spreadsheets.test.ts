/* Outputs for spreadsheets: byte order marks, delimiters and column names, through crashes and resumed runs. */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { leaveMark } from '../support/mark.ts';
import { freshFolder, sh } from '../support/run.ts';

const ROWS = ['{"uuid":"a","n":1,"o":{"p":"x;y"}}', '{"uuid":"b","n":2,"o":{"p":"é"}}'];
const [FIRST, SECOND] = ROWS as [string, string];
const named = '--fields id=uuid,price=o.p';

describe.each([
  ['a semicolon and a byte order mark', "out.csv --delimiter ';' --bom", '\ufeff'],
  ['a comma', 'out.csv', ''],
  ['a tab and a byte order mark', 'out.tsv --bom', '\ufeff'],
])('an output with %s', (_, out, bom) => {
  const file = out.split(' ')[0] as string;
  const text = (cwd: string): string => readFileSync(join(cwd, file), 'utf8');
  const sign = out.includes(';') ? ';' : file.endsWith('.tsv') ? '\t' : ',';

  test.each(['', ' --ledger done.jsonl'])('is resumed after a crash in a row%s', async (ledger) => {
    const cwd = freshFolder();
    const save = `task-save ${out} ${named}${ledger}`;
    expect(await sh(save, { cwd, input: FIRST })).toMatchObject({ code: 0 });
    leaveMark(join(cwd, file));
    appendFileSync(join(cwd, file), `b${sign}"to`);
    const { code, stderr } = await sh(save, { cwd, input: ROWS.join('\n') });
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('saved 1, 1 already there');
    const cell = sign === ';' ? '"x;y"' : 'x;y';
    expect(text(cwd)).toBe(`${bom}id${sign}price\na${sign}${cell}\nb${sign}é\n`);
  });

  test('keeps its byte order mark and delimiter when it gets columns', async () => {
    const cwd = freshFolder();
    await sh(`task-save ${out} --fields uuid,n`, { cwd, input: FIRST });
    const { code, stderr } = await sh(`task-save ${out} --fields uuid,n,price=o.p --widen`, {
      cwd,
      input: SECOND,
    });
    expect(code, stderr).toBe(0);
    expect(text(cwd)).toBe(`${bom}uuid${sign}n${sign}price\na${sign}1${sign}\nb${sign}2${sign}é\n`);
    expect(text(cwd).lastIndexOf('\ufeff')).toBe(bom === '' ? -1 : 0);
  });
});

test('an output keeps its line sep=; when it is appended to and widened', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'out.csv'), '\ufeffsep=;\r\nuuid;n\r\na;1\r\n');
  const { code, stderr } = await sh("task-save out.csv --delimiter ';' --widen", {
    cwd,
    input: ROWS.join('\n'),
  });
  expect(code, stderr).toBe(0);
  expect(readFileSync(join(cwd, 'out.csv'), 'utf8')).toBe('\ufeffsep=;\r\nuuid;n;o.p\r\na;1;\r\nb;2;é\r\n');
});

test.each([
  ['uuid;n\n', '', "--delimiter ';'"],
  ['"uuid";"n"\n', '', "--delimiter ';'"],
  ['\ufeffuuid;n\r\n', '', "--delimiter ';'"],
  ['uuid;"n, m";o\n', '', "--delimiter ';'"],
  ['sep=;\nuuid;n\n', '', "--delimiter ';'"],
  ['uuid\tn\n', '', "--delimiter '\\t'"],
  ['uuid|n\n', "--delimiter ';'", "--delimiter '|'"],
  ['uuid,n\n', "--delimiter ';'", 'leave out --delimiter'],
])('a header %j with %j is rejected and left unchanged: %s', async (header, option, advice) => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'out.csv'), header);
  const { code, stderr } = await sh(`task-save out.csv ${option}`, { cwd, input: FIRST });
  expect(code).toBe(65);
  expect(stderr).toContain(advice);
  expect(readFileSync(join(cwd, 'out.csv'), 'utf8')).toBe(header);
});

test('a single column given by --fields may have a semicolon in its name', async () => {
  const cwd = freshFolder();
  const save = "task-save out.csv --fields 'a;b'";
  for (const uuid of ['1', '2']) await sh(save, { cwd, input: `{"uuid":"${uuid}","a;b":${uuid}}` });
  expect(readFileSync(join(cwd, 'out.csv'), 'utf8')).toBe('a;b\n1\n2\n');
});

test('a named column is the same attribute of a database in every run', async () => {
  const cwd = freshFolder();
  const save = 'task-save out.db --fields uuid,price=o.p';
  await sh(save, { cwd, input: FIRST });
  expect((await sh(save, { cwd, input: ROWS.join('\n') })).stderr).toBe('task-save: saved 2\n');
  const { stdout } = await sh('task-load out.db --table tasks --quiet', { cwd });
  expect(stdout).toBe('{"uuid":"a","price":"x;y"}\n{"uuid":"b","price":"é"}\n');
});

describe('a typo in --fields', () => {
  const slip = '{"uuid":"a","n":1,"result":{"stdout":"x"},"run":{"state":"SUCCESS","as":"result"}}\n';

  test.each(['out.csv', 'out.tsv', 'out.ndjson', 'out.db', '-'])(
    'is rejected before the first commit to %s, and the rest file keeps the work until it is saved',
    async (out) => {
      const cwd = freshFolder();
      const flush = out === '-' ? '' : '--flush 1';
      const refused = await sh(`task-save ${out} --fields uuid,stdout ${flush}`, { cwd, input: slip });
      expect(refused).toMatchObject({ code: 2, stdout: '' });
      expect(refused.stderr).toContain('no record had "stdout" (--fields); did you mean result.stdout?');
      const rest = `${out === '-' ? 'task-save' : out}.rest.ndjson`;
      expect(readFileSync(join(cwd, rest), 'utf8')).toBe(slip);
      const mended = await sh(`task-save ${out} --fields uuid,result.stdout < ${rest}`, { cwd });
      expect(mended.code, mended.stderr).toBe(0);
      expect(existsSync(join(cwd, rest))).toBe(false);
    },
  );

  test('does not stop a resumed run', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'out.csv'), 'uuid,stdout\nb,kept\n');
    const { code, stderr } = await sh('task-save out.csv --fields uuid,stdout', { cwd, input: slip });
    expect(code, stderr).toBe(0);
  });

  test('is reported at once if the name may be right, and again after more records', async () => {
    const input = `${slip}${'{"uuid":"x"}\n'.repeat(20_000)}`;
    const { code, stderr } = await sh('task-save out.csv --fields uuid,result.stout', { input });
    expect(code).toBe(0);
    expect(stderr.match(/no record had "result.stout".*did you mean result.stdout/g)).toHaveLength(2);
  });
});
