/* What is in examples/ does what it says. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshFolder, has, root, sh } from './support/run.ts';

const csv = 'url\nhttp://a.example/1\nhttp://bb.example/2\nno url\n';

for (const [example, needs, code] of [
  ['python3 {}/worker.py', 'python3', 'IndexError'],
  ['{}/worker.sh', 'jq', undefined],
] as const) {
  test(`${example} answers every task`, async (context) => {
    if (!(await has(needs))) context.skip(`${needs} is not installed`);
    const command = example.replace('{}', join(root, 'examples'));
    const { stdout, stderr } = await sh(
      `task-load --format csv --uuid-fields url | task-exec --worker '${command}' -j 2 --keep-order`,
      { input: csv },
    );
    const records = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records.map(({ result }) => result?.host)).toEqual(
      ['a.example', 'bb.example', code && undefined].map((host, i) =>
        i === 2 && code === undefined ? null : host,
      ),
    );
    expect(records[2].run.error?.code).toBe(code);
    expect(stderr).not.toMatch(/worker \d/);
  });
}

test('convert.sh converts each file once', async (context) => {
  if (!(await has('iconv'))) context.skip('iconv is not installed');
  const cwd = freshFolder();
  mkdirSync(join(cwd, 'in put'));
  writeFileSync(join(cwd, 'in put', "it's.txt"), Buffer.from('caf\xe9', 'latin1'));
  writeFileSync(join(cwd, 'in put', 'b.txt'), 'plain');
  const run = () => sh(`${join(root, 'examples/convert.sh')} 'in put' out`, { cwd });
  const first = await run();
  expect([first.code, first.stderr]).toEqual([0, expect.stringContaining('saved 2')]);
  const rows = readFileSync(join(cwd, 'out/files.csv'), 'utf8').trim().split('\n').slice(1);
  const texts = rows.map((row) => readFileSync(join(cwd, 'out', `${row.split(',')[0]}.txt`), 'utf8'));
  expect(texts.sort()).toEqual(['café', 'plain']);
  expect((await run()).stderr).toMatch(/task-exec: 0 done/);
});
