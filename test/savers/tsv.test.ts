/* TSV outputs: texts are read back unchanged, and outputs of older versions are continued. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Task } from '../../src/core/record/task.ts';
import { save } from '../../src/stages/save/save.ts';
import { tasksOf } from '../support/loaded.ts';
import { freshFolder, sh } from '../support/run.ts';

const text = fc.string({
  unit: fc.constantFrom('a', 'n', 't', 'N', '\\', '"', '\t', '\n', '\r', ' ', 'é', ''),
});
const rows = fc.array(fc.record({ a: text, b: text }), { minLength: 1, maxLength: 8 });

async function* batchOf(records: readonly object[]): AsyncGenerator<Task[]> {
  yield records.map((fields, i) => new Task(`u${i}`, JSON.stringify({ uuid: `u${i}`, ...fields })));
}

test('any text is read back unchanged, and found again by the next run', async () => {
  await fc.assert(
    fc.asyncProperty(rows, rows, async (first, more) => {
      const out = join(freshFolder(), 'out.tsv');
      await save(batchOf(first), out);
      const { present } = await save(batchOf([...first, ...more]), out);
      expect(present).toBe(first.length);
      const all = [...first, ...more];
      expect(await tasksOf(readFileSync(out), { format: 'tsv', quote: 'none' })).toEqual(all);
    }),
    { numRuns: 60 },
  );
});

test('a single empty cell is not a blank line', async () => {
  const out = join(freshFolder(), 'out.tsv');
  await save(batchOf([{ a: '' }, { a: '\\N' }]), out, { fields: ['a'] });
  expect(readFileSync(out, 'utf8')).toBe('a\n\\N\n\\\\N\n');
  expect(await tasksOf(readFileSync(out), { format: 'tsv' })).toEqual([{ a: '' }, { a: '\\N' }]);
});

const OLD = 'uuid\tx\ty\n1\t"tab\there"\t"a ""quote"""\n2\t"two\nlines"\tplain\n3\tC:\\dir\tlast\n';

test('a quoted output of an older version is continued with quotes', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'out.tsv'), OLD);
  const input = '{"uuid":"2","x":"","y":""}\n{"uuid":"4","x":"a\\tb","y":"\\\\"}\n';
  const end = await sh('task-save out.tsv', { cwd, input });
  expect([end.code, end.stderr]).toEqual([0, expect.stringContaining('saved 1, 1 already there')]);
  expect(readFileSync(join(cwd, 'out.tsv'), 'utf8')).toBe(`${OLD}4\t"a\tb"\t\\\n`);
  const wide = await sh('task-save out.tsv --widen', { cwd, input: '{"uuid":"5","x":"","y":"","z":"1"}\n' });
  expect([wide.code, wide.stderr]).toEqual([0, expect.stringContaining('saved 1')]);
  expect(readFileSync(join(cwd, 'out.tsv'), 'utf8')).toContain('2\t"two\nlines"\tplain\t\n');
  const again = await sh(`task-load out.tsv --quote '"' --quiet`, { cwd });
  expect(again.stdout.split('\n')[1]).toContain('"x":"two\\nlines","y":"plain"');
});

test('bare quotes in an output are not mistaken for those of an older version', async () => {
  const cwd = freshFolder();
  const begin = 'uuid\ttitle\n1\t"Foo\n2\tbar"\n3\t"a ""b"""\n';
  writeFileSync(join(cwd, 'out.tsv'), begin);
  const input = ['1', '2', '3', '4'].map((uuid) => `{"uuid":"${uuid}","title":"x\\ty"}\n`).join('');
  const end = await sh('task-save out.tsv --ledger l.jsonl', { cwd, input });
  expect([end.code, end.stderr]).toEqual([0, expect.stringContaining('saved 1, 3 already there')]);
  expect(readFileSync(join(cwd, 'out.tsv'), 'utf8')).toBe(`${begin}4\tx\\ty\n`);
});

test('task-load reads back unchanged what task-save has written', async () => {
  const cwd = freshFolder();
  const record = { uuid: '1', a: 'tab\there', b: '"q"\n\\n', c: 'C:\\temp' };
  await sh('task-save out.tsv', { cwd, input: `${JSON.stringify(record)}\n` });
  const { stdout, stderr } = await sh('task-load out.tsv', { cwd });
  expect([JSON.parse(stdout), stderr]).toEqual([record, 'task-load: 1 task\n']);
});
