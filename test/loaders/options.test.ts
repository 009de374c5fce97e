/* Each option with each format: it has an effect, or it is an error on the command line and ignored elsewhere. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type LoadOptions, load } from '../../src/stages/load/load.ts';
import { loaded } from '../support/loaded.ts';
import { freshFolder, sh } from '../support/run.ts';

const FILES: Readonly<Record<string, string>> = {
  'a.csv': 'a,b\n1,2\n',
  'a.tsv': 'a\tb\n1\t2\n',
  'a.txt': 'x\n',
  'a.ndjson': '{"a":1}\n',
  'a.json': '[{"a":1}]',
};
const TABLES = ['a.csv', 'a.tsv'];
/** Options, and the files that use them. */
const USED: readonly (readonly [words: string, variable: string, files: readonly string[]])[] = [
  ['--delimiter ;', 'TASK_DELIMITER=;', TABLES],
  ['--quote none', 'TASK_QUOTE=none', TABLES],
  ['--escape none', 'TASK_ESCAPE=none', TABLES],
  ['--no-header', 'TASK_NO_HEADER=1', TABLES],
  ['--columns c,d', 'TASK_COLUMNS=c,d', TABLES],
  ['--skip 0', 'TASK_SKIP=0', [...TABLES, 'a.txt']],
  ['--comment x', 'TASK_COMMENT=#', [...TABLES, 'a.txt']],
  ['--field f', 'TASK_FIELD=f', ['a.txt']],
  ['--table t', 'TASK_TABLE=t', []],
  ["--query 'select 1'", 'TASK_QUERY=select', []],
  ['--encoding utf-8', 'TASK_ENCODING=utf-8', Object.keys(FILES)],
  ['--max-line 1MB', 'TASK_MAX_LINE=1MB', Object.keys(FILES)],
];

const NO_EFFECT = /^task-load: --[a-z-]+ has no effect on [a-z]+; it is for [a-z, ]+ \(--format\)\n$/;

test.each(USED)('task-load accepts %s only for formats that use it', async (words, variable, used) => {
  const cwd = freshFolder();
  const typed = words.replace(';', "';'");
  const unused: string[] = [];
  for (const [file, text] of Object.entries(FILES)) {
    writeFileSync(join(cwd, file), text);
    // The options of a table turn plain text into one.
    const isUsed = used.includes(file) || (file === 'a.txt' && used === TABLES);
    const { code, stderr } = await sh(`task-load ${typed} ${file}`, { cwd });
    if (isUsed)
      expect([code === 2, stderr], file).toEqual([false, expect.not.stringContaining('has no effect')]);
    else expect([code, stderr], file).toEqual([2, expect.stringMatching(NO_EFFECT)]);
    if (!used.includes(file)) unused.push(file);
  }
  const [file] = unused;
  if (file === undefined) return;
  const format = file === 'a.txt' ? 'lines' : file.slice(2);
  const end = await sh(`task-load ${typed} --format ${format} < ${file}`, { cwd });
  expect(end).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(NO_EFFECT) });

  const [name = '', value = ''] = variable.split('=');
  const plain = await sh(`task-load ${file} --quiet`, { cwd });
  expect(await sh(`task-load ${file} --quiet`, { cwd, env: { [name]: value } })).toEqual(plain);
  const key = name.slice('TASK_'.length).toLowerCase().replaceAll('_', '-');
  writeFileSync(join(cwd, 'config.json'), JSON.stringify({ [key]: value }));
  expect(await sh(`task-load ${file} --quiet --config config.json`, { cwd })).toEqual(plain);
});

test('options of tables or lines set the format of plain text, and are rejected for JSON', async () => {
  const table = 'id\turl\n1\thttp://h/\n';
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'a.txt'), table);
  expect((await sh("task-load a.txt --delimiter '\\t' --quiet", { cwd })).stdout).toMatch(
    /^\{[^\n]*"id":"1","url":"http:\/\/h\/"\}\n$/,
  );
  expect((await sh('task-load --field url --quiet', { cwd, input: 'http://h/?a,b\n' })).stdout).toContain(
    '"url":"http://h/?a,b"',
  );
  for (const option of ['--field url', "--delimiter ';'", '--no-header', '--comment x'])
    expect(await sh(`task-load ${option}`, { cwd, input: '{"a":1}\n' })).toMatchObject({
      code: 2,
      stdout: '',
    });
});

test('an option is accepted if one of several files uses it', async () => {
  const cwd = freshFolder();
  for (const [file, text] of Object.entries(FILES)) writeFileSync(join(cwd, file), text);
  expect(await sh('task-load a.ndjson a.csv --no-header', { cwd })).toMatchObject({ code: 0 });
  expect(await sh('task-load a.ndjson a.json --no-header', { cwd })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--no-header has no effect on ndjson and json'),
  });
});

test('a usage error leaves no rejects file', async () => {
  const cwd = freshFolder();
  const end = await sh('task-load --format ndjson --no-header --rejects r; ls', { cwd });
  expect(end.stdout).toBe('');
});

test('load() rejects options without effect, and accepts an explicit default header', async () => {
  const refused: LoadOptions[] = [
    { header: false },
    { delimiter: ';' },
    { field: 'x' },
    { query: 'select 1' },
    { skip: 1 },
  ];
  for (const options of refused) expect(() => load('a.ndjson', options)).toThrow('has no effect on ndjson');
  expect((await loaded('{"a":1}\n', { format: 'ndjson', header: true })).tasks).toEqual([{ a: 1 }]);
  await expect(loaded('{"a":1}\n', { columns: ['x'] })).rejects.toThrow('columns has no effect on ndjson');
});

test.each([
  ['out.ndjson', '--widen'],
  ['out.ndjson', '--escape-formulas'],
  ['out.ndjson', '--table x'],
  ['out.csv', '--table x'],
  ['out.db', '--widen'],
  ['out.db', '--escape-formulas'],
  ['-', '--widen'],
  ['- --format csv', '--widen'],
  ['-', '--escape-formulas'],
  ['-', '--overwrite'],
  ['-', '--tee'],
  ['-', '--flush 2'],
  ['-', '--flush-interval 2s'],
  ['-', '--sync none'],
])('task-save %s rejects %s, which has no effect, and ignores its variable', async (out, option) => {
  const cwd = freshFolder();
  const input = '{"uuid":"1","a":"=1"}\n';
  const typed = await sh(`task-save ${out} ${option}`, { cwd, input });
  expect([typed.code, typed.stdout, typed.stderr]).toEqual([
    2,
    '',
    expect.stringMatching(new RegExp(`^task-save: ${option.split(' ')[0]} (has no effect on|needs a file)`)),
  ]);
  const [name = '', value = '1'] = option.slice(2).split(' ');
  const env = { [`TASK_${name.toUpperCase().replaceAll('-', '_')}`]: value };
  const plain = await sh(`task-save ${out} --quiet`, { cwd, input });
  expect(await sh(`task-save ${out} --quiet`, { cwd: freshFolder(), input, env })).toEqual(plain);
});
