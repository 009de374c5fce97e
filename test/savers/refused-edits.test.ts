import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshFolder, has, sh } from '../support/run.ts';

const hasSqlite = await has('sqlite3');
const hasJq = await has('jq');

const tasks = (...uuids: string[]): string => uuids.map((uuid) => `{"uuid":"${uuid}","x":1}\n`).join('');

/** Makes an output and its ledger, which hold a, b and c. */
async function saved(out: string) {
  const cwd = freshFolder();
  const run = (options = '', input = '') =>
    sh(`task-save ${out} --ledger done.jsonl ${options}`, { cwd, input });
  await run('', tasks('a', 'b', 'c'));
  return {
    cwd,
    run,
    path: join(cwd, out),
    count: async () => (await sh('task-done count done.jsonl', { cwd })).stdout,
  };
}

describe('a run that refuses a database leaves the ledger as it is', { timeout: 60_000 }, () => {
  test.skipIf(!hasSqlite).each([
    [
      'its uuid column was renamed',
      'alter table tasks rename column uuid to uid',
      'out.db has no uuid column, but the ledger done.jsonl knows its 3 rows by uuid: was the column renamed to "uid" or removed',
    ],
    [
      'it has a column state of another program',
      'create table t (uuid text primary key, state text); drop table tasks; alter table t rename to tasks',
      'its column state for the state of a run; rename that column, or name another table with --table',
    ],
    [
      'its uuids may repeat',
      'create table t as select * from tasks where uuid < "c"; drop table tasks; alter table t rename to tasks',
      `add an index with: sqlite3 out.db 'create unique index "tasks_uuid" on "tasks" (uuid)'; or name another table`,
    ],
  ])('if %s, with --accept-edits too', async (_, change, words) => {
    const { cwd, run, count } = await saved('out.db');
    await sh(`sqlite3 out.db '${change}'`, { cwd });
    expect(await run('--accept-edits')).toMatchObject({ code: 65, stderr: expect.stringContaining(words) });
    expect(await count()).toBe('3\n');
  });

  test.skipIf(!hasSqlite)('and the index that its message names repairs it', async () => {
    const { cwd, run } = await saved('out.db');
    await sh(
      "sqlite3 out.db 'create table t as select * from tasks; drop table tasks; alter table t rename to tasks'",
      {
        cwd,
      },
    );
    const { stderr } = await run();
    const [, repair = ''] = /add an index with: (.*); or name/.exec(stderr) ?? [];
    expect((await sh(repair, { cwd })).code).toBe(0);
    expect((await run('', tasks('a', 'd'))).code).toBe(0);
  });
});

test.each(['out.csv', 'out.tsv', 'out.db'])(
  '%s: a slip in --fields leaves the ledger as it is, also with --accept-edits',
  async (out) => {
    const { run, path, count, cwd } = await saved(out);
    if (out === 'out.db') await sh("sqlite3 out.db 'drop table tasks'", { cwd });
    else writeFileSync(path, '');
    const slip = await run('--accept-edits --fields uuid,resultat', '{"uuid":"a","result_at":1}\n');
    expect(slip).toMatchObject({ code: 2, stderr: expect.stringContaining('did you mean') });
    expect(await count()).toBe('3\n');
  },
);

describe('an output that is not text in UTF-8 is refused with the command that converts it', () => {
  test.each([
    ['out.csv', 'iconv -t utf-16', 'looks like UTF-16'],
    ['out.csv', 'iconv -t utf-16be', 'looks like UTF-16'],
    ['out.tsv', 'iconv -t utf-32', 'looks like UTF-32'],
    ['out.ndjson', 'iconv -t utf-16le', 'looks like UTF-16'],
    ['out.csv', 'gzip', 'is a gzip file'],
    ['out.ndjson', 'gzip', 'is a gzip file'],
  ])('%s after %s', async (out, tool, words) => {
    const { cwd, run, path, count } = await saved(out);
    const before = readFileSync(path);
    await sh(`${tool} < ${out} > x && mv x ${out}`, { cwd });
    for (const options of ['', '--accept-edits']) {
      const { code, stderr } = await run(options);
      expect([code, stderr]).toEqual([65, expect.stringContaining(`${out}:1: the file ${words}`)]);
      expect(stderr).not.toMatch(/missing|accept-edits/);
    }
    expect(await count()).toBe('3\n');
    const [, convert = ''] = /with: (.*), then run/.exec((await run()).stderr) ?? [];
    await sh(convert, { cwd });
    expect(readFileSync(path, 'utf8').replace('\ufeff', '')).toBe(before.toString());
    expect((await run('', tasks('a', 'd'))).stderr).toContain('saved 1, 1 already there');
  });
});

describe('NDJSON in another form is refused with the command that converts it', () => {
  test.skipIf(!hasJq).each([
    ['an array', 'jq -sc .', 'a JSON array'],
    ['an array without a line end', "jq -sc . | tr -d '\\n'", 'a JSON array'],
    ['an array of many lines', 'jq -s .', 'a JSON array'],
    ['records of many lines', 'jq .', 'takes several lines'],
    ['records in one line', 'jq -cj .', 'several records are in one line'],
  ])('%s', async (_, tool, words) => {
    const { cwd, run, count } = await saved('out.ndjson');
    await sh(`${tool.replace('.', '. out.ndjson')} > x; mv x out.ndjson`, { cwd });
    const { code, stderr } = await run();
    expect([code, stderr]).toEqual([65, expect.stringMatching(`^task-save: out.ndjson:1: .*${words}`)]);
    expect(stderr).not.toMatch(/missing|accept-edits/);
    expect((await run('--accept-edits')).code).toBe(65);
    expect(await count()).toBe('3\n');
    expect(readdirSync(cwd).filter((name) => name.includes('torn'))).toEqual([]);
    const [, convert = ''] = /Convert it with: (.*), then run/.exec(stderr) ?? [];
    await sh(convert, { cwd });
    expect((await run('', tasks('a', 'd'))).stderr).toContain('saved 1, 1 already there');
  });
});

describe('the message about missing rows', () => {
  test('names the line of a row whose uuid was emptied', async () => {
    const { cwd, run } = await saved('out.csv');
    await sh("sed -i '3s/^[^,]*//' out.csv", { cwd });
    const { code, stderr } = await run();
    expect([code, stderr]).toEqual([
      65,
      expect.stringMatching(/1 row is missing .*out\.csv:3: the row has no uuid/),
    ]);
  });

  test.each(['out.csv', 'out.ndjson', 'out.db'])('mentions rows with other uuids: %s', async (out) => {
    const { cwd, run } = await saved(out);
    const change = out.endsWith('db')
      ? `sqlite3 out.db "update tasks set uuid = 'x' || uuid"`
      : `sed -i 's/\\b[abc]\\b/x&/' ${out}`;
    await sh(change, { cwd });
    const { code, stderr } = await run();
    expect([code, stderr]).toEqual([
      65,
      expect.stringMatching(
        /3 rows are missing .*It has 3 rows that the ledger does not name \(uuid "xa", "xb", "xc"\): if their uuids were changed/,
      ),
    ]);
  });
});

test('a TSV output with all cells in quotes is continued with quotes where they are needed', async () => {
  const { cwd, run, path } = await saved('out.tsv');
  await sh(`sed -i 's/[^\\t]*/"&"/g' out.tsv`, { cwd });
  expect((await run('', `${tasks('a')}{"uuid":"d","x":"1\\t\\"2\\""}\n`)).stderr).toContain(
    'saved 1, 1 already there',
  );
  expect(readFileSync(path, 'utf8')).toBe('"uuid"\t"x"\n"a"\t"1"\n"b"\t"1"\n"c"\t"1"\nd\t"1\t""2"""\n');
  expect(existsSync(join(cwd, 'out.tsv.rest.ndjson'))).toBe(false);
});

test.each([
  ['uuid:x\na:1\n', `out.csv:1: ":" separates its cells; add --delimiter ':'`],
  [
    'uuid,,\na,,\n',
    'out.csv:1: the header has two columns without a name; name them, or remove those that are empty',
  ],
  ['uuid,x,x\na,1,1\n', 'out.csv:1: the header has two columns named "x"; rename one of them'],
  ['UUID,x\na,1\n', 'was the column renamed to "UUID" or removed, or left out of --fields? Put it back'],
])('the message about the header of %j says what to do', async (text, words) => {
  const { path, run } = await saved('out.csv');
  writeFileSync(path, text);
  expect(await run()).toMatchObject({ code: 65, stderr: expect.stringContaining(words) });
});
