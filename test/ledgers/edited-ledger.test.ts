/* Ledgers that someone has formatted, converted or edited. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshFolder, sh } from '../support/run.ts';

const LOAD = 'task-load a.csv --ledger done.jsonl';
const NAMES = ['1', '2', '3', '4', '5'];

/** Makes a folder in which a pipeline has run, and edits its ledger. */
async function edited(edit: (ledger: string) => string | Buffer): Promise<string> {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'a.csv'), `id\n${NAMES.join('\n')}\n`);
  await sh(`${LOAD} | task-save out.csv --ledger done.jsonl`, { cwd });
  const ledger = join(cwd, 'done.jsonl');
  writeFileSync(ledger, edit(readFileSync(ledger, 'utf8')));
  return cwd;
}

const records = (ledger: string): unknown[] =>
  ledger
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
const formatted = (values: readonly unknown[]): string =>
  values.map((value) => `${JSON.stringify(value, null, 2)}\n`).join('');

const UNREADABLE: [string, (ledger: string) => string | Buffer, RegExp][] = [
  ['formatted over several lines', (text) => formatted(records(text)), /jq -c \. done\.jsonl/],
  ['saved as a JSON array', (text) => JSON.stringify(records(text)), /jq -c '\.\[\]' done\.jsonl/],
  ['saved as a formatted array', (text) => formatted([records(text)]), /jq -c '\.\[\]' done\.jsonl/],
  ['joined to one line', (text) => text.replaceAll('\n', ''), /done\.jsonl:1: .*jq -c \. done\.jsonl/],
  [
    'joined to one line of more than 1 MB',
    (text) => `${text.replaceAll('\n', '').repeat(2000)}\n`,
    /jq -c \. done\.jsonl/,
  ],
  ['converted to UTF-16LE', (text) => Buffer.from(text, 'utf16le'), /UTF-16.* save it as UTF-8/],
  ['converted to UTF-16BE', (text) => Buffer.from(text, 'utf16le').swap16(), /UTF-16.* save it as UTF-8/],
  [
    'given another name for its uuids',
    (text) => text.replaceAll('"uuid"', '"id"'),
    /done\.jsonl:2: .*it has no "uuid"/,
  ],
];

describe.each(UNREADABLE)('a ledger that was %s', (_, edit, words) => {
  test('ends a stage with 65 and the way to restore it, and stays as it is', async () => {
    const cwd = await edited(edit);
    const before = readFileSync(join(cwd, 'done.jsonl'));
    for (const command of [
      LOAD,
      'task-save out.csv --ledger done.jsonl',
      'task-done count done.jsonl',
      'task-done list done.jsonl',
      'task-done compact done.jsonl',
    ]) {
      const { code, stdout, stderr } = await sh(command, { cwd });
      expect({ command, code, stdout }).toEqual({ command, code: 65, stdout: '' });
      expect(stderr).toMatch(words);
    }
    expect((await sh('task-done check done.jsonl', { cwd })).code).toBe(1);
    expect(readFileSync(join(cwd, 'done.jsonl')).equals(before)).toBe(true);
  });
});

test.each([
  ['formatted', (text: string) => formatted(records(text))],
  ['an array', (text: string) => JSON.stringify(records(text))],
  ['one line', (text: string) => text.replaceAll('\n', '')],
])('the command in the message restores a ledger that is %s', async (_, edit) => {
  const cwd = await edited(edit);
  const [, command] =
    /restore them with: (.* && mv \S+ [^\s,]+)/.exec((await sh(LOAD, { cwd })).stderr) ?? [];
  expect((await sh(String(command), { cwd })).code).toBe(0);
  expect((await sh('task-done count done.jsonl', { cwd })).stdout).toBe('5\n');
});

test('a ledger with some unreadable lines is read, with a warning that names the first', async () => {
  const cwd = await edited((text) => text.replace('"uuid"', '"id"').replace('"uuid"', '"id"'));
  const { code, stdout, stderr } = await sh(LOAD, { cwd });
  expect({ code, tasks: stdout.match(/\n/g)?.length }).toEqual({ code: 0, tasks: 2 });
  expect(stderr).toContain(
    'done.jsonl:2: it has no "uuid"; 2 lines of this ledger cannot be read, and their tasks run again; to see them all: task-done check done.jsonl\n',
  );
});

test('the line of a row that lost its uuid does not mark all rows before it as known', async () => {
  const cwd = await edited((text) =>
    text.replace(/\{"uuid":("[^"]*","at":"[^"]*","out":"out.csv","end":2\d\d)/g, '{"id":$1'),
  );
  const { stderr } = await sh('task-save out.csv --ledger done.jsonl', { cwd });
  expect(stderr).toMatch(/rows? that the ledger did not name/);
  expect((await sh('task-done count done.jsonl', { cwd })).stdout).toBe('5\n');
});

test.each([
  ['a torn line', (text: string) => text.slice(0, 40)],
  ['torn lines alone', () => '\n{"uuid":"a\n\n{"uuid":"b","at":"2026'],
  ['a single brace', () => '\n{'],
  ['a hole', (text: string) => `\n${'\0'.repeat(90)}${text.slice(91)}`],
  ['a hole alone', () => `\n${'\0'.repeat(4095)}`],
  ['comments', (text: string) => `# mine\n// too\n${text}`],
])('%s, as a crash or a person may leave, needs no warning', async (_, edit) => {
  const cwd = await edited(edit);
  const { code, stderr } = await sh(LOAD, { cwd });
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringMatching(/^task-load: \d tasks?(?:, .*)?\n$/),
  });
});

test.each([
  ['--spool', 'spool', '{"uuid":"a","n":1}\n{"uuid":"b","n":2}\n'],
  ['--flow-log', 'flow log', '{"uuid":"a","flow":"f","atom":"x","state":"RUNNING"}\n'],
])('a %s that was formatted over several lines ends task-exec with 65', async (option, what, text) => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'kept'), formatted(records(text)));
  writeFileSync(join(cwd, 'work.mjs'), 'export default () => 1;\n');
  const flow = `import { linear, task } from 'taskpipe/flow';\nexport default linear('f').add(task('x', () => 1));\n`;
  writeFileSync(join(cwd, 'flow.mjs'), flow);
  const kind = option === '--spool' ? '--module work.mjs' : '--flow flow.mjs';
  const { code, stderr } = await sh(`task-exec ${kind} ${option} kept < /dev/null`, { cwd });
  expect({ code, stderr }).toEqual({
    code: 65,
    stderr: expect.stringContaining(`kept: the ${what} begins with`),
  });
});
