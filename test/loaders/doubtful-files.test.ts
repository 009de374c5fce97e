/* Files whose contents differ from their names or their first lines. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loaded } from '../support/loaded.ts';
import { type Ended, freshFolder, sh } from '../support/run.ts';

/** Loads a file with these contents. */
function load(name: string, contents: string | Buffer, options = ''): Promise<Ended> {
  const cwd = freshFolder();
  writeFileSync(join(cwd, name), contents);
  return sh(`task-load ${name} ${options}`, { cwd });
}

/** Returns the attributes of the tasks, without their uuids. */
function tasksIn({ stdout }: Ended): unknown[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({ ...JSON.parse(line), uuid: undefined }));
}

const AGAIN = 'this is the header again, as in files that were joined';

describe('a repeated header is rejected with its line and gives no task', () => {
  const ROWS = '1,a\n2,b\n';
  test.each([
    ['the same file twice', `id,name\n${ROWS}id,name\n3,c\n`],
    ['quoted', `id,name\n${ROWS}"id","name"\n3,c\n`],
    ['quoted before', `"id","name"\n${ROWS}id,name\n3,c\n`],
    ['after a byte order mark', `\ufeffid,name\n${ROWS}\ufeffid,name\n3,c\n`],
    ['with CRLF', `id,name\n${ROWS}id,name\r\n3,c\r\n`],
    ['as the last line, without a line end', `id,name\n${ROWS}3,c\nid,name`],
  ])('%s', async (_, text) => {
    for (const options of ['', '--limit 9', '--uuid-fields id', "--rename 'id=key'", '--columns id,n']) {
      const ended = await load('a.csv', text, options);
      expect({ code: ended.code, tasks: tasksIn(ended).length }, options).toEqual({ code: 1, tasks: 3 });
      expect(ended.stderr).toMatch(new RegExp(`^task-load: a\\.csv:\\d: ${AGAIN}`, 'm'));
      expect(ended.stderr.split(AGAIN)).toHaveLength(2);
    }
  });

  test('in TSV, and in a table of one column', async () => {
    expect((await load('a.tsv', 'id\tname\n1\ta\nid\tname\n')).stderr).toContain(`a.tsv:3: ${AGAIN}`);
    expect((await load('a.csv', 'url\nx\nurl\ny\n')).stderr).toContain(`a.csv:3: ${AGAIN}`);
  });

  test('unless the file has no header, or the row only begins like it', async () => {
    const text = 'id,name\n1,a\nid,x\nid,name\n';
    const message = await load('a.csv', text);
    expect(tasksIn(message)).toEqual([
      { id: '1', name: 'a' },
      { id: 'id', name: 'x' },
    ]);
    const options = '--no-header --skip 1 --columns id,name';
    expect(message.stderr).toContain('if it is data, add --no-header --skip 1 --columns');
    expect(tasksIn(await load('a.csv', text, options))).toHaveLength(3);
  });
});

describe('a uuid of blanks is rejected, as an empty one is', () => {
  test.each([
    ['a.csv', 'uuid,n\n ,a\n   ,b\n'],
    ['a.tsv', 'uuid\tn\n \ta\n\u00a0\tb\n'],
    ['a.ndjson', '{"uuid":" ","n":1}\n{"uuid":"\u3000","n":2}\n'],
    ['a.json', '[{"uuid":" ","n":1},{"uuid":"  ","n":2}]'],
  ])('%s', async (name, text) => {
    const { code, stdout, stderr } = await load(name, text);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr.match(/"uuid" is blank/g)).toHaveLength(2);
  });

  test('also between stages', async () => {
    const input = '{"uuid":" ","n":1}\n{"uuid":" \\t","n":2}\n';
    for (const command of ['task-exec --command true', 'task-save out.csv', 'task-done mark done.jsonl']) {
      const { code, stderr } = await sh(command, { input });
      expect(code, stderr).toBe(1);
      expect(stderr).toMatch(/stdin:1: .*"uuid" is blank/);
    }
  });
});

describe('a file whose content is of another format than its name', () => {
  const CSV = 'id,name\n1,a\n2,b\n';
  const NDJSON = '{"id":1,"name":"a"}\n{"id":2,"name":"b"}\n';
  test.each([
    ['a.txt', CSV, 'lines', 'csv', '--format csv'],
    ['a.list', CSV.replaceAll(',', '\t'), 'lines', 'tsv', '--format tsv'],
    ['a.txt', CSV.replaceAll(',', ';'), 'lines', 'csv', "--format csv --delimiter ';'"],
    ['a.txt', CSV.replaceAll(',', '|'), 'lines', 'csv', "--format csv --delimiter '|'"],
    ['a.txt', Buffer.from(`\ufeff${CSV}`, 'utf16le'), 'lines', 'csv', '--format csv'],
    ['a.txt', NDJSON, 'lines', 'ndjson', '--format ndjson'],
    ['a.txt', '[{"id":1,"name":"a"},\n{"id":2,"name":"b"}]', 'lines', 'json', '--format json'],
    ['a.csv', NDJSON, 'csv', 'ndjson', '--format ndjson'],
    ['a.tsv', '[\n {\n  "id": 1 },\n {"id": 2}]', 'tsv', 'json', '--format json'],
    ['a.ndjson', CSV, 'ndjson', 'csv', '--format csv'],
    ['a.json', CSV, 'json', 'csv', '--format csv'],
  ])('gets a warning with the options that read it: %s %j', async (name, text, as, like, options) => {
    const { stderr } = await load(name, text);
    expect(stderr.split('\n')[0]).toBe(
      `task-load: ${name}: read as ${as}, by its name, but it looks like ${like}; if it is, add ${options}`,
    );
    const right = await load(name, text, options);
    expect(tasksIn(right)).toHaveLength(2);
    expect(right.stderr).toBe('task-load: 2 tasks\n');
  });

  test.each([
    ['a.txt', 'Hello, you\nGoodbye, me\n', ''],
    ['a.txt', 'one\ntwo, three,four\n', ''],
    ['a.txt', 'a,b\n', ''],
    ['a.txt', 'https://h/a,b\nhttps://h/c,d\n', ''],
    ['a.txt', '[1] first\n[2] second\n', ''],
    ['a.txt', '{braces}\n{more}\n', ''],
    ['a.txt', CSV, '--format lines'],
    ['a.txt', CSV, '--field row'],
    ['a.csv', 'id;name\n1;a\n2;b\n', "--delimiter ';'"],
    ['a.csv', CSV, ''],
    ['a.json', NDJSON, ''],
  ])('gets no warning if its name may be right: %s %j %s', async (name, text, options) => {
    expect((await load(name, text, options)).stderr).toMatch(/^task-load: \d tasks?\n$/);
  });
});

describe('a file of which some lines are UTF-8 and others are not', () => {
  const good = Buffer.from('"é"');
  const bad = Buffer.from('"caf\xe9"', 'latin1');
  const line = (value: Buffer, before = '', after = ''): Buffer =>
    Buffer.concat([Buffer.from(before), value, Buffer.from(`${after}\n`)]);
  test.each([
    ['csv', (value: Buffer) => line(value, '1,'), 'id,n\n', ''],
    ['tsv', (value: Buffer) => line(value, '1\t'), 'id\tn\n', ''],
    ['lines', (value: Buffer) => line(value), '', ''],
    ['ndjson', (value: Buffer) => line(value, '{"n":', '}'), '', ''],
    ['json', (value: Buffer) => line(value, '{"n":', '},'), '[', '{"n":1}]'],
  ] as const)(
    '%s: no other encoding is suggested, as it would garble the rest',
    async (format, row, first, last) => {
      for (const rows of [
        [good, bad],
        [bad, good],
      ]) {
        const bytes = Buffer.concat([Buffer.from(first), ...rows.map(row), Buffer.from(last)]);
        const { bad: rejected } = await loaded(bytes, { format });
        expect(rejected).toHaveLength(1);
        expect(rejected[0]?.message).toBe(
          'not valid UTF-8; other lines are valid UTF-8, so the file is damaged or mixed: correct this line',
        );
      }
    },
  );

  test('also if the line is far from the others, among plain rows, and in the header', async () => {
    const far = Buffer.concat([Buffer.from(`id,n\n1,é\n${'2,x\n'.repeat(50_000)}`), line(bad, '3,')]);
    expect((await load('a.csv', far)).stderr).toContain(
      'a.csv:50003: not valid UTF-8; other lines are valid',
    );
    const header = Buffer.concat([line(bad, 'id,'), Buffer.from('1,é\n')]);
    expect((await load('a.csv', header)).stderr).toContain('the header is not valid UTF-8; other lines');
  });
});

test('lone carriage returns name the whole command that loads the file', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'my list.csv'), 'id,n\r1,a\r2,b\r');
  const { code, stderr } = await sh('task-load "my list.csv"', { cwd });
  const [, command = ''] = /turn them into newlines with: (.*)\n/.exec(stderr) ?? [];
  expect(code).toBe(65);
  expect(tasksIn(await sh(command, { cwd }))).toHaveLength(2);
});

test('a repeated header in an output is not a row, and is not marked as finished', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'out.csv'), 'uuid,n\na,1\nuuid,n\nb,2\n');
  const { code, stderr } = await sh('task-save out.csv --ledger done.jsonl < /dev/null', { cwd });
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringContaining('out.csv:3: the header again'),
  });
  expect((await sh('task-done list done.jsonl', { cwd })).stdout).toBe('a\nb\n');
});
