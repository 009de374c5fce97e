/* The uuid of a record: equal for the same record in every format, and equal to that of Python. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { uuidOfAttributes } from '../../src/core/ids/index.ts';
import { load, loadLines } from '../../src/stages/load/load.ts';
import { freshFolder, sh } from '../support/run.ts';

/** The program of docs/record.md. */
const PYTHON = `
import json, sys, uuid

class Number(str):
    pass

def canonical(value):
    if isinstance(value, dict):
        return '{' + ','.join(canonical(k) + ':' + canonical(value[k]) for k in sorted(value)) + '}'
    if isinstance(value, list):
        return '[' + ','.join(map(canonical, value)) + ']'
    return value if isinstance(value, Number) else json.dumps(value, ensure_ascii=False)

for line in sys.stdin.buffer:
    record = json.loads(line, parse_int=Number, parse_float=Number)
    print(uuid.uuid3(uuid.NAMESPACE_URL, canonical(record)))
`;

/** Program for records without numbers that Python writes differently. */
const ONE_LINE =
  "import json, sys, uuid; [print(uuid.uuid3(uuid.NAMESPACE_URL, json.dumps(json.loads(line), ensure_ascii=False, sort_keys=True, separators=(',', ':')))) for line in sys.stdin.buffer]";

/** JSON texts of values, in every way to write them. */
const { record } = fc.letrec((tie) => {
  const text = fc.string({ unit: 'binary', maxLength: 8 });
  const token = fc.oneof(
    text.map((value) => JSON.stringify(value)),
    text.map((value) => JSON.stringify(value).replace(/[^ -~]/gu, (c) => escapes(c))),
    fc.constantFrom('"\\/"', '"\\u0041"', '"\\u007f\\u0080"', '"\\ud83d\\ude00"', '"\u2028"'),
  );
  const space = fc.constantFrom('', '', ' ', '\t', '  ');
  return {
    value: fc.oneof(
      { maxDepth: 3 },
      token,
      fc.constantFrom(
        'true',
        'false',
        'null',
        '0',
        '-0',
        '1.10',
        '1e5',
        '1E+5',
        '-1.0e-7',
        '12345678901234567890',
      ),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.array(tie('value'), { maxLength: 3 }).map((items) => `[${items.join(' , ')}]`),
      tie('record'),
    ),
    record: fc
      .tuple(fc.array(fc.tuple(token, tie('value')), { maxLength: 5 }), space)
      .map(([members, gap]) => `{${gap}${members.map((two) => two.join(`${gap}:${gap}`)).join(`${gap},`)}}`),
  };
});

function escapes(text: string): string {
  return text.replace(
    /[\s\S]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0').toUpperCase()}`,
  );
}

/** Returns whether a record has only attributes of the user. */
const isPlain = (text: string): boolean =>
  !['uuid', 'run', 'result'].some((name) => Object.hasOwn(JSON.parse(text), name));

async function python(program: string, input: string): Promise<string> {
  const { stdout, stderr } = await sh('python3 -c "$PROGRAM"', { input, env: { PROGRAM: program } });
  expect(stderr).toBe('');
  return stdout;
}

async function uuids(args: string, input: string | Buffer = '', cwd = freshFolder()): Promise<string> {
  const { stdout, code } = await sh(`task-load ${args} --quiet | jq -r .uuid`, { input, cwd });
  expect(code).toBe(0);
  return stdout;
}

test('uuids of any records equal those of the documented Python program', async () => {
  const samples = fc.sample(record as fc.Arbitrary<string>, 2000).filter(isPlain);
  const input = `${samples.join('\n')}\n`;
  const ours = await uuids('--format ndjson --duplicates keep', input);
  expect(ours.split('\n')).toEqual((await python(PYTHON, input)).split('\n'));
  expect(samples.length).toBeGreaterThan(1900);
});

test('the Python one-liner gives the uuids of records of strings, whole numbers and short fractions', async () => {
  const input = '{"id":12345678901234567890,"x":1.5,"y":[true,null],"z":"é"}\n{"b":"\\u0041","a":""}\n';
  expect(await uuids('--format ndjson', input)).toBe(await python(ONE_LINE, input));
});

test('uuids of one or several fields equal those of the documented line of Python', async () => {
  const input = '{"url":"http://a/","n":1.10,"tags":["x", 1],"none":null,"in":{"sku":"é"}}\n';
  for (const [args, name] of [
    ['url', "'http://a/'"],
    ['n', "'1.10'"],
    ['url,n', "'\\x1f'.join(['http://a/', '1.10'])"],
    ["url,n --uuid-sep '|'", "'|'.join(['http://a/', '1.10'])"],
    ['tags,none', `'\\x1f'.join(['["x", 1]', 'null'])`],
    ['in.sku', "'é'"],
  ]) {
    const line = `import uuid; print(uuid.uuid3(uuid.NAMESPACE_URL, ${name}))`;
    expect(await uuids(`--format ndjson --uuid-fields ${args}`, input), args).toBe(await python(line, ''));
  }
});

test('a record has the same uuid in CSV, TSV, NDJSON, JSON, SQLite and in memory', async () => {
  const cwd = freshFolder();
  const attributes = { url: 'http://a/é', 'na"me\\': 'x, "y"\t\n', 名: '', n: '1.10' };
  const cells = ['http://a/é', '"x, ""y""\t\n"', '', '1.10'];
  const header = ['url', '"na""me\\"', '名', 'n'];
  const write = (name: string, text: string): void => writeFileSync(join(cwd, name), text);
  write('a.csv', `${header.join(',')}\n${cells.join(',')}\n`);
  write('b.csv', `\ufeff${header.toReversed().join(';')}\r\n${cells.toReversed().join(';')}\r\n`);
  // TSV has no quotes; \\, \t and \n stand for a backslash, a tab and a newline.
  write('a.tsv', `url\tna"me\\\\\t名\tn\nhttp://a/é\tx, "y"\\t\\n\t\t1.10\n`);
  write('a.ndjson', `${JSON.stringify(attributes)}\n`);
  const escaped = JSON.stringify(Object.fromEntries(Object.entries(attributes).toReversed()), null, 1);
  write('a.json', `[\n${escaped.replaceAll('é', '\\u00e9')}\n]`);
  const sql = `create table tasks (n text, 名 text, "na""me\\" text, url text);
    insert into tasks values ('1.10', '', 'x, "y"' || char(9) || char(10), 'http://a/é');`;
  expect((await sh('sqlite3 a.db', { cwd, input: sql })).code).toBe(0);
  const expected = `${uuidOfAttributes(attributes)}\n`;
  for (const args of ['a.csv', "b.csv --delimiter ';'", 'a.tsv', 'a.ndjson', 'a.json', 'a.db'])
    expect(await uuids(args, '', cwd), args).toBe(expected);
  for await (const tasks of load(join(cwd, 'a.csv')))
    for (const { uuid } of tasks) expect(`${uuid}\n`).toBe(expected);
});

test('a plain line has the uuid of a record with that one attribute', async () => {
  expect(await uuids('--format lines --field url', 'http://a/é"\n')).toBe(
    `${uuidOfAttributes({ url: 'http://a/é"' })}\n`,
  );
});

test('CSV rows, quoted or not, and NDJSON records have the uuids of their attributes', async () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 6 })
    .filter((text) => text.trim() !== '');
  const names = fc
    .uniqueArray(name, { minLength: 1, maxLength: 6 })
    .filter((all) => !all.some((one) => ['uuid', 'run', 'result'].includes(one) || /[\r\n]/.test(one)));
  const cell = fc.string({ unit: 'grapheme', maxLength: 12 });
  const table = names.chain((all) =>
    fc.tuple(fc.constant(all), fc.array(fc.tuple(...all.map(() => cell)), { minLength: 1, maxLength: 8 })),
  );
  await fc.assert(
    fc.asyncProperty(table, fc.boolean(), async ([header, rows], isQuoted) => {
      const cellOf = (text: string): string =>
        isQuoted || /[",\r\n]/.test(text) || header.length === 1 ? `"${text.replaceAll('"', '""')}"` : text;
      const lines = [
        header.map((one) => `"${one.replaceAll('"', '""')}"`),
        ...rows.map((row) => row.map(cellOf)),
      ];
      const csv = Buffer.from(lines.map((line) => `${line.join(',')}\n`).join(''));
      const records = rows.map((row) =>
        Object.fromEntries(row.map((text, i) => [header[i] as string, text])),
      );
      const expected = records.map((one) => uuidOfAttributes(one));
      const ndjson = Buffer.from(records.map((one) => `${JSON.stringify(one)}\n`).join(''));
      expect(await loadedUuids(csv, 'csv')).toEqual(expected);
      expect(await loadedUuids(ndjson, 'ndjson')).toEqual(expected);
    }),
    { numRuns: 300 },
  );
});

async function loadedUuids(bytes: Buffer, format: 'csv' | 'ndjson'): Promise<string[]> {
  let text = '';
  const stdin = async function* (): AsyncGenerator<Buffer> {
    yield bytes;
  };
  for await (const lines of loadLines(['-'], { format, stdin, duplicates: 'keep' })) text += lines.toString();
  return text
    .split('\n', text.split('\n').length - 1)
    .map((line) => (JSON.parse(line) as { uuid: string }).uuid);
}

test.each([
  ['other names', '{"follow":"bob"}', '{"unfollow":"bob"}'],
  ['null and "null"', '{"a":"x","b":null}', '{"a":"x","b":"null"}'],
  ['1 and "1"', '{"a":1}', '{"a":"1"}'],
  ['1.0 and 1', '{"a":1.0}', '{"a":1}'],
  ['values in other places', '{"a":"x","b":"y"}', '{"a":"y","b":"x"}'],
  ['an extra attribute', '{"a":"x"}', '{"a":"x","b":""}'],
  ['an object and its text', '{"a":{"b":1}}', '{"a":"{\\"b\\":1}"}'],
  ['a name with a dot and a nested one', '{"a.b":1}', '{"a":{"b":1}}'],
])('records with %s are two tasks', async (_, one, other) => {
  const { stdout, stderr } = await sh('task-load --format ndjson', { input: `${one}\n${other}\n` });
  expect(stdout.split('\n')).toHaveLength(3);
  expect(stderr).toBe('task-load: 2 tasks\n');
});

test('a record without a uuid gets that of its attributes, whatever its run', async () => {
  const done = '{"a":"x","price":1,"run":{"state":"SUCCESS","as":"price"}}';
  expect(await uuids('--format ndjson', `${done}\n`)).toBe(`${uuidOfAttributes({ a: 'x' })}\n`);
});

test('--rename and --columns apply before the uuid is made, and --select after', async () => {
  const csv = 'a,b\n1,2\n';
  const expected = `${uuidOfAttributes({ x: '1', b: '2' })}\n`;
  for (const args of ['--rename a=x', '--columns x,b', '--rename a=x --select b'])
    expect(await uuids(`--format csv ${args}`, csv), args).toBe(expected);
  expect(await uuids('--format ndjson --rename a=x --select b', '{"b":"2","a":"1"}\n')).toBe(expected);
});

test('a task added by a module has the uuid that task-load gives its attributes', async () => {
  const cwd = freshFolder();
  const child = '{"b":{"z":1.5,"a":[null,"é"]},"a":"x"}';
  writeFileSync(
    join(cwd, 'm.mjs'),
    `export default (task, ctx) => (task.a === 'x' ? 0 : ctx.add({ ...${child}, run: 1, result: 2, none: undefined }));`,
  );
  const { stdout } = await sh(
    'task-load --format ndjson --quiet | task-exec --module ./m.mjs --quiet | jq -r "select(.a) | .uuid"',
    { cwd, input: '{"n":1}\n' },
  );
  expect(stdout).toBe(await uuids('--format ndjson', `${child}\n`));
});

test('a task added by a module with a lone surrogate needs a uuid', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'm.mjs'), `export default (task, ctx) => ctx.add({ a: '\\ud800' });`);
  const { stdout } = await sh('task-load --format ndjson --quiet | task-exec --module ./m.mjs --quiet', {
    cwd,
    input: '{"n":1}\n',
  });
  expect(stdout).toContain('ctx.add takes a task with a good uuid: text with half of a surrogate pair');
});
