/* Skipped duplicates, equal to the loaded task or different. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshFolder, sh } from '../support/run.ts';

function folderOf(files: Readonly<Record<string, string>>): string {
  const cwd = freshFolder();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
  return cwd;
}

test('a duplicate that differs is reported with both places, in files of any format', async () => {
  const cwd = folderOf({
    'a.csv': 'sku,price\nS1,5\nS2,6\n',
    'b.ndjson': '{"sku":"S1","price":"5"}\n{"price": "6", "sku": "S2"}\n{"sku":"S2","price":"7"}\n',
    'c.json': '[{"sku":"S1"},\n{"sku":"S1","price":5}]',
  });
  const { stdout, stderr, code } = await sh('task-load a.csv b.ndjson c.json --uuid-fields sku', { cwd });
  expect(stdout.split('\n')).toHaveLength(3);
  expect(code).toBe(0);
  expect(stderr).toBe(
    'task-load: 3 of 5 duplicates left out differ from the task that was loaded with the same uuid, first ' +
      'b.ndjson:3 (loaded: a.csv:3); name more attributes with --uuid-fields to load them too\n' +
      'task-load: 2 tasks, 5 duplicates left out (--duplicates)\n',
  );
});

test.each([
  ['the order of attributes', '{"id":1,"a":"x","b":2}', '{"b":2,"a":"x","id":1}'],
  [
    'white space and escapes',
    '{"id":1,"a":"A/","c":[1,{"d":2,"e":3}]}',
    '{"id": 1,"a":"\\u0041\\/","c":[1, {"e":3,"d":2}]}',
  ],
  [
    'the run of a task',
    '{"uuid":"u","a":1,"run":{"state":"FAILURE"}}',
    '{"uuid":"u","a":1,"run":{"state":"PENDING"}}',
  ],
])('a duplicate that differs only in %s counts as equal', async (_, one, other) => {
  const args = one.includes('uuid') ? '' : '--uuid-fields id';
  const { stderr } = await sh(`task-load --format ndjson ${args}`, { input: `${one}\n${other}\n` });
  expect(stderr).toBe('task-load: 1 task, 1 duplicate left out (--duplicates)\n');
});

test.each([
  ['a value', '{"uuid":"u","a":1}', '{"uuid":"u","a":2}'],
  ['the type of a value', '{"uuid":"u","a":1}', '{"uuid":"u","a":"1"}'],
  [
    'the last digit of a large number',
    '{"uuid":"u","a":12345678901234567890}',
    '{"uuid":"u","a":12345678901234567891}',
  ],
  ['the digits of a number', '{"uuid":"u","a":1.1}', '{"uuid":"u","a":1.10}'],
  ['a name', '{"uuid":"u","a":1}', '{"uuid":"u","b":1}'],
  ['two values that changed places', '{"uuid":"u","a":"x","b":"y"}', '{"uuid":"u","a":"y","b":"x"}'],
  ['something nested', '{"uuid":"u","a":[{"b":null}]}', '{"uuid":"u","a":[{"b":"null"}]}'],
  ['an extra attribute', '{"uuid":"u","a":1}', '{"uuid":"u","a":1,"b":""}'],
])('a duplicate that differs in %s is reported', async (_, one, other) => {
  const { stderr } = await sh('task-load --format ndjson', { input: `${one}\n${other}\n` });
  expect(stderr).toContain('1 of 1 duplicates left out differ');
  expect(stderr).toContain('first stdin:2 (loaded: stdin:1)');
});

test('attributes that are not selected do not count as a difference', async () => {
  const input = 'id,a\n1,x\n1,y\n';
  const { stderr } = await sh('task-load --format csv --uuid-fields id --select id', { input });
  expect(stderr).toBe('task-load: 1 task, 1 duplicate left out (--duplicates)\n');
});

test('--duplicates fail names both places', async () => {
  const cwd = folderOf({ 'a.csv': 'id,"a\nb"\n1,"x\ny"\n2,z\n', 'b.csv': 'id\n3\n2\n' });
  const { stderr, code } = await sh('task-load a.csv b.csv --uuid-fields id --duplicates fail', { cwd });
  expect(code).toBe(65);
  expect(stderr).toMatch(/^task-load: b\.csv:3: the uuid \S+ is that of a\.csv:5 \(--duplicates fail\)\n$/);
});

test('tasks in the ledger count as finished, whatever their attributes', async () => {
  const cwd = folderOf({ 'a.csv': 'id,a\n1,x\n', 'b.csv': 'id,a\n1,y\n1,z\n2,x\n' });
  await sh('task-load a.csv --uuid-fields id | task-save out.csv --ledger done.jsonl', { cwd });
  const { stderr } = await sh('task-load b.csv --uuid-fields id --ledger done.jsonl', { cwd });
  expect(stderr).toBe('task-load: 1 task, 2 finished before\n');
});
